"""Which revision of a chart this is, and why it changed after its period was over.

A period that still runs has revision 0. Computed once it is over it has revision 1, and one more whenever its numbers
changed since; a run that finds the same numbers leaves revision, time and reason as they were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.charts import OVERALL
from jobs.marts.periods import Period

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

LATE_ORDERS, CANCELLATIONS, RETURNED, CORRECTIONS = "late orders", "cancellations", "returns", "corrections"
FACTS: Final = (C.SCOPE, C.SCOPE_VALUE, C.PRODUCT_ID, C.UNITS, C.REVENUE, C.BUYERS, C.RETURNS, C.RANK)
LOW, HIGH, COUNT = "_low", "_high", "_count"
_MORE, _FEWER, _BACK = "_more", "_fewer", "_back"
_BUYERS, _RETURNS = "_buyers", "_returns"


@dataclass(frozen=True)
class Edition:
    """Where a chart stands: ``restated_at`` and ``why`` are none until it was restated."""

    revision: int
    restated_at: datetime | None = None
    why: str | None = None


def number_editions(
    held: "DataFrame", found: "DataFrame", periods: Sequence[Period], *, today: date, at: datetime
) -> dict[str, Edition]:
    """The edition of each period's charts, by its name.

    Args:
        held: places of these periods as the table holds them.
        found: places of these periods as they were computed now, in columns of the same names.
        periods: those that were computed.
        today: last day of the run; periods that end later still run.
        at: time of the run, UTC.
    """
    old, new = (_summarise(rows) for rows in (held, found))
    before = {row[C.PERIOD_ID]: row for row in _read_editions(held)}
    reasons = _find_reasons(held, found) if before else {}
    editions: dict[str, Edition] = {}
    for period in periods:
        last = before.get(period.id)
        if period.last > today and not (last and last[C.REVISION]):
            editions[period.id] = Edition(0)
        elif last is None or not last[C.REVISION]:
            editions[period.id] = Edition(1)
        elif old.get(period.id) == new.get(period.id):
            editions[period.id] = Edition(last[C.REVISION], last[C.RESTATED_AT], last[C.RESTATED_WHY])
        else:
            editions[period.id] = Edition(last[C.REVISION] + 1, at, reasons.get(period.id) or CORRECTIONS)
    return editions


def tabulate_editions(session: "SparkSession", editions: Mapping[str, Edition]) -> "DataFrame":
    """One row per period: ``period_id``, ``revision``, ``restated_at``, ``restated_why``."""
    rows = [(name, e.revision, e.restated_at, e.why) for name, e in editions.items()]
    told = f"{C.RESTATED_AT} timestamp, {C.RESTATED_WHY} string"
    return session.createDataFrame(rows, f"{C.PERIOD_ID} string, {C.REVISION} int, {told}")


def sum_hashes(*columns: "str | Column") -> "tuple[Column, ...]":
    """Aggregates that tell whether rows changed, in whatever order they come: a count, and sums of their hashes."""
    row = F.xxhash64(*columns)
    low, high = row.bitwiseAND(F.lit(0xFFFFFFFF)), F.shiftright(row, 32)
    return (F.sum(low).alias(LOW), F.sum(high).alias(HIGH), F.count(F.lit(1)).alias(COUNT))


def _summarise(places: "DataFrame") -> dict[str, tuple[int, ...]]:
    texts = [F.col(name).cast("string") if name == C.REVENUE else F.col(name) for name in FACTS]
    rows = places.groupBy(C.PERIOD_ID).agg(*sum_hashes(*texts)).collect()
    return {row[C.PERIOD_ID]: (row[LOW], row[HIGH], row[COUNT]) for row in rows}


def _read_editions(held: "DataFrame") -> list[Any]:
    newest = (F.max(name).alias(name) for name in (C.REVISION, C.RESTATED_AT, C.RESTATED_WHY))
    return held.groupBy(C.PERIOD_ID).agg(*newest).collect()


def _find_reasons(held: "DataFrame", found: "DataFrame") -> dict[str, str]:
    """What changed in the overall charts, by period."""
    key = [C.PERIOD_ID, C.PRODUCT_ID]
    overall = F.col(C.SCOPE) == OVERALL
    old = held.where(overall).select(*key, F.col(C.BUYERS).alias(_BUYERS), F.col(C.RETURNS).alias(_RETURNS))
    new = found.where(overall).select(*key, C.BUYERS, C.RETURNS)
    both = old.join(new, key, how="full").fillna(0, [C.BUYERS, C.RETURNS, _BUYERS, _RETURNS])
    tests = {
        _MORE: F.col(C.BUYERS) > F.col(_BUYERS),
        _FEWER: F.col(C.BUYERS) < F.col(_BUYERS),
        _BACK: F.col(C.RETURNS) > F.col(_RETURNS),
    }
    told = both.groupBy(C.PERIOD_ID).agg(*(F.max(test).alias(name) for name, test in tests.items())).collect()
    words = {_MORE: LATE_ORDERS, _FEWER: CANCELLATIONS, _BACK: RETURNED}
    return {row[C.PERIOD_ID]: ", ".join(word for name, word in words.items() if row[name]) for row in told}
