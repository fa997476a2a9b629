"""How fresh the data is: the last day of each source and table, when each changed, and what did not run through."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.reports import REFUSED, STEP_RUNS, is_done
from jobs.report.tables import SHOWN

OWN_STEP: Final = "report.site"
"""The step that writes the report is not told: pages that can be read came of a run that went well."""
SOURCES: Final = {
    "sources.clickstream": "Clicks",
    "sources.purchases": "Purchases and returns",
    "sources.carrier_updates": "Parcels",
    "sources.impressions": "Ad impressions",
}
WEEKLY: Final = {"marts.ad_effectiveness": 21, "sources.impressions": 8}
"""Days that may pass until something is late, where it is not a day."""
FRESH, LATE, MISSING = "fresh", "late", "missing"
TOLD_DAYS: Final = 31
"""Days before the report's day for which runs that did not end well are told."""
Run = Mapping[str, Any]


@dataclass(frozen=True)
class Trouble:
    """The last run of a step that was refused or failed and was not made good since; ``runs`` counts all such."""

    step: str
    day: date
    state: str
    kind: str
    finished_at: datetime
    runs: int

    @property
    def is_refusal(self) -> bool:
        """True when a stated rule was broken, such as a gate's; else something broke."""
        return self.state == REFUSED


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
    trouble: Trouble | None = None

    @property
    def state(self) -> str:
        """``fresh``, ``late``, or ``missing`` when it was never there."""
        if self.day is None:
            return MISSING
        return LATE if self.behind else FRESH


def read_freshness(lake: Lake, day: date) -> tuple[list[Freshness], int]:
    """Sources, then the tables of the report; and how many other steps have runs that did not end well.

    Other steps are not named, because their names may be those of tables that not everybody may see.

    Args:
        lake: the lake.
        day: the day that the report is for; what holds it is fresh.
    """
    all_runs = lake.read_records(STEP_RUNS)
    runs, troubles = newest_runs(all_runs), find_troubles(all_runs, day)
    sources = [_judge(name, what, runs.get(name), day, troubles, is_source=True) for name, what in SOURCES.items()]
    tables = []
    for shown in SHOWN:
        run, history = runs.get(shown.table), lake.history(shown.table)
        changed = datetime.fromtimestamp(history[0]["timestamp"] / 1000, UTC) if history else None
        rows = lake.count(shown.table) if history else None
        tables.append(_judge(shown.table, shown.title, run, day, troubles, is_source=False, changed=changed, rows=rows))
    found = sources + tables
    return found, len(troubles.keys() - {item.name for item in found} - {OWN_STEP})


def newest_runs(runs: Iterable[Run]) -> dict[str, Run]:
    """The run of each step that was done for the last day; of several the one that finished last."""
    newest: dict[str, Run] = {}
    for run in filter(is_done, runs):
        known = newest.get(run[C.STEP])
        if known is None or (run[C.DAY], run[C.FINISHED_AT]) > (known[C.DAY], known[C.FINISHED_AT]):
            newest[run[C.STEP]] = run
    return newest


def find_troubles(runs: Iterable[Run], day: date) -> dict[str, Trouble]:
    """By step, runs that were refused or failed and whose days no later run has done.

    Args:
        runs: rows of ``ledger.step_runs``, of parts of steps too, which go by the step's name.
        day: the day that the report is for; what is much older is not told.
    """
    done: dict[str, list[Run]] = {}
    open_runs: dict[str, list[Run]] = {}
    for run in runs:
        (done if is_done(run) else open_runs).setdefault(run[C.STEP], []).append(run)
    troubles: dict[str, list[Run]] = {}
    for name, failed in open_runs.items():
        step = name.partition("/")[0]
        later = [*done.get(name, ()), *done.get(step, ())]
        left = [run for run in failed if _is_told(run, day) and not any(_makes_good(well, run) for well in later)]
        if left:
            troubles.setdefault(step, []).extend(left)
    return {step: _describe(step, left) for step, left in troubles.items()}


def _is_told(run: Run, day: date) -> bool:
    return bool(run[C.DAY] > day - timedelta(TOLD_DAYS))


def _makes_good(well: Run, run: Run) -> bool:
    """True when a run did all days of one that had failed before."""
    covers = well[C.FIRST_DAY] <= run[C.FIRST_DAY] and well[C.DAY] >= run[C.DAY]
    return bool(covers and well[C.FINISHED_AT] >= run[C.FINISHED_AT])


def _describe(step: str, runs: list[Run]) -> Trouble:
    last = max(runs, key=lambda run: run[C.FINISHED_AT])
    return Trouble(step, last[C.DAY], last[C.STATE], last[C.ERROR_KIND], last[C.FINISHED_AT], len(runs))


def _judge(
    name: str,
    what: str,
    run: Run | None,
    day: date,
    troubles: Mapping[str, Trouble],
    *,
    is_source: bool,
    changed: datetime | None = None,
    rows: int | None = None,
) -> Freshness:
    last = run[C.DAY] if run else None
    behind = max(0, (day - last).days - WEEKLY.get(name, 0)) if last else None
    counted = rows if not is_source or run is None else run[C.ROWS_OUT]
    finished = changed or (run[C.FINISHED_AT] if run else None)
    return Freshness(what, name, is_source, last, finished, counted, behind, troubles.get(name))
