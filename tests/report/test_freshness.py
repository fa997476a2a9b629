"""What the page of freshness makes of runs that were done, refused or failed."""

from datetime import UTC, datetime, timedelta

from jobs.report.freshness import TOLD_DAYS, find_troubles, newest_runs, read_freshness
from jobs.report.site import find_day
from tests.report.shop import DAY, fill_shop, run_row

SALES, CHART = "sources.purchases", "marts.bestsellers"


def run_of(step, day=DAY, *, first=None, state="done", hour=1, kind=None):
    at = datetime(2026, 3, 9, hour, tzinfo=UTC)
    row = run_row(step, first or day, day)
    return {**row, "run_id": f"{step}-{day}-{hour}", "state": state, "error_kind": kind, "finished_at": at}


def test_a_day_that_only_failed_is_not_fresh(lake):
    fill_shop(lake)
    nextday = DAY + timedelta(1)
    lake.record("ledger.step_runs", [run_of(CHART, nextday, state="failed", kind="ValueError")])
    found, others = read_freshness(lake, nextday)
    chart = next(item for item in found if item.name == CHART)
    assert (chart.day, chart.state, chart.behind) == (DAY, "late", 1)
    assert (chart.trouble.state, chart.trouble.kind, chart.trouble.day) == ("failed", "ValueError", nextday)
    assert others == 0
    assert find_day(lake) == DAY


def test_rows_of_before_states_were_recorded_were_done():
    old = {**run_of(CHART), "state": None}
    assert newest_runs([old]) == {CHART: old}
    assert find_troubles([old], DAY) == {}


def test_a_later_run_over_the_same_days_makes_good_and_nothing_else_does():
    failed = run_of(CHART, state="failed", kind="OSError", hour=3)
    assert find_troubles([failed, run_of(CHART, hour=4)], DAY) == {}
    assert find_troubles([failed, run_of(CHART, DAY + timedelta(2), first=DAY - timedelta(2), hour=4)], DAY) == {}
    for other in (run_of(CHART, hour=2), run_of(CHART, DAY - timedelta(1), hour=4), run_of(SALES, hour=4)):
        assert find_troubles([failed, other], DAY).keys() == {CHART}


def test_the_last_of_several_is_told_and_the_others_counted():
    runs = [
        run_of(CHART, state="failed", kind="OSError", hour=3),
        run_of(CHART, state="refused", kind="BudgetError", hour=5),
        run_of(CHART, state="failed", kind="ValueError", hour=4),
    ]
    trouble = find_troubles(runs, DAY)[CHART]
    assert (trouble.kind, trouble.is_refusal, trouble.runs) == ("BudgetError", True, 3)


def test_parts_go_by_their_step_and_a_run_of_the_whole_makes_them_good():
    part = run_of("exports.packages/adnet", state="failed", kind="OSError", hour=2)
    other = run_of("exports.packages/bannerly", hour=3)
    assert find_troubles([part, other], DAY).keys() == {"exports.packages"}
    assert find_troubles([part, run_of("exports.packages/adnet", hour=3)], DAY) == {}
    assert find_troubles([part, run_of("exports.packages", hour=3)], DAY) == {}


def test_what_is_long_ago_is_not_told():
    old = run_of(CHART, DAY - timedelta(TOLD_DAYS), state="failed", kind="OSError")
    assert find_troubles([old], DAY) == {}
    assert find_troubles([old], DAY - timedelta(1)).keys() == {CHART}
