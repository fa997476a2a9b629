from datetime import UTC, date, datetime

import pytest

from jobs.errors import CommitConflictError, ContractError, GateError, SourceError, UsageError

pytestmark = [pytest.mark.usefixtures("airflow_home")]


def test_a_day_asked_for_wins():
    from jobs.orchestration import day_of_run

    moment = datetime(2024, 3, 1, 5, tzinfo=UTC)
    assert day_of_run({"day": "2024-01-31"}, "2024-02-01", moment) == date(2024, 1, 31)


def test_a_partition_wins_over_the_date_a_run_was_started_for():
    from jobs.orchestration import day_of_run

    assert day_of_run({"day": None}, "2024-02-01", datetime(2024, 3, 1, tzinfo=UTC)) == date(2024, 2, 1)
    assert day_of_run({}, None, datetime(2024, 3, 1, 23, 59, tzinfo=UTC)) == date(2024, 3, 1)


@pytest.mark.parametrize(("params", "key"), [({}, None), ({"day": "yesterday"}, None), ({}, "2024-02-30")])
def test_a_run_without_a_proper_day_is_refused(params, key):
    from jobs.orchestration import day_of_run

    with pytest.raises(UsageError, match="2024-01-31"):
        day_of_run(params, key, None)


def test_a_day_to_come_is_refused():
    from jobs.orchestration import check_past

    due = datetime(2024, 2, 1, 0, 0, tzinfo=UTC)
    assert check_past(date(2024, 2, 1), due) == date(2024, 2, 1)
    with pytest.raises(UsageError, match="must not be after 2024-02-01"):
        check_past(date(2024, 2, 2), due)


def test_a_scheduled_run_is_for_the_day_before(airflow_home):
    from airflow.timetables.base import TimeRestriction

    timetable = _scheduler_side("0 2 * * *")
    restriction = TimeRestriction(earliest=datetime(2024, 2, 1, tzinfo=UTC), latest=None, catchup=True)
    run = timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)
    assert (run.partition_key, run.run_after) == ("2024-01-31", datetime(2024, 2, 1, 2, tzinfo=UTC))


def test_late_packages_are_due_by_the_clock_and_wait_for_no_table(dags):
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction

    timetable = dags["export_overdue"].timetable
    restriction = TimeRestriction(earliest=datetime(2024, 2, 1, tzinfo=UTC), latest=None, catchup=True)
    run = coerce_to_core_timetable(timetable).next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)
    assert (run.partition_key, run.run_after) == ("2024-01-31", datetime(2024, 2, 1, 12, tzinfo=UTC))


def test_a_backfill_leaves_out_its_last_date():
    runs = _scheduler_side("0 2 * * *").iter_partition_dagrun_infos(
        earliest=datetime(2024, 1, 30, tzinfo=UTC), latest=datetime(2024, 2, 2, tzinfo=UTC)
    )
    assert [run.partition_key for run in runs] == ["2024-01-30", "2024-01-31", "2024-02-01"]


@pytest.mark.parametrize(
    ("error", "action"),
    [(UsageError, "fail"), (ContractError, "fail"), (GateError, "fail"), (SourceError, "default"),
     (CommitConflictError, "default"), (ConnectionError, "default")],
)  # fmt: skip
def test_only_what_may_pass_is_tried_again(error, action):
    from jobs.orchestration import HOPELESS

    assert HOPELESS.evaluate(error("no"), try_number=1, max_tries=2).action.value == action


def _scheduler_side(cron):
    from airflow.serialization.encoders import coerce_to_core_timetable

    from jobs.orchestration import after_midnight

    return coerce_to_core_timetable(after_midnight(cron))
