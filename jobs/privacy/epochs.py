"""Epochs: how long a partner's identifiers stay the same, and the keys that make them.

An identifier changes with its epoch. The former epoch's key is kept for some days more, to read what a partner still
reports under the former identifiers, and is then destroyed: from then on nobody can tell whose they were.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from jobs.errors import UsageError
from jobs.privacy.keyring import Key, KeyRing
from jobs.privacy.keyring.keys import PAIR, PARTNER

MONTHS: Final = {"month": 1, "quarter": 3, "half-year": 6, "year": 12}
NAMES: Final[dict[str, Callable[[int, int], str]]] = {
    "month": lambda year, number: f"{year:04}-{number:02}",
    "quarter": lambda year, number: f"{year:04}Q{number}",
    "half-year": lambda year, number: f"{year:04}H{number}",
    "year": lambda year, number: f"{year:04}",  # noqa: ARG005
}
PATTERNS: Final = {
    "month": re.compile("([0-9]{4})-(0[1-9]|1[0-2])"),
    "quarter": re.compile("([0-9]{4})Q([1-4])"),
    "half-year": re.compile("([0-9]{4})H([12])"),
    "year": re.compile("([0-9]{4})()"),
}
OVERLAP_DAYS: Final = 30
WITH_EPOCHS: Final = (PARTNER, PAIR)


@dataclass(frozen=True)
class Epoch:
    """A stretch of the calendar with its first and last day, both inside it."""

    name: str
    first: date
    last: date


def epoch_of(day: date, length: str = "quarter") -> Epoch:
    """The epoch that a day is in.

    Args:
        day: any day.
        length: month, quarter, half-year or year; the names are 2026-11, 2026Q4, 2026H2 and 2026.

    Raises:
        UsageError: there is no such length.
    """
    if length not in MONTHS:
        message = f"An epoch is a {', '.join(MONTHS)}, got {length!r}."
        raise UsageError(message)
    return _make_epoch(length, day.year, (day.month - 1) // MONTHS[length] + 1)


def read_epoch(name: str) -> Epoch:
    """The epoch of that name.

    Raises:
        UsageError: no epoch is called so.
    """
    for length, pattern in PATTERNS.items():
        if (found := pattern.fullmatch(name)) and int(found[1]) > 0:
            return _make_epoch(length, int(found[1]), int(found[2] or 1))
    message = f"An epoch looks like 2026-11, 2026Q4, 2026H2 or 2026, got {name!r}."
    raise UsageError(message)


def previous(epoch: Epoch) -> Epoch:
    """The epoch of the same length that ends the day before."""
    length = next(length for length, pattern in PATTERNS.items() if pattern.fullmatch(epoch.name))
    return epoch_of(epoch.first - timedelta(days=1), length)


def not_after(epoch: Epoch, overlap_days: int = OVERLAP_DAYS) -> date:
    """The last day on which the epoch's key may be used; later it is destroyed.

    Raises:
        UsageError: the overlap is negative.
    """
    if overlap_days < 0:
        message = f"overlap_days must be 0 or more, got {overlap_days}; the key would end before its epoch does."
        raise UsageError(message)
    return epoch.last + timedelta(days=overlap_days)


def epoch_key(
    ring: KeyRing, kind: str, name: str, day: date, *, length: str, overlap_days: int, may_make: bool = True
) -> Key:
    """The key of a partner for the epoch that a day is in, made when there is none yet.

    Args:
        ring: where keys are.
        kind: ``partner`` or ``pair``, the first part of the key's purpose.
        name: the partner's.
        day: the day the key is used for.
        length: of the partner's epochs.
        overlap_days: days for which the key is kept after its epoch.
        may_make: false where the lake holds data made with it.

    Raises:
        KeyRingError: the key was destroyed, is past its last day, or is not there although it must be.
    """
    epoch = epoch_of(day, length)
    last = not_after(epoch, overlap_days)
    return ring.key(f"{kind}/{name}/{epoch.name}", may_make=may_make, not_after=last, on=day)


def former_key(ring: KeyRing, kind: str, name: str, day: date, *, length: str) -> Key | None:
    """The key of the epoch before, to read what a partner reports late; none once its last day is over.

    Raises:
        KeyRingError: the ring cannot be read.
    """
    key = ring.find(f"{kind}/{name}/{previous(epoch_of(day, length)).name}")
    is_over = key is not None and key.not_after is not None and day > key.not_after
    return None if is_over else key


def last_day_of(purpose: str) -> date | None:
    """The last day of a key for an epoch that was made without one; none for purposes that have no epoch."""
    kind, _, rest = purpose.partition("/")
    if kind not in WITH_EPOCHS:
        return None
    try:
        return not_after(read_epoch(rest.rpartition("/")[2]))
    except UsageError:
        return None


def _make_epoch(length: str, year: int, number: int) -> Epoch:
    months = MONTHS[length]
    first = date(year, (number - 1) * months + 1, 1)
    is_last = number * months == date.max.month
    last = date(year, date.max.month, date.max.day) if is_last else date(year, number * months + 1, 1) - timedelta(1)
    return Epoch(NAMES[length](year, number), first, last)
