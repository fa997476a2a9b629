"""Periods of charts: days, ISO weeks, months and years, and the 7 and 30 days that end with a day.

They are named ``2011-11-09``, ``2011-W45``, ``2011-11``, ``2011``, ``2011-11-09-7d`` and ``2011-11-09-30d``. They are
computed here and joined as a small calendar, because engines disagree on week functions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.lake import Days
from jobs.lake import columns as C
from jobs.privacy.declarations import CALENDAR, declare

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY, WEEK, MONTH, YEAR = "day", "week", "month", "year"
TRAILING_7, TRAILING_30 = "trailing7", "trailing30"
KINDS: Final = (DAY, WEEK, MONTH, YEAR, TRAILING_7, TRAILING_30)
RESTATED: Final = (DAY, WEEK, MONTH)
"""Rebuilt whenever something in them changes; the others are what they were when their last day was run."""
TRAILING: Final = {TRAILING_7: 7, TRAILING_30: 30}
ORDINAL: Final = "_ordinal"
ORDINALS_PER_KIND: Final = 10_000_000


@dataclass(frozen=True, order=True)
class Period:
    """One period; ``start`` is its first day. A week is Monday to Sunday; trailing days move on by a day at a time."""

    kind: str
    start: date

    @property
    def id(self) -> str:
        """Its name, unique over all kinds."""
        if self.kind == WEEK:
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02}"
        if self.kind in TRAILING:
            return f"{self.last}-{TRAILING[self.kind]}d"
        return {DAY: f"{self.start}", MONTH: f"{self.start:%Y-%m}", YEAR: f"{self.start:%Y}"}[self.kind]

    @property
    def last(self) -> date:
        """Its last day."""
        if self.kind in TRAILING:
            return self.start + timedelta(TRAILING[self.kind] - 1)
        return self.next.start - timedelta(1)

    @property
    def days(self) -> Days:
        """Its days."""
        return Days(self.start, self.last)

    @property
    def next(self) -> "Period":
        """The period after."""
        length = {DAY: 1, WEEK: 7, MONTH: 31, YEAR: 366}.get(self.kind, 1)
        return period_from(self.kind, self.start + timedelta(length))

    @property
    def previous(self) -> "Period":
        """The period before."""
        return period_from(self.kind, self.start - timedelta(1))

    @property
    def ordinal(self) -> int:
        """A number of its own, one more than that of the period before; kinds are far apart."""
        numbers = {
            WEEK: self.start.toordinal() // 7,
            MONTH: self.start.year * 12 + self.start.month,
            YEAR: self.start.year,
        }
        return KINDS.index(self.kind) * ORDINALS_PER_KIND + numbers.get(self.kind, self.start.toordinal())


def period_of(kind: str, day: date) -> Period:
    """The period of a kind that holds a day; of trailing days the one that ends with it."""
    return period_from(kind, day - timedelta(TRAILING.get(kind, 1) - 1))


def period_from(kind: str, day: date) -> Period:
    """The period of a kind that holds a day; of trailing days the one that begins with it."""
    starts = {WEEK: day - timedelta(day.weekday()), MONTH: day.replace(day=1), YEAR: day.replace(month=1, day=1)}
    return Period(kind, starts.get(kind, day))


def find_periods(days: Iterable[date], changed: Iterable[date] = ()) -> list[Period]:
    """Periods to rebuild when ``days`` are run and the sales of earlier, ``changed`` ones are no longer what they were.

    Days, weeks and months follow every change; the one after each is among them, because its ``previous_rank`` changes
    too. Trailing days and years are built when their last day is run.
    """
    run_days = set(days)
    touched = {period_of(kind, day) for day in {*run_days, *changed} for kind in RESTATED}
    return sorted(touched | {period.next for period in touched} | set(find_ending(run_days, (YEAR, *TRAILING))))


def find_ending(days: Iterable[date], kinds: Iterable[str] = KINDS) -> list[Period]:
    """Periods whose last day is one of these days."""
    listed = set(days)
    found = {period_of(kind, day) for kind in kinds for day in listed}
    return sorted(period for period in found if period.last in listed)


def list_days(periods: Iterable[Period], *, with_previous: bool = True) -> list[Days]:
    """Days that charts of these periods are computed from, as few ranges.

    Args:
        periods: one or more.
        with_previous: also those of the periods before; of years never.
    """
    needed = {day for period in periods for part in _with_previous(period, wanted=with_previous) for day in part.days}
    ranges: list[Days] = []
    for day in sorted(needed):
        if ranges and ranges[-1].last + timedelta(1) == day:
            ranges[-1] = Days(ranges[-1].first, day)
        else:
            ranges.append(Days.single(day))
    return ranges


def build_calendar(session: "SparkSession", periods: Iterable[Period], *, with_previous: bool = True) -> "DataFrame":
    """One row per day and period it belongs to, with ``ORDINAL``; the periods and, where wanted, those before them."""
    parts = (part for wanted in periods for part in _with_previous(wanted, wanted=with_previous))
    every = {part.ordinal: part for part in parts}
    rows = [(day, ordinal) for ordinal, period in sorted(every.items()) for day in period.days]
    return tabulate(session, rows, f"{C.DAY} date, {ORDINAL} int")


def describe_periods(session: "SparkSession", periods: Iterable[Period]) -> "DataFrame":
    """One row per period: ``ORDINAL``, ``period_id``, ``period``, ``period_start``, ``period_end``."""
    rows = [(period.ordinal, period.id, period.kind, period.start, period.last) for period in periods]
    dates = f"{C.PERIOD_START} date, {C.PERIOD_END} date"
    return tabulate(session, rows, f"{ORDINAL} int, {C.PERIOD_ID} string, {C.PERIOD} string, {dates}")


def tabulate(session: "SparkSession", rows: Iterable[tuple[Any, ...]], schema: str) -> "DataFrame":
    """A few rows that come from the calendar or from settings; of scratch columns this is declared."""
    table = session.createDataFrame(list(rows), schema)
    scratch = [name for name in table.columns if name.startswith("_")]
    return table.withColumns({name: declare(CALENDAR, F.col(name)) for name in scratch})


def _with_previous(period: Period, *, wanted: bool) -> tuple[Period, ...]:
    return (period, period.previous) if wanted and period.kind != YEAR else (period,)
