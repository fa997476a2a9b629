"""The step that serves what may be served, and tidies up after runs that died."""

import traceback
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.errors import SophiluxError, UnexpectedError
from jobs.lake import Days, pending
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests import payloads, serving
from jobs.runner import run_step
from jobs.steps import STEPS
from tests.requests.asking import NOON, ask, events, state

ANY_DAY = Days.single(date(2026, 3, 2))


def held(lake):
    return {row[C.REQUEST_ID] for row in lake.read_records(payloads.PAYLOADS)}


def test_the_step_serves_all_but_erasure(lake):
    ids = {kind: ask(lake, kind, **({"city": "Bonn"} if kind == "correct" else {})).request[C.REQUEST_ID]
           for kind in ledger.KINDS}  # fmt: skip
    report = serving.run(lake, ANY_DAY)
    assert report.rows_out == 2
    assert {kind: state(lake, name) for kind, name in ids.items()} == {
        "access": "served", "erase": "open", "correct": "refused", "opt-out": "served", "opt-in": "served",
    }  # fmt: skip
    assert held(lake) == {ids["erase"]}
    assert serving.run(lake, ANY_DAY).rows_out == 0


def test_a_request_that_a_dead_run_left_is_served_by_the_next(lake):
    request_id = ask(lake, "access").request[C.REQUEST_ID]
    ledger.move(lake, [request_id], ledger.SERVING, now=NOON, by="a run that died")
    serving.run(lake, ANY_DAY)
    assert events(lake, request_id) == ["received", "serving", "serving", "served"]


def test_a_choice_that_a_dead_run_left_open_holds_after_the_next(lake, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("tests.requests.asking.serve_choices", lambda *_, **__: None)
        request_id = ask(lake, "opt-out").request[C.REQUEST_ID]
    assert lake.read_records("ledger.choices") == []
    serving.run(lake, ANY_DAY)
    assert state(lake, request_id) == ledger.SERVED
    assert [row[C.ASKED_AT] for row in lake.read_records("ledger.choices")] == [NOON]


def test_payloads_of_requests_that_were_never_recorded_go_once_no_command_can_be_at_work(lake):
    waiting = ask(lake, "erase").request[C.REQUEST_ID]
    payloads.keep_payloads(lake, {"bcd": {"email": "x"}}, {"bcd": "a" * 32}, NOON)
    serving.forget_payloads(lake, NOON + timedelta(minutes=59))
    assert held(lake) == {waiting, "bcd"}
    serving.forget_payloads(lake, NOON + timedelta(minutes=61))
    assert held(lake) == {waiting}


def files_of(lake, table):
    return {path.name for path in Path(lake.location(table)).rglob("part-*.parquet")}


@pytest.mark.parametrize(("table", "dies_in"), [(payloads.PAYLOADS, payloads), (ledger.REQUESTS, serving)])
def test_what_a_run_that_died_left_in_old_versions_goes_with_the_next(lake, monkeypatch, table, dies_in):
    """Its rows are gone already, so nothing but a note tells the next run that there are files to remove."""
    ask(lake, "access", email="nobody@nowhere.example")
    before = files_of(lake, table)
    with monkeypatch.context() as patch:
        patch.setattr(dies_in, "forget_versions", interrupt)
        with pytest.raises(KeyboardInterrupt):
            serving.run(lake, ANY_DAY)
    assert before & files_of(lake, table)
    serving.run(lake, ANY_DAY)
    assert before.isdisjoint(files_of(lake, table))
    assert pending.list_pending(lake.home) == []


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_a_request_that_stops_on_a_foreign_error_keeps_no_other_from_being_served(lake, monkeypatch):
    broken = ask(lake, "access").request[C.REQUEST_ID]
    other = ask(lake, "correct", city="Bonn").request[C.REQUEST_ID]

    def fail(*_, **__):
        raise OSError("/a/path with ann@example.com")

    monkeypatch.setattr(serving, "build_answer", fail)
    with pytest.raises(SophiluxError, match=f"1 of 2 requests .* {broken}: stopped by OSError") as raised:
        serving.run(lake, ANY_DAY)
    assert "ann@" not in str(raised.value)
    assert "ann@" not in "".join(traceback.format_exception(raised.value))
    with pytest.raises(SophiluxError) as scheduled:
        serving.run(lake, ANY_DAY)
    assert "ann@" not in "".join(traceback.format_exception(scheduled.value)), "also where it is the only one"
    with pytest.raises(SophiluxError) as alone:
        serving.serve(lake, [broken], now=NOON, by="tester", is_asked_for=True)
    assert isinstance(alone.value.__cause__.__cause__, OSError)
    assert (state(lake, broken), state(lake, other)) == ("open", "refused")


def test_a_foreign_error_is_recorded_as_a_failure_and_not_as_a_broken_rule(lake, monkeypatch):
    def fail(*_, **__):
        raise OSError

    ask(lake, "access")
    monkeypatch.setattr(serving, "build_answer", fail)
    with pytest.raises(UnexpectedError):
        run_step(lake, STEPS[serving.STEP], ANY_DAY)
    (run,) = lake.read_records("ledger.step_runs")
    assert (run["state"], run["error_kind"]) == ("failed", "UnexpectedError")


def test_a_calendar_that_ends_before_requests_are_due_is_told(lake, tmp_path):
    file = tmp_path / "calendar.yaml"
    file.write_text("holidays: [2026-03-05]")
    object.__setattr__(lake.settings, "holidays_file", str(file))
    ask(lake, "erase")
    (warning,) = serving.run(lake, ANY_DAY).warnings
    assert warning == (
        "requests are due until 2026-03-24, but the calendar of holidays ends on 2026-03-05; add the next ones"
    )
    file.write_text("holidays: [2026-03-05, 2026-12-25]")
    assert serving.run(lake, ANY_DAY).warnings == []
