"""Days, ISO weeks and months as periods of charts, named ``2011-11-09``, ``2011-W45`` and ``2011-11``.

They are computed here and joined as a small calendar, because engines disagree on week functions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days
from jobs.lake import columns as C
from jobs.privacy.declarations import CALENDAR, declare

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY, WEEK, MONTH = "day", "week", "month"
KINDS: Final = (DAY, WEEK, MONTH)
ORDINAL: Final = "_ordinal"
ORDINALS_PER_KIND: Final = 10_000_000


@dataclass(frozen=True, order=True)
class Period:
    """One period; ``kind`` is day, week (Monday to Sunday) or month."""

    kind: str
    start: date

    @property
    def id(self) -> str:
        """Its name, unique over all kinds."""
        if self.kind == WEEK:
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02}"
        return self.start.isoformat() if self.kind == DAY else f"{self.start:%Y-%m}"

    @property
    def days(self) -> Days:
        """Its days."""
        return Days(self.start, self.next.start - timedelta(1))

    @property
    def next(self) -> "Period":
        """The period after."""
        length = {DAY: 1, WEEK: 7, MONTH: 31}[self.kind]
        return period_of(self.kind, self.start + timedelta(length))

    @property
    def previous(self) -> "Period":
        """The period before."""
        return period_of(self.kind, self.start - timedelta(1))

    @property
    def ordinal(self) -> int:
        """A number of its own, one more than that of the period before; kinds are far apart."""
        numbers = {
            DAY: self.start.toordinal(),
            WEEK: self.start.toordinal() // 7,
            MONTH: self.start.year * 12 + self.start.month,
        }
        return KINDS.index(self.kind) * ORDINALS_PER_KIND + numbers[self.kind]


def period_of(kind: str, day: date) -> Period:
    """The period of a kind that holds a day."""
    starts = {DAY: day, WEEK: day - timedelta(day.weekday()), MONTH: day.replace(day=1)}
    return Period(kind, starts[kind])


def find_periods(days: Iterable[date]) -> list[Period]:
    """Periods to rebuild when the sales of these days changed.

    The period after each one is among them, because its ``previous_rank`` changes too.
    """
    touched = {period_of(kind, day) for day in days for kind in KINDS}
    return sorted(touched | {period.next for period in touched})


def list_days(periods: Iterable[Period]) -> list[Days]:
    """Days that charts of these periods are computed from, those of the periods before included, as few ranges."""
    needed = sorted({day for period in periods for part in (period, period.previous) for day in part.days})
    ranges: list[Days] = []
    for day in needed:
        if ranges and ranges[-1].last + timedelta(1) == day:
            ranges[-1] = Days(ranges[-1].first, day)
        else:
            ranges.append(Days.single(day))
    return ranges


def build_calendar(session: "SparkSession", periods: Iterable[Period]) -> "DataFrame":
    """One row per day and period it belongs to, with ``ORDINAL``; the periods and those before them."""
    every = {period.ordinal: period for wanted in periods for period in (wanted, wanted.previous)}
    rows = [(day, ordinal) for ordinal, period in sorted(every.items()) for day in period.days]
    calendar = session.createDataFrame(rows, f"{C.DAY} date, {ORDINAL} int")
    return calendar.withColumn(ORDINAL, declare(CALENDAR, F.col(ORDINAL)))


def describe_periods(session: "SparkSession", periods: Iterable[Period]) -> "DataFrame":
    """One row per period: ``ORDINAL``, ``period_id``, ``period``, ``period_start``."""
    rows = [(period.ordinal, period.id, period.kind, period.start) for period in periods]
    schema = f"{ORDINAL} int, {C.PERIOD_ID} string, {C.PERIOD} string, {C.PERIOD_START} date"
    described = session.createDataFrame(rows, schema)
    return described.withColumn(ORDINAL, declare(CALENDAR, F.col(ORDINAL)))
