"""Run steps: retried on commit conflicts, timed, and recorded in ``ledger.step_runs``, however they end.

The command line and the DAGs both come through here, so a step behaves the same in both.
"""

import importlib
import logging
import secrets
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import cast

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from jobs.errors import CommitConflictError, SophiluxError, SourceError, UnexpectedError, UsageError
from jobs.lake import Days, Lake
from jobs.lake.reports import DONE, FAILED, REFUSED, STEP_RUNS, StepReport
from jobs.settings import Settings
from jobs.steps import STEPS, Step, find_steps

logger = logging.getLogger(__name__)

NO_RULE = (CommitConflictError, SourceError, UnexpectedError)
"""Errors of ours that break no rule: the same run may go well the next time."""
FORGETTING = ("ledger.tombstones",)
"""Tables whose change means that a step may have read people who are to be forgotten."""


def run(name: str, days: Days, settings: Settings) -> list[StepReport]:
    """Run a flow or a step over a range of days with an engine of its own."""
    lake = Lake.open(settings)
    with lake.engine:
        return [run_step(lake, step, days) for step in find_steps(name)]


def run_part(name: str, part: str, days: Days, settings: Settings) -> StepReport:
    """Run one part of a step, such as one partner's package, with an engine of its own."""
    lake = Lake.open(settings)
    with lake.engine:
        return run_step(lake, STEPS[name], days, part=part)


def run_step(lake: Lake, step: Step, days: Days, *, part: str | None = None) -> StepReport:
    """Run one step and record what it did, or of what kind the error was that ended it.

    A run for a day that is not yet is turned away before it begins, and leaves no record under that day.

    Args:
        lake: the lake.
        step: what to run.
        days: for which days.
        part: for steps that can be run in parts, which one; the record's step is then ``<step>/<part>``.

    Raises:
        UsageError: the range ends after today; age, retention and recency would be judged by a day that is not yet.
        CommitConflictError: other runs changed the same partitions at every attempt.
    """
    check_past(days.last)
    module = importlib.import_module(f"jobs.{step.name}")
    work = cast("Callable[[Lake, Days], StepReport]", module.run if part is None else partial(module.run, part=part))
    name = step.name if part is None else f"{step.name}/{part}"
    started = time.monotonic()
    try:
        report = _attempt(work, lake, days)
    except BaseException as error:
        _record_failure(lake, name, days, error, _since(started))
        raise
    seconds = _since(started)
    for warning in report.warnings:
        logger.warning("%s %s: %s", name, days, warning)
    logger.info("%s %s: %s rows in %.1f s", name, days, report.rows_out, seconds)
    lake.record(STEP_RUNS, [_run_row(name, days, seconds, report)])
    return report


def check_past(day: date) -> None:
    """Refuse a day that is not yet.

    Raises:
        UsageError: the day is after today, UTC.
    """
    today = datetime.now(UTC).date()
    if day > today:
        message = f"A run cannot be for a day after today, {today}, got {day}."
        raise UsageError(message)


@retry(
    retry=retry_if_exception_type(CommitConflictError),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
def _attempt(work: Callable[[Lake, Days], StepReport], lake: Lake, days: Days) -> StepReport:
    with lake.fenced([table for table in FORGETTING if table in lake.contracts]):
        return work(lake, days)


def _record_failure(lake: Lake, name: str, days: Days, error: BaseException, seconds: float) -> None:
    """Record a run that an error ended; the caller raises that error, so nothing that goes wrong here may hide it."""
    is_refusal = isinstance(error, SophiluxError) and not isinstance(error, NO_RULE)
    state, kind = REFUSED if is_refusal else FAILED, type(error).__name__
    logger.info("%s %s: %s after %.1f s, %s", name, days, state, seconds, kind)
    try:
        lake.record(STEP_RUNS, [_run_row(name, days, seconds, StepReport(), state=state, error_kind=kind)])
    except Exception as second:  # noqa: BLE001 - whatever keeps the ledger from being written, the first error counts
        logger.warning("%s %s: the ledger could not record it (%s).", name, days, type(second).__name__)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def _run_row(
    name: str, days: Days, seconds: float, report: StepReport, *, state: str = DONE, error_kind: str | None = None
) -> dict[str, object]:
    return {
        "day": days.last,
        "run_id": secrets.token_hex(8),
        "step": name,
        "first_day": days.first,
        "rows_in": report.rows_in,
        "rows_out": report.rows_out,
        "duplicates": report.duplicates,
        "quarantined": report.quarantined,
        "forgotten": report.forgotten,
        "warnings": "; ".join(report.warnings) or None,
        "seconds": seconds,
        "finished_at": datetime.now(UTC),
        "state": state,
        "error_kind": error_kind,
    }
