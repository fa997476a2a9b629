"""The pseudonym of one address, without an engine; the same as :mod:`jobs.privacy.pseudonyms` gives a column."""

from collections.abc import Callable
from typing import Final

import xxhash
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.privacy.emails import InvalidAddressError, normalise_email_text
from jobs.privacy.keyring import SUBJECT, Key, open_keyring

DIGITS: Final = 32
BUCKETS: Final = 256
ENGINE_SEED: Final = 42
PSEUDONYMOUS: Final = ("lake.clicks", "vault.identities", "ledger.choices", "ledger.requests")


def find_subject_key(lake: Lake) -> Key:
    """The key of ``subject_id``.

    Raises:
        KeyRingError: the ring has no such key although the lake holds pseudonyms made with one; a new key would
            give everybody a second pseudonym, and nobody could be found under the first.
    """
    holds_pseudonyms = any(lake.exists(table) for table in PSEUDONYMOUS)
    return open_keyring(lake.settings).key(SUBJECT, may_make=not holds_pseudonyms)


def make_subject_id(address: str, key: Key) -> str:
    """The pseudonym of an address as a person wrote it.

    Raises:
        UsageError: it is no address; the message does not repeat it.
    """
    try:
        normal = normalise_email_text(address)
    except InvalidAddressError as error:
        message = f"The address is no e-mail address: {error}."
        raise UsageError(message) from None
    return digest_under(key)(normal)


def digest_under(key: Key) -> Callable[[str], str]:
    """Keyed digests of many texts, as the engine's ``keyed_digest`` makes them; the key is set up once."""
    ready = HMAC(key.secret, SHA256())

    def digest(text: str) -> str:
        one = ready.copy()
        one.update(text.encode())
        return one.finalize().hex()[:DIGITS]

    return digest


def subject_digest(lake: Lake) -> Callable[[str], str]:
    """Pseudonyms of many texts: of a normalised address, ``visitor:…``, or ``customer:…`` for ``person_id``.

    Raises:
        KeyRingError: as :func:`find_subject_key`.
    """
    return digest_under(find_subject_key(lake))


def bucket_of(subject_id: str) -> int:
    """Number from 0 to 255 that files are clustered by."""
    return xxhash.xxh64_intdigest(subject_id.encode(), ENGINE_SEED) % BUCKETS
