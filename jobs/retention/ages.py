"""Retention by age as a step: a plan, the policy's word on it, and its application."""

from datetime import date
from typing import Any

from jobs.errors import UsageError
from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.retention import shelf
from jobs.retention.applying import apply_plan
from jobs.retention.approvals import is_routine
from jobs.retention.checking import last_applied
from jobs.retention.planning import make_plan
from jobs.retention.plans import Plan


def run(lake: Lake, days: Days, *, part: str | None = None) -> StepReport:
    """Apply a plan as of the last day.

    Args:
        lake: the lake.
        days: ages count up to the last of them.
        part: name of a plan that was made before and is to be applied; none makes one, which must be routine.

    Raises:
        PlanError: the plan must not be applied as it stands, or waits for approval; its message names it.
        UsageError: retention was applied as of a later day.
    """
    if part is None:
        check_not_before(lake, days)
        part = shelf.keep_plan(lake, make_plan(lake, days.last))
    plan = apply_plan(lake, part)
    return StepReport(rows_out=plan.rows)


def prepare(lake: Lake, day: date) -> dict[str, Any]:
    """Make a plan and write it down, for a scheduler.

    Returns:
        ``plan`` (its name), ``day``, ``is_routine``, ``rows``, and ``figures`` by table in Markdown, of what a person
        has to know to approve it.

    Raises:
        UsageError: retention was applied as of a later day.
    """
    check_not_before(lake, Days.single(day))
    plan = make_plan(lake, day)
    name = shelf.keep_plan(lake, plan)
    facts = {"plan": name, "day": str(day), "is_routine": is_routine(lake, plan), "rows": plan.rows}
    return {**facts, "figures": describe_figures(plan)}


def describe_figures(plan: Plan) -> str:
    """A Markdown table of what goes, the largest share first."""
    lines = ["| table | rows that go | share | size | kept by holds | rule |", "|---|--:|--:|--:|--:|---|"]
    for removal in sorted(plan.removals, key=lambda removal: -removal.share):
        share = f"{100 * removal.share:.1f} %"
        cells = removal.table, f"{removal.rows:,}", share, f"{removal.bytes:,} B", f"{removal.held:,}"
        lines.append(f"| {' | '.join(cells)} | {removal.rule.describe()} |")
    return "\n".join(lines)


def check_not_before(lake: Lake, days: Days) -> None:
    """Refuse to go back in time: what was past its term on an earlier day is gone already.

    Raises:
        UsageError: retention was applied as of a later day.
    """
    last = last_applied(lake)
    if last is not None and days.last < last:
        message = (
            f"Retention was applied as of {last} already, so there is nothing left to delete as of {days.last}. Check "
            "this machine's clock, or give a later day."
        )
        raise UsageError(message)
