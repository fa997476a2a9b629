"""What the DAGs share: schedules by day, house rules, and one task per step.

Importing this loads no engine; everything that does is imported inside a task. A table is an asset of the same
name, and an asset's partition is a day such as ``2024-01-31``, however the run that wrote it was started.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import reduce
from operator import and_
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    Param,
    PartitionedAssetTimetable,
    RetryAction,
    RetryRule,
    StartOfDayMapper,
    get_current_context,
    task,
)

from jobs.errors import BudgetError, ContractError, DeadlineError, GateError, KeyRingError, PlanError, UsageError
from jobs.steps import STEPS

DAY_KEY = "%Y-%m-%d"
HOPELESS = ExceptionRetryPolicy(
    [
        RetryRule(
            exception=[UsageError, ContractError, GateError, KeyRingError, BudgetError, DeadlineError, PlanError],
            action=RetryAction.FAIL,
            reason="A person has to look: the same run would fail the same way.",
        )
    ]
)
ONE_WRITER: dict[str, Any] = {"max_active_tis_per_dag": 1}
HOUSE_RULES: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "dagrun_timeout": timedelta(hours=6),
    "params": {
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Day to process, such as 2024-01-31, in UTC; empty takes the day of the run's partition.",
        )
    },
    "default_args": {
        "owner": "data-engineering",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=15),
        "retry_policy": HOPELESS,
        "execution_timeout": timedelta(hours=2),
        **ONE_WRITER,
    },
}


def after_midnight(cron: str) -> CronPartitionTimetable:
    """A daily run for the day before, once that day is over and its last deliveries are in.

    Args:
        cron: a daily expression in UTC, some time after midnight.
    """
    return CronPartitionTimetable(cron, timezone="UTC", run_offset=-1, key_format=DAY_KEY)


def on_its_day(cron: str) -> CronPartitionTimetable:
    """A run for the day on which it starts."""
    return CronPartitionTimetable(cron, timezone="UTC", run_offset=0, key_format=DAY_KEY)


def when_written(*tables: str) -> PartitionedAssetTimetable:
    """A run for a day as soon as that day of every one of the tables was written."""
    same_day = StartOfDayMapper(input_format=DAY_KEY, output_format=DAY_KEY)
    return PartitionedAssetTimetable(
        assets=reduce(and_, [table_asset(table) for table in tables]), default_partition_mapper=same_day
    )


def table_asset(table: str) -> Asset:
    """The asset that stands for a table of the lake."""
    return Asset(name=table, group=table.partition(".")[0])


def step_task(name: str, *, trigger_rule: str = "all_success") -> Any:  # noqa: ANN401
    """A task that runs one step for the run's day and announces the tables it wrote.

    Args:
        name: a step of :data:`jobs.steps.STEPS`; the task is named like it, with underscores for dots.
        trigger_rule: Airflow's name of the rule when it runs, such as ``all_done`` for one that runs whatever failed.
    """
    step = STEPS[name]

    @task(
        task_id=name.replace(".", "_"),
        trigger_rule=trigger_rule,
        inlets=[table_asset(table) for table in step.reads],
        outlets=[table_asset(table) for table in step.writes],
        doc_md=f"{step.purpose}. Reads {_listed(step.reads)}; writes {_listed(step.writes)}.",
    )
    def run_step() -> dict[str, int | None]:
        from jobs.lake import Days
        from jobs.runner import run
        from jobs.settings import load_settings

        day = current_day()
        (report,) = run(name, Days.single(day), load_settings())
        announce(step.writes, day)
        return {
            "rows_in": report.rows_in,
            "rows_out": report.rows_out,
            "duplicates": report.duplicates,
            "quarantined": report.quarantined,
        }

    return run_step()


def failure_task() -> Any:  # noqa: ANN401
    """A task that fails the run when a task before it failed although later ones ran.

    Airflow judges a run by its last tasks, and one that runs whatever failed would make it a success.
    """

    @task(task_id="tell_failures", trigger_rule="one_failed", doc_md="Fails the run when a task before it failed.")
    def tell_failures() -> None:
        message = "A task of this run failed; see which, and its message."
        raise GateError(message)

    return tell_failures()


def part_task(name: str) -> Any:  # noqa: ANN401
    """A task that runs one part of a step for the run's day; expand it over ``part``.

    Args:
        name: a step of :data:`jobs.steps.STEPS` that can be run in parts, such as one partner each.
    """
    step = STEPS[name]

    @task(
        task_id=name.replace(".", "_"),
        inlets=[table_asset(table) for table in step.reads],
        outlets=[table_asset(table) for table in step.writes],
        doc_md=f"{step.purpose}. Reads {_listed(step.reads)}; writes {_listed(step.writes)}.",
        map_index_template="{{ task.op_kwargs['part'] }}",
    )
    def run_one_part(part: str) -> dict[str, int | None]:
        from jobs.lake import Days
        from jobs.runner import run_part
        from jobs.settings import load_settings

        day = current_day()
        report = run_part(name, part, Days.single(day), load_settings())
        announce(step.writes, day)
        return {"rows_out": report.rows_out}

    return run_one_part


class Approval(ApprovalOperator):
    """A person's yes or no, handed on also where it is no: the operator itself hands on nothing then.

    The answer is the XCom ``answer``: ``is_approved``, and ``by``, the person's name or ``nobody`` after the time.
    """

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:  # noqa: ANN401
        """Goes on after the answer."""
        by = event.get("responded_by_user")
        is_approved = event.get("chosen_options") == [self.APPROVE]
        context["ti"].xcom_push("answer", {"is_approved": is_approved, "by": by["name"] if by else "nobody"})
        return super().execute_complete(context, event)


def current_day() -> date:
    """The day that the running task processes."""
    context = get_current_context()
    run = context["dag_run"]
    day = day_of_run(context["params"], run.partition_key, run.logical_date)
    return check_past(day, run.run_after)


def is_day_asked_for() -> bool:
    """Whether somebody started the running task's run for a day of their choice."""
    return bool(get_current_context()["params"].get("day"))


def check_past(day: date, run_after: datetime) -> date:
    """The day, unless the run is due before it.

    Raises:
        UsageError: the day is still to come; retention would delete rows that are within their term today.
    """
    if day > run_after.date():
        message = f"The run's day must not be after {run_after:%Y-%m-%d}, when it was due, got {day}."
        raise UsageError(message)
    return day


def day_of_run(params: Mapping[str, Any], partition_key: str | None, logical_date: datetime | None) -> date:
    """The day a run is for: what was asked for, else its partition, else the date it was started for.

    Args:
        params: of the run, with ``day`` or without.
        partition_key: the day of a scheduled, asset-triggered or backfilled run.
        logical_date: of a run by hand, such as ``airflow dags test <dag> 2024-01-31``.

    Raises:
        UsageError: there is no day, or it is none.
    """
    asked = params.get("day") or partition_key or (logical_date and logical_date.strftime(DAY_KEY))
    if not asked:
        message = 'The run has no day; trigger it with a day, such as --conf \'{"day": "2024-01-31"}\'.'
        raise UsageError(message)
    try:
        return date.fromisoformat(str(asked))
    except ValueError:
        message = f"The run's day must look like 2024-01-31, got {asked!r}; trigger it again with a day."
        raise UsageError(message) from None


def announce(tables: Iterable[str], day: date) -> None:
    """Tell the DAGs that wait for these tables that this day of them was written."""
    events = get_current_context()["outlet_events"]
    for table in tables:
        event = events[table_asset(table)]
        event.extra = {"day": str(day)}
        event.add_partitions(str(day))


def _listed(tables: tuple[str, ...]) -> str:
    return ", ".join(f"`{table}`" for table in tables) or "no table"
