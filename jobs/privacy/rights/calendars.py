"""Working days: the term of 15 of them that every request is answered in, and the file that names holidays.

Without a file only Saturdays and Sundays are free. Public holidays differ by country and, in China, are announced anew
each year together with weekend days that are worked instead, so none are built in. A holiday that is not listed makes
the term shorter than promised, never longer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from jobs.errors import UsageError

TERM: Final = 15
SATURDAY: Final = 5
KEYS: Final = ("holidays", "working_days")
LONGEST_RANGE: Final = 366
RANGE: Final = ".."


@dataclass(frozen=True)
class Calendar:
    """Which days are worked.

    Attributes:
        holidays: days off besides weekends.
        working_days: days of weekends that are worked.
    """

    holidays: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()

    def is_worked(self, day: date) -> bool:
        """True for a working day."""
        if day in self.working_days:
            return True
        return day.weekday() < SATURDAY and day not in self.holidays

    def find_due(self, received: date, term: int = TERM) -> date:
        """The last day of a term: its ``term``-th working day after the day of receipt, which does not count."""
        day = received
        for _ in range(term):
            day += timedelta(days=1)
            while not self.is_worked(day):
                day += timedelta(days=1)
        return day

    def count_left(self, today: date, due: date) -> int:
        """Working days left after today, the due day among them; negative for those that passed since the due day."""
        first, last = min(today, due), max(today, due)
        between = (first + timedelta(days=number) for number in range(1, (last - first).days + 1))
        worked = sum(self.is_worked(day) for day in between)
        return worked if due >= today else -worked

    @property
    def ends_on(self) -> date | None:
        """The last day that the file names; nothing is known about holidays of later years."""
        return max(self.holidays | self.working_days, default=None)


def load_calendar(path: Path | None) -> Calendar:
    """Read a calendar; weekends only where there is no file.

    Args:
        path: YAML with ``holidays`` and ``working_days``: lists of days, or of ranges such as
            ``2026-10-01..2026-10-07``.

    Raises:
        UsageError: the file cannot be read, or has mistakes, which are all listed.
    """
    if path is None:
        return Calendar()
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        message = f"The calendar {path} cannot be read as YAML: {reason}."
        raise UsageError(message) from None
    mistakes: list[str] = []
    days = {key: frozenset(_read_days(document, key, mistakes)) for key in KEYS}
    mistakes += _find_contradictions(days)
    if mistakes:
        message = f"The calendar {path} is not as it must be: {'; '.join(mistakes)}."
        raise UsageError(message)
    return Calendar(days["holidays"], days["working_days"])


def _read_days(document: Any, key: str, mistakes: list[str]) -> Iterator[date]:  # noqa: ANN401
    if not isinstance(document, Mapping):
        if key == KEYS[0]:
            mistakes.append(f"it must have {' and '.join(KEYS)}")
        return
    if key == KEYS[0]:
        mistakes += [f"{name!s} is none of {', '.join(KEYS)}" for name in document if name not in KEYS]
    entries = document.get(key) or []
    if not isinstance(entries, list):
        mistakes.append(f"{key} must be a list of days")
        return
    for number, entry in enumerate(entries, 1):
        first, last = _read_range(entry)
        if first is None or last is None or not 0 <= (last - first).days < LONGEST_RANGE:
            mistakes.append(f"{key}, entry {number}: a day looks like 2026-10-01, a range like 2026-10-01..2026-10-07")
            continue
        yield from (first + timedelta(days=place) for place in range((last - first).days + 1))


def _read_range(entry: object) -> tuple[date | None, date | None]:
    if type(entry) is date:
        return entry, entry
    first, is_range, last = str(entry).partition(RANGE)
    return _read_day(first), _read_day(last if is_range else first)


def _read_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return day if day.isoformat() == text.strip() else None


def _find_contradictions(days: Mapping[str, frozenset[date]]) -> Iterator[str]:
    both = sorted(days["holidays"] & days["working_days"])
    if both:
        yield f"{', '.join(map(str, both))} cannot be a holiday and worked"
    week = sorted(day for day in days["working_days"] if day.weekday() < SATURDAY)
    if week:
        yield f"working_days are for weekends, which {', '.join(map(str, week))} is not"
