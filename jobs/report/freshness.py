"""How fresh the data is: the last day of each source and table, and when each table last changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.report.tables import SHOWN

STEP_RUNS: Final = "ledger.step_runs"
SOURCES: Final = {
    "sources.clickstream": "Clicks",
    "sources.purchases": "Purchases and returns",
    "sources.carrier_updates": "Parcels",
    "sources.impressions": "Ad impressions",
}
WEEKLY: Final = {"marts.ad_effectiveness": 21, "sources.impressions": 8}
"""Days that may pass until something is late, where it is not a day."""
FRESH, LATE, MISSING = "fresh", "late", "missing"


@dataclass(frozen=True)
class Freshness:
    """One source or table; ``behind`` are days that it is late, beyond those it may be."""

    what: str
    name: str
    is_source: bool
    day: date | None
    changed_at: datetime | None
    rows: int | None
    behind: int | None

    @property
    def state(self) -> str:
        """``fresh``, ``late``, or ``missing`` when it was never there."""
        if self.day is None:
            return MISSING
        return LATE if self.behind else FRESH


def read_freshness(lake: Lake, day: date) -> list[Freshness]:
    """Sources, then the tables of the report.

    Args:
        lake: the lake.
        day: the day that the report is for; what holds it is fresh.
    """
    runs = newest_runs(lake.read_records(STEP_RUNS))
    sources = [_judge(name, what, runs.get(name), day, is_source=True) for name, what in SOURCES.items()]
    tables = []
    for shown in SHOWN:
        run, history = runs.get(shown.table), lake.history(shown.table)
        changed = datetime.fromtimestamp(history[0]["timestamp"] / 1000, UTC) if history else None
        rows = lake.count(shown.table) if history else None
        tables.append(_judge(shown.table, shown.title, run, day, is_source=False, changed=changed, rows=rows))
    return sources + tables


def newest_runs(runs: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The run of each step that ended with the last day; of several the one that finished last."""
    newest: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        known = newest.get(run[C.STEP])
        if known is None or (run[C.DAY], run[C.FINISHED_AT]) > (known[C.DAY], known[C.FINISHED_AT]):
            newest[run[C.STEP]] = run
    return newest


def _judge(
    name: str,
    what: str,
    run: Mapping[str, Any] | None,
    day: date,
    *,
    is_source: bool,
    changed: datetime | None = None,
    rows: int | None = None,
) -> Freshness:
    last = run[C.DAY] if run else None
    behind = max(0, (day - last).days - WEEKLY.get(name, 0)) if last else None
    counted = rows if not is_source or run is None else run[C.ROWS_OUT]
    return Freshness(what, name, is_source, last, changed or (run[C.FINISHED_AT] if run else None), counted, behind)
