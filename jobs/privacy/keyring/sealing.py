"""Entries made of secrets, and keys made of entries once these prove to be as they were written."""

import json
from typing import Final

from jobs.errors import KeyRingError
from jobs.privacy.keyring.content import Entry
from jobs.privacy.keyring.keys import KEY_BYTES, Key, KeyEntry
from jobs.privacy.keyring.providers import KMS_PREFIX, Provider

CHECK_INFO: Final = b"sophilux key ring\0"
CHECK_BYTES: Final = 16


def seal(provider: Provider, public: KeyEntry, secret: bytes) -> Entry:
    """The entry to write down for a key."""
    return Entry(public, provider.seal(public, secret), derive_check(public, secret))


def open_entry(provider: Provider, entry: Entry) -> Key:
    """The key of a living entry.

    Raises:
        KeyRingError: the secret or a fact beside it was changed, or the provider refuses.
    """
    key = _try_open(provider, entry)
    if key is None:
        message = (
            f"{provider.place} was changed: the key {entry.public.key_id} for {entry.public.purpose} is not as it was "
            "made; restore it from your backup."
        )
        raise KeyRingError(message)
    return key


def derive_check(public: KeyEntry, secret: bytes) -> str:
    """A value that only this secret gives for these facts, and that tells nothing about it (HKDF, RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    not_after = public.not_after.isoformat() if public.not_after else None
    facts = json.dumps([public.purpose, public.key_id, public.created.isoformat(timespec="seconds"), not_after])
    return HKDF(SHA256(), CHECK_BYTES, salt=None, info=CHECK_INFO + facts.encode()).derive(secret).hex()


def _try_open(provider: Provider, entry: Entry) -> Key | None:
    """The key; none where it is not as it was made. A function of its own, so that no error's frame holds a secret."""
    public = entry.public
    secret = provider.unseal(public, entry.secret)
    may_lack_check = entry.check is None and not entry.secret.startswith(KMS_PREFIX)
    is_sound = len(secret) == KEY_BYTES and (may_lack_check or entry.check == derive_check(public, secret))
    return Key(public.purpose, public.key_id, secret, public.created, public.not_after) if is_sound else None
