"""Keys, what a list of keys may show of them, and the names of their purposes."""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from jobs.errors import UsageError

KEY_BYTES: Final = 32
SUBJECT: Final = "subject"
SIGNING: Final = "signing"
SHUFFLE: Final = "shuffle"
TOMBSTONE: Final = "tombstone"
PARTNER: Final = "partner"
PAIR: Final = "pair"
SHARED: Final = "shared"


@dataclass(frozen=True)
class KeyEntry:
    """What may be known of a key, alive or destroyed.

    Attributes:
        key_id: 8 lowercase hex digits; public, it stands in identifiers and manifests.
        created: when it was made or put in.
        not_after: last day on which it may be used; none means that it has no such day.
        destroyed_at: when its secret was destroyed; none while it is alive.
    """

    purpose: str
    key_id: str
    created: datetime
    not_after: date | None
    destroyed_at: datetime | None


@dataclass(frozen=True)
class Key:
    """One key; printing it shows everything but the secret."""

    purpose: str
    key_id: str
    secret: bytes = field(repr=False)
    created: datetime | None = field(default=None, repr=False)
    not_after: date | None = field(default=None, repr=False)


def partner_purpose(partner: str, epoch: str) -> str:
    """The purpose of the key for one partner's identifiers in one epoch, such as ``partner/adnet/2026Q4``."""
    return f"{PARTNER}/{partner}/{epoch}"


def pair_purpose(partner: str, epoch: str) -> str:
    """The purpose of our key for one partner's PAIR exchange in one epoch, such as ``pair/publisher/2026Q4``."""
    return f"{PAIR}/{partner}/{epoch}"


def shared_purpose(partner: str) -> str:
    """The purpose of the key that a partner gave us, such as ``shared/loyalty``."""
    return f"{SHARED}/{partner}"


def read_secret(text: str) -> bytes:
    """A key of 32 bytes from 64 hex digits or Base64, as partners hand it over.

    Raises:
        UsageError: it is neither, or has another length; the message does not repeat it.
    """
    stripped = text.strip()
    try:
        is_hex = len(stripped) == 2 * KEY_BYTES
        secret = bytes.fromhex(stripped) if is_hex else base64.b64decode(stripped, validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if len(secret) != KEY_BYTES:
        message = f"A key is {KEY_BYTES} bytes, written as {2 * KEY_BYTES} hex digits or in Base64; got something else."
        raise UsageError(message)
    return secret
