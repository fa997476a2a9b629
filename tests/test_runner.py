from datetime import UTC, date, datetime, timedelta

import pytest

from jobs import runner
from jobs.errors import CommitConflictError, UsageError
from jobs.lake import Days
from jobs.lake.reports import StepReport
from jobs.marts import also_bought
from jobs.steps import FLOWS, STEPS, find_steps

DAY = Days.single(date(2026, 3, 2))
STEP = STEPS["marts.also_bought"]


def test_a_conflict_is_tried_again_and_the_run_is_recorded(lake, monkeypatch):
    outcomes = [CommitConflictError("once"), CommitConflictError("twice"), StepReport(rows_out=7, warnings=["look"])]

    def work(given, days):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(also_bought, "run", work)
    assert runner.run_step(lake, STEP, DAY).rows_out == 7
    (row,) = lake.read("ledger.step_runs").collect()
    assert (row.step, row.rows_out, row.warnings, row.first_day) == ("marts.also_bought", 7, "look", DAY.first)


def test_another_error_is_not_tried_again(lake, monkeypatch):
    calls = []

    def work(given, days):
        calls.append(days)
        raise ValueError("no")

    monkeypatch.setattr(also_bought, "run", work)
    with pytest.raises(ValueError, match="no"):
        runner.run_step(lake, STEP, DAY)
    assert len(calls) == 1


def test_a_day_that_is_not_yet_is_refused(lake):
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    with pytest.raises(UsageError, match="A run cannot be for a day after today"):
        runner.run_step(lake, STEP, Days(date(2026, 3, 2), tomorrow))


def test_flows_and_steps_are_found_by_name():
    assert find_steps("build_marts") == next(flow.steps for flow in FLOWS if flow.name == "build_marts")
    assert find_steps("marts.also_bought") == (STEP,)
    with pytest.raises(UsageError, match="There is no flow or step 'nothing'; there are pull_clickstream"):
        find_steps("nothing")
