"""Who lets a plan go: the policy, where it is routine, else a person, who sees the figures."""

import math
from datetime import UTC, datetime
from typing import Final

from jobs.errors import PlanError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.identity import lake_id
from jobs.retention import guard, shelf
from jobs.retention.plans import Plan

ASK: Final = "ask"


class AppliedError(PlanError):
    """The plan was applied before; what the ledger says of it stays."""


class WaitingError(PlanError):
    """Nobody approved the plan yet; it may still be."""


def approve_plan(lake: Lake, name: str, *, by: str, max_share: float | None = None) -> None:
    """Write down that somebody approved a plan.

    Args:
        lake: the lake.
        name: the plan's.
        by: who or what approves it.
        max_share: largest part of a table's rows that the approval covers; none covers what the plan says.

    Raises:
        PlanError: the plan deletes more than that, or is not as it was made; the ledger tells.
    """
    try:
        plan = open_known(lake, name)
        excess = [] if max_share is None else guard.find_excess(plan, max_share)
        if excess:
            message = (
                f"Plan {name[:8]} deletes more than a routine plan may: {guard.describe_excess(excess)}. Look at it "
                f"with 'sophilux retention show {name[:8]}'; if it is right, apply it with --max-share "
                f"{math.ceil(100 * max(each.share for each in excess)) / 100}."
            )
            raise PlanError(message)
    except PlanError as error:
        tell_refusal(lake, name, error)
        raise
    shelf.update_entry(
        lake, plan.day, name, **{C.STATE: shelf.APPROVED, C.APPROVED_BY: by, C.APPROVED_AT: datetime.now(UTC)}
    )


def reject_plan(lake: Lake, name: str, *, by: str) -> None:
    """Write down that somebody rejected a plan; it can only be applied after somebody approves it."""
    plan = open_known(lake, name)
    facts = {C.STATE: shelf.REJECTED, C.APPROVED_BY: None, C.APPROVED_AT: None, C.REASON: f"rejected by {by}"}
    shelf.update_entry(lake, plan.day, name, **facts, **{C.FINISHED_AT: datetime.now(UTC)})


def is_routine(lake: Lake, plan: Plan) -> bool:
    """True where the policy lets a plan go without a person."""
    settings = lake.settings
    if not any(removal.deletes for removal in plan.removals):
        return True
    return settings.retention_policy != ASK and not guard.find_excess(plan, settings.retention_max_share)


def open_known(lake: Lake, name: str) -> Plan:
    """The plan of that name, made here from this lake.

    Raises:
        PlanError: it was made from another lake, or is not as it was made.
    """
    plan = shelf.open_plan(lake, name)
    if plan.lake_id != lake_id(lake.home) or shelf.find_entry(lake, name) is None:
        message = f"Plan {name[:8]} was made from another lake, or not by this program; make one of this lake."
        raise PlanError(message)
    return plan


def tell_refusal(lake: Lake, name: str, error: PlanError) -> None:
    """Write a refusal down; one of a plan that waits or was applied before leaves the plan's state as it is."""
    entry = shelf.find_entry(lake, name)
    if isinstance(error, WaitingError) and entry is not None:
        shelf.update_entry(lake, entry[C.DAY], name, **{C.REASON: str(error)})
    elif not isinstance(error, AppliedError):
        shelf.record_refusal(lake, name, str(error))
