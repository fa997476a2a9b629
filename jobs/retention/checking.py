"""Everything that a plan rests on, looked at again before it is carried out: lake, clock, holds, contracts, rows."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from jobs.errors import PlanError
from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.people.holds import open_holds
from jobs.retention import guard, shelf
from jobs.retention.approvals import AppliedError, WaitingError, is_routine
from jobs.retention.planning import make_plan
from jobs.retention.plans import Plan, Removal

NOTE: Final = "sophilux.retentionPlan"


def check_plan(lake: Lake, plan: Plan, entry: dict[str, Any]) -> None:
    """Refuse a plan that must not be carried out, whatever the tables hold.

    Raises:
        PlanError: it was applied before, waits for approval, is from another time, breaks a contract, or holds changed.
    """
    name = str(entry[C.PLAN_HASH])
    if entry[C.STATE] in (shelf.APPLIED, shelf.CLEANING):
        message = f"Plan {name[:8]} was applied at {entry[C.FINISHED_AT]:%Y-%m-%d %H:%M} UTC already."
        raise AppliedError(message)
    if entry[C.APPROVED_BY] is None and (entry[C.STATE] == shelf.REJECTED or not is_routine(lake, plan)):
        limit = lake.settings.retention_max_share
        excess = guard.describe_excess(guard.find_excess(plan, limit)) or "the policy asks a person for every plan"
        message = (
            f"Plan {name[:8]} waits for approval: {excess}. Look at it with 'sophilux retention show {name[:8]}', "
            f"then 'sophilux retention apply --plan {name[:8]}'."
        )
        raise WaitingError(message)
    max_age = timedelta(days=lake.settings.retention_plan_days)
    guard.check_time(plan, now=datetime.now(UTC), max_age=max_age, last_applied=last_applied(lake))
    guard.check_terms(plan, lake.contracts)
    if tuple(sorted(hold.hold_id for hold in open_holds(lake))) != plan.holds:
        message = f"Holds were placed or released since plan {name[:8]} was made; nothing was deleted. Make a new one."
        raise PlanError(message)


def last_applied(lake: Lake) -> date | None:
    """The latest day that retention was applied as of."""
    done = (shelf.APPLIED, shelf.CLEANING)
    return max((e[C.DAY] for e in lake.read_records(shelf.LEDGER) if e[C.STATE] in done), default=None)


def list_todo(lake: Lake, plan: Plan, name: str, *, has_begun: bool) -> list[Removal]:
    """What is still to do, as the tables are now.

    Raises:
        PlanError: other rows than the plan's are past their term in one of its tables.
    """
    deleting = [removal for removal in plan.removals if removal.deletes]
    todo = [r for r in deleting if not (has_begun and _is_done(lake, r, name))]
    now = make_plan(lake, plan.day, salt=plan.salt, tables=[removal.table for removal in todo])
    found = {removal.table: removal for removal in now.removals}
    for removal in todo:
        there = found.get(removal.table)
        if there is None or not removal.is_same(there):
            rows = there.rows if there is not None else 0
            message = (
                f"{removal.table} changed since plan {name[:8]} was made ({removal.rows:,} rows to delete then, "
                f"{rows:,} now, or others); nothing was deleted. Make a new plan."
            )
            raise PlanError(message)
    return [found[removal.table] for removal in todo]


def _is_done(lake: Lake, removal: Removal, name: str) -> bool:
    """True where an earlier run carried out this part of the plan and died later."""
    if removal.folders:
        system, _ = storage.filesystem(lake.home)
        paths = [storage.filesystem(storage.join(lake.home, folder))[1] for folder in removal.folders]
        return not any(info.type.value for info in system.get_file_info(paths))
    return any(entry.get(NOTE) == name for entry in lake.history(removal.table))
