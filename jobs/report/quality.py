"""What the gate said about the tables, for the page of data quality.

Of tables that not everybody may see, nothing is taken over, not even counts. Of tables about people there are counts
only, because the gate keeps nothing else of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jobs.lake import Lake
from jobs.quality.page import read_histories
from jobs.quality.results import BLOCKED, BROKEN, PASSED
from jobs.quality.suites import list_tables
from jobs.report.tables import MARTS, SHOWN

UNCHECKED: Final = "unchecked"
URGENCY: Final = (BLOCKED, "warnings", UNCHECKED, PASSED)
TITLES: Final = {shown.table: shown.title for shown in SHOWN}


@dataclass(frozen=True)
class Quality:
    """One table's last check; ``good_since`` is when rows were last let through, none where that is not known."""

    table: str
    title: str
    purpose: str
    state: str
    run: Mapping[str, Any] | None
    runs: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]
    good_since: str | None

    @property
    def is_held_back(self) -> bool:
        """True when newer rows were refused, so that readers see those of an earlier run."""
        return self.state == BLOCKED and bool(self.run and self.run["staged"])

    @property
    def broken(self) -> int:
        """Checks that could not run, which says nothing about the data."""
        return sum(check["state"] == BROKEN for check in self.checks)

    @property
    def failed(self) -> Sequence[Mapping[str, Any]]:
        """Checks that did not pass, broken ones included."""
        return [check for check in self.checks if check["state"] != PASSED]


def read_quality(lake: Lake) -> list[Quality]:
    """The published tables that have a suite, what needs attention first."""
    known = {history["table"]: history for history in read_histories(lake.home) if "table" in history}
    open_tables = [
        table
        for table in list_tables()
        if table in lake.contracts and table.startswith(f"{MARTS}.") and not lake.contracts[table].is_restricted
    ]
    found = [describe(table, known.get(table), lake.contracts[table].purpose) for table in open_tables]
    return sorted(found, key=lambda quality: (URGENCY.index(quality.state), quality.table not in TITLES, quality.table))


def describe(table: str, history: Mapping[str, Any] | None, purpose: str) -> Quality:
    """One table's last check, from the gate's file."""
    runs = list(history["runs"]) if history else []
    run = runs[0] if runs else None
    state = str(run["state"]) if run else UNCHECKED
    good = next((str(old["checked_at"]) for old in runs if old["staged"] and old["state"] != BLOCKED), None)
    checks = history.get("checks", []) if history else []
    return Quality(table, TITLES.get(table, _name(table)), purpose, state, run, runs, checks, good)


def _name(table: str) -> str:
    return table.partition(".")[2].replace("_", " ").capitalize()
