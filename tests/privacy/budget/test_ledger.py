import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import BudgetError, UsageError
from jobs.lake import Lake
from jobs.privacy.budget.allowances import DEFAULT_FILE, load_budgets
from jobs.privacy.budget.ledger import (
    CHARGES,
    Release,
    charge,
    charge_all,
    mark_all_published,
    mark_published,
    read_spending,
)
from jobs.settings import load_settings

NOW = datetime(2024, 4, 1, tzinfo=UTC)
CHARTS = DEFAULT_FILE.read_text()
BUDGETS = "delta: 1.0e-6\ndatasets:\n  purchases: {period: month, rho: 0.5}\n"


@pytest.fixture
def lake(tmp_path, engine, contracts, monkeypatch):
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    monkeypatch.setenv("SOPHILUX_BUDGETS_FILE", str(tmp_path / "budgets.yaml"))
    return Lake(load_settings(str(tmp_path / "shop")), engine, contracts)


def march(exact=b"numbers", rho=0.2, **odd):
    facts = {"dataset": "purchases", "table": "marts.bestsellers", "name": "month 2024-03"}
    facts |= {"first_day": date(2024, 3, 1), "last_day": date(2024, 3, 31), "delta": 0.0}
    return Release(**facts | odd, rho=rho, exact=exact)


def publish(lake, release, held):
    """As a mart does: charge, draw and publish unless it stands, mark."""
    paid = charge(lake, release, holds=held.__contains__, at=NOW)
    held[:] = [paid.release_id]
    mark_published(lake, release, paid.release_id, at=NOW)
    return paid


def spent(lake):
    return {row["period"]: row["spent"] for row in read_spending(lake)}


def test_the_same_release_of_unchanged_numbers_costs_once(lake):
    held = []
    first, again = publish(lake, march(), held), publish(lake, march(), held)
    assert (first.is_standing, again.is_standing) == (False, True)
    assert first.release_id == again.release_id
    assert spent(lake) == {"2024-03": 0.2}


def test_a_restatement_is_a_new_release(lake):
    held = []
    first, second = publish(lake, march(), held), publish(lake, march(b"others"), held)
    assert first.release_id != second.release_id
    assert spent(lake) == {"2024-03": 0.4}


def test_numbers_that_come_back_are_charged_again(lake):
    """The noise of the first time is gone; new noise over the same numbers is a new look at them."""
    held = []
    for exact, total in ((b"a", 0.1), (b"b", 0.2), (b"a", 0.3)):
        publish(lake, march(exact, rho=0.1), held)
        assert spent(lake)["2024-03"] == pytest.approx(total)


def test_a_crash_after_the_charge_costs_nothing_more(lake):
    first = charge(lake, march(), holds=lambda _: False, at=NOW)
    again = charge(lake, march(), holds=lambda _: False, at=NOW)
    assert first == again
    assert not again.is_standing
    assert spent(lake) == {"2024-03": 0.2}


def test_a_table_that_lost_its_release_pays_anew(lake):
    first = publish(lake, march(), [])
    second = charge(lake, march(), holds=lambda _: False, at=NOW)
    assert second.release_id != first.release_id
    assert spent(lake) == {"2024-03": 0.4}


def test_more_noise_than_was_paid_for_is_another_release(lake):
    held = []
    publish(lake, march(rho=0.2), held)
    publish(lake, march(rho=0.25), held)
    assert spent(lake) == {"2024-03": 0.45}


def test_a_release_that_would_overspend_is_refused_with_the_account(lake):
    publish(lake, march(rho=0.4), [])
    with pytest.raises(BudgetError, match=r"requested rho 0\.2 .*, spent 0\.4, remaining 0\.1 of 0\.5"):
        charge(lake, march(b"more"), holds=lambda _: False, at=NOW)
    assert spent(lake) == {"2024-03": 0.4}


def test_a_release_over_two_periods_is_charged_to_both_or_to_none(lake):
    publish(lake, march(rho=0.4), [])
    wide = {"first_day": date(2024, 2, 20), "last_day": date(2024, 3, 20), "name": "trailing 30 days"}
    with pytest.raises(BudgetError, match="2024-03"):
        charge(lake, march(**wide, rho=0.2), holds=lambda _: False, at=NOW)
    assert spent(lake) == {"2024-03": 0.4}
    publish(lake, march(**wide, rho=0.1), [])
    assert spent(lake) == {"2024-02": 0.1, "2024-03": pytest.approx(0.5)}


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [{**row, "rho": 0.0} for row in rows],
        lambda rows: rows[1:],
        lambda rows: rows[:1] + rows[2:],
        lambda rows: [{**row, "charge_no": 4 - row["charge_no"]} for row in rows],
        lambda rows: [{**row, "charged_at": datetime(2020, 1, 1, tzinfo=UTC)} for row in rows],
    ],
)
def test_a_ledger_edited_by_hand_stops_all_releases(lake, change):
    for exact in (b"a", b"b", b"c"):
        charge(lake, march(exact, rho=0.1), holds=lambda _: False, at=NOW)
    rows = change(lake.read_records(CHARGES))
    batches = pa.Table.from_pylist(rows, lake.contracts[CHARGES].arrow_schema()).to_reader()
    lake.replace_batches(CHARGES, batches, partitions=["2024-03"])
    with pytest.raises(BudgetError, match="not as it was written"):
        charge(lake, march(b"d", rho=0.01), holds=lambda _: False, at=NOW)
    with pytest.raises(BudgetError, match="restored from a backup"):
        read_spending(lake)


def test_the_ledger_does_not_hold_the_numbers(lake):
    publish(lake, march(b"secret numbers"), [])
    assert "secret" not in json.dumps(lake.read_records(CHARGES), default=str)


def test_releases_are_charged_in_order_and_each_is_refused_alone(lake):
    releases = [march(name="a", rho=0.3), march(name="b", rho=0.3), march(name="c", rho=0.2)]
    outcomes = charge_all(lake, releases, holds=lambda _: False, at=NOW)
    assert [isinstance(outcomes[name], BudgetError) for name in "abc"] == [False, True, False]
    assert spent(lake) == {"2024-03": 0.5}
    assert charge_all(lake, releases[::2], holds=lambda _: False, at=NOW) == {n: outcomes[n] for n in "ac"}


def test_a_restatement_leaves_what_first_releases_need(lake):
    def again(rho):
        release = march(str(rho).encode(), name="day", rho=rho)
        return charge_all(lake, [release], holds=lambda _: False, at=NOW, planned=lambda _: {"day": 0.1, "month": 0.25})

    assert not isinstance(again(0.1)["day"], BudgetError)
    refusal = str(again(0.2)["day"])
    assert "requested rho 0.2" in refusal
    assert "spent 0.1, remaining 0.4 of 0.5 (of which 0.25 is kept for first releases still to come)" in refusal
    assert not isinstance(again(0.15)["day"], BudgetError)
    month = march(name="month", rho=0.25)
    assert not isinstance(charge_all(lake, [month], holds=lambda _: False, at=NOW)["month"], BudgetError)


def test_many_releases_are_marked_at_once_and_only_once(lake):
    releases = {name: march(name=name, rho=0.1) for name in "ab"}
    paid = charge_all(lake, list(releases.values()), holds=lambda _: False, at=NOW)
    for _ in range(2):
        mark_all_published(lake, {paid[name].release_id: release for name, release in releases.items()}, at=NOW)
    assert [row["event"] for row in lake.read_records(CHARGES)].count("published") == 2
    ids = {paid[name].release_id for name in "ab"}
    again = charge_all(lake, list(releases.values()), holds=ids.__contains__, at=NOW)
    assert all(charge.is_standing for charge in again.values())


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rhos=st.lists(st.floats(0.01, 0.3), min_size=1, max_size=6))
def test_no_sequence_of_releases_overspends(lake, rhos):
    for number, rho in enumerate(rhos):
        try:
            charge(lake, march(str(number).encode(), rho=rho), holds=lambda _: False, at=NOW)
        except BudgetError:
            continue
    assert spent(lake)["2024-03"] <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("delta: 2\ndatasets: {}", "delta"),
        ("delta: 1.0e-6\ndatasets: {a: {period: week, rho: 1}}", "week"),
        ("delta: 1.0e-6\ndatasets: {a: {period: month, rho: 1, spent: 0}}", "spent"),
        ("delta: [", "cannot be read"),
        ("just text", "object"),
        (CHARTS.replace("buyers: 0.65", "buyers: 0.6"), "the shares of overall and country make 0.95"),
        (CHARTS.replace("products: 20", "products: 0"), "products"),
        (CHARTS.replace("rho: 0.08", "rho: cheap"), "cheap"),
        (CHARTS.replace("trailing7", "fortnight"), "fortnight"),
    ],
)
def test_a_wrong_budgets_file_is_told_in_one_line(tmp_path, text, told):
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(UsageError, match=told) as caught:
        load_budgets(tmp_path / "wrong.yaml")
    assert "\n" not in str(caught.value)


def test_a_data_set_without_budget_releases_nothing(lake):
    with pytest.raises(UsageError, match="nothing for the data set 'clicks'"):
        charge(lake, march(dataset="clicks"), holds=lambda _: False, at=NOW)


def test_what_comes_with_the_program_is_a_budgets_file():
    assert load_budgets(None).allowance("purchases").rho == 0.6


def test_a_file_that_is_silent_about_charts_takes_the_terms_of_the_program(tmp_path):
    (tmp_path / "old.yaml").write_text(BUDGETS)
    assert load_budgets(tmp_path / "old.yaml").charts == load_budgets(None).charts
