"""Keys of a PAIR exchange, and how long each lives.

Ours, which nobody else ever sees, is replaced every 180 days. The secret that the publisher shares with us is replaced
every 30 days by the publisher, and so is what was matched under it: no match outlives it. Either is put into the ring
under ``pair/<partner>/…`` with its last day, so that the ring's rotation destroys it.

References:
    IAB Tech Lab, PAIR 1.1, 2025, "Two Data Clean Rooms", step 1, and "Data Clean Room (DCR)", requirement 10.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.keyring import Key, KeyEntry, KeyRing, pair_purpose

OWN_DAYS: Final = 180
SHARED_DAYS: Final = 30
OVERLAP_DAYS: Final = 30
"""Days for which identifiers of a former key may still be in use, and have to be readable."""
SHARED_PREFIX: Final = "shared-"
SECRET_BYTES: Final = 32


@dataclass(frozen=True)
class Window:
    """Days for which one key is used, both included."""

    first: date
    last: date


def find_window(day: date, length: int) -> Window:
    """The window of ``length`` days that a day is in; windows follow each other from the first day of the calendar."""
    start = day.toordinal() // length * length
    return Window(date.fromordinal(max(1, start)), date.fromordinal(start + length - 1))


def find_own_key(ring: KeyRing, partner: str, day: date, *, may_make: bool) -> Key:
    """Our key for one partner on a day.

    Args:
        ring: holds the key.
        partner: the publisher.
        day: the day our list is of.
        may_make: false where a list was encrypted already, so that the key must be there.

    Raises:
        KeyRingError: there is none and none may be made, or it was destroyed.
    """
    window = find_window(day, OWN_DAYS)
    not_after = window.last + timedelta(days=OVERLAP_DAYS)
    return ring.key(pair_purpose(partner, str(window.first)), may_make=may_make, not_after=not_after)


def put_shared_secret(ring: KeyRing, partner: str, secret: bytes, first: date) -> KeyEntry:
    """Take in the secret that the publisher shares with us for the 30 days from ``first``.

    Raises:
        KeyRingError: it is not 256 bits, or another one is there for that day.
    """
    last = first + timedelta(days=SHARED_DAYS - 1)
    return ring.put(pair_purpose(partner, f"{SHARED_PREFIX}{first}"), secret, not_after=last)


def find_shared_secret(ring: KeyRing, partner: str, day: date) -> Key:
    """The latest secret a publisher shared with us that may be used on a day.

    Raises:
        KeyRingError: there is none for that day, or it was destroyed.
    """
    current = _list_starts(ring, partner, day)
    if not current:
        message = (
            f"There is no secret shared with {partner} for {day}; one holds for {SHARED_DAYS} days. "
            f"Get the publisher's, and take it in with 'sophilux pair secret {partner} --from DAY --file FILE'."
        )
        raise KeyRingError(message)
    return ring.key(pair_purpose(partner, f"{SHARED_PREFIX}{max(current)}"), may_make=False)


def find_scope(ring: KeyRing, partner: str, day: date) -> date:
    """First day of the 30 days whose lists are matched with each other.

    They are those of the shared secret; where a clean room adds the third layer there is none, and they are counted
    from the first day of the calendar.
    """
    return max(_list_starts(ring, partner, day), default=find_window(day, SHARED_DAYS).first)


def _list_starts(ring: KeyRing, partner: str, day: date) -> list[date]:
    """First days of the shared secrets, destroyed ones too, that are for a day."""
    prefix = pair_purpose(partner, SHARED_PREFIX)
    names = (entry.purpose.removeprefix(prefix) for entry in ring.entries() if entry.purpose.startswith(prefix))
    starts = [date.fromisoformat(name) for name in names]
    return [first for first in starts if first <= day < first + timedelta(days=SHARED_DAYS)]


def read_secret(text: str) -> bytes:
    """A shared secret of 32 bytes from Base64 or hex, as it comes from the publisher.

    Raises:
        UsageError: it is neither, or has another length; the message does not repeat it.
    """
    stripped = text.strip()
    try:
        is_hex = len(stripped) == 2 * SECRET_BYTES
        secret = bytes.fromhex(stripped) if is_hex else base64.b64decode(stripped, validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if len(secret) != SECRET_BYTES:
        message = f"A shared secret is {SECRET_BYTES} bytes in Base64 or hex; this file holds something else."
        raise UsageError(message)
    return secret
