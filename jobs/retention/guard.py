"""What a plan must not do without a person: delete too large a share of a table, or anything within its term."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from jobs.errors import PlanError
from jobs.lake import Contracts
from jobs.retention import terms
from jobs.retention.plans import Plan, Removal

SHORT_LIVED: Final = {"landing": 0.5, "quarantine": 1.0}
"""Zones whose copies live for a month, so that a week's break makes a large share; quarantine has rows now and then."""


@dataclass(frozen=True)
class Excess:
    """A table that would lose more than its limit; shares from 0 to 1."""

    table: str
    rows: int
    table_rows: int
    share: float
    limit: float

    def describe(self) -> str:
        """Such as ``lake.clicks 60.0 % (600 of 1,000 rows, limit 20 %)``."""
        rows = f"{self.rows:,} of {self.table_rows:,} rows"
        return f"{self.table} {self.share:.1%} ({rows}, limit {self.limit:.0%})".replace("%", " %")


def find_excess(plan: Plan, max_share: float) -> list[Excess]:
    """Tables that lose a larger share of their rows than they may without a person's approval."""
    return [
        Excess(removal.table, removal.rows, removal.table_rows, removal.share, limit)
        for removal in plan.removals
        if removal.share > (limit := max(max_share, SHORT_LIVED.get(removal.table.partition(".")[0], 0.0)))
    ]


def describe_excess(found: Iterable[Excess]) -> str:
    """The figures of several tables in one line."""
    return "; ".join(excess.describe() for excess in found)


def check_terms(plan: Plan, contracts: Contracts) -> None:
    """Hold a plan against the contracts as they are now, whatever the plan itself says.

    Raises:
        PlanError: a table is unknown, or rows would go that its contract keeps on the plan's day.
    """
    for removal in plan.removals:
        retention = contracts[removal.table].retention if removal.table in contracts else None
        if retention is None:
            message = f"{removal.table} has no contract with a term; nothing of it may be deleted by age."
            raise PlanError(message)
        _check_removal(removal, terms.find_cutoff(retention, plan.day))


def check_time(plan: Plan, *, now: datetime, max_age: timedelta, last_applied: date | None) -> None:
    """Refuse plans from another time.

    Raises:
        PlanError: the plan is too old, is from a time to come, or is for a day before the last one that was applied.
    """
    problem = None
    if plan.day > now.astimezone(UTC).date() or plan.made_at > now + timedelta(minutes=5):
        problem = f"is for {plan.day} and was made at {plan.made_at:%Y-%m-%d %H:%M} UTC, which is yet to come"
    elif now - plan.made_at > max_age:
        problem = f"was made at {plan.made_at:%Y-%m-%d %H:%M} UTC, more than {max_age.days} days ago"
    elif last_applied is not None and plan.day < last_applied:
        problem = f"is for {plan.day}, but retention was applied as of {last_applied} already"
    if problem is not None:
        message = f"The plan {problem}; nothing was deleted. Check this machine's clock and make a new plan."
        raise PlanError(message)


def _check_removal(removal: Removal, cutoff: date) -> None:
    youngest = removal.youngest
    if removal.deletes and (youngest is None or youngest >= cutoff):
        message = (
            f"{removal.table}: the plan deletes rows of {youngest}, but its contract keeps what counts from {cutoff} "
            "on; nothing was deleted. Make a new plan."
        )
        raise PlanError(message)
