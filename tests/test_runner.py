from datetime import UTC, date, datetime, timedelta

import pytest

from jobs import runner
from jobs.errors import CommitConflictError, SophiluxError, UsageError
from jobs.lake import Days
from jobs.lake.reports import StepReport
from jobs.marts import also_bought
from jobs.sources.databases import ConnectionLostError
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


class SecretError(SophiluxError):
    pass


SECRET = "ann.secret@shop.example"


@pytest.mark.parametrize(
    ("error", "state", "kind"),
    [
        (SecretError(f"{SECRET} broke a rule"), "refused", "SecretError"),
        (ValueError(f"no {SECRET}"), "failed", "ValueError"),
        (ConnectionLostError("gone"), "failed", "ConnectionLostError"),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt"),
    ],
)
def test_a_run_that_does_not_end_well_is_recorded_by_kind_and_raises_what_ended_it(
    error, state, kind, lake, monkeypatch, caplog
):
    monkeypatch.setattr(also_bought, "run", raising(error))
    with caplog.at_level("INFO"), pytest.raises(type(error)) as caught:
        runner.run_step(lake, STEP, DAY, part="one")
    assert caught.value is error
    (row,) = lake.read_records("ledger.step_runs")
    assert (row["step"], row["state"], row["error_kind"]) == ("marts.also_bought/one", state, kind)
    assert (row["day"], row["first_day"], row["rows_out"], row["warnings"]) == (DAY.last, DAY.first, None, None)
    assert row["seconds"] >= 0
    assert SECRET not in caplog.text
    assert SECRET not in str(row)


def raising(error):
    def work(*_, **__):
        raise error

    return work


@pytest.mark.parametrize("second", [CommitConflictError("busy"), OSError("disk full"), MemoryError()])
def test_a_ledger_that_cannot_be_written_hides_no_error(second, lake, monkeypatch, caplog):
    first = ValueError("the real one")
    monkeypatch.setattr(also_bought, "run", raising(first))
    monkeypatch.setattr(lake, "record", raising(second))
    with pytest.raises(ValueError, match="the real one") as caught:
        runner.run_step(lake, STEP, DAY)
    assert caught.value is first
    assert f"the ledger could not record it ({type(second).__name__})" in caplog.text


def test_a_run_that_ends_well_says_so(lake, monkeypatch):
    monkeypatch.setattr(also_bought, "run", lambda *_: StepReport(rows_out=1))
    runner.run_step(lake, STEP, DAY)
    (row,) = lake.read_records("ledger.step_runs")
    assert (row["state"], row["error_kind"]) == ("done", None)


def test_a_day_that_is_not_yet_is_refused(lake):
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    with pytest.raises(UsageError, match="A run cannot be for a day after today"):
        runner.run_step(lake, STEP, Days(date(2026, 3, 2), tomorrow))
    assert lake.read_records("ledger.step_runs") == [], "nothing stands under a day that is not yet"


def test_flows_and_steps_are_found_by_name():
    assert find_steps("build_marts") == next(flow.steps for flow in FLOWS if flow.name == "build_marts")
    assert find_steps("marts.also_bought") == (STEP,)
    with pytest.raises(UsageError, match="There is no flow or step 'nothing'; there are pull_clickstream"):
        find_steps("nothing")
