"""Ad effectiveness: exact numbers as plain Python counts them, bounded per human, and published only with noise."""

import math
import statistics
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import BudgetError
from jobs.lake import Days, Lake
from jobs.marts import ad_effectiveness
from jobs.marts.ad_effectiveness import (
    MONEY,
    PEOPLE,
    RHO,
    SHARES,
    TABLE,
    Part,
    _count_exactly,
    find_release_threshold,
    publish_noisy,
)
from jobs.marts.attribution import ALL, MAX_CAMPAIGNS, REVENUE_CAP
from jobs.marts.periods import WEEK, period_of
from jobs.privacy.budget.ledger import read_spending
from jobs.privacy.budget.noise import find_scale
from jobs.settings import load_settings
from tests.marts.tables import fill, order, product

MONDAY = date(2024, 1, 1)
WINDOW = 7
CLOSED_ON = MONDAY + timedelta(6 + WINDOW)
CLOSING = Days.single(CLOSED_ON)
PART = Part(period_of(WEEK, MONDAY), "adnet", CLOSED_ON)
NUMBERS = count(1)


def at(hour):
    """A time, in hours after the week's beginning."""
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def shown(who, hour=1, campaign="spring", *, partner="adnet", is_click=False, pulled=None):
    moment = at(hour)
    row = {"day": moment.date(), "impression_id": next(NUMBERS), "partner": partner, "campaign": campaign}
    row |= {"subject_id": who, "shown_at": moment, "is_click": is_click, "pull_day": pulled or moment.date()}
    return row | {"counts_until": moment.date() + timedelta(WINDOW)}


def bought(who, hour, price="10.00", quantity=1, *, order_id="o1", product_id="MUG"):
    row = {"line_id": next(NUMBERS), "order_id": order_id, "product_id": product_id, "quantity": quantity}
    row |= {"day": at(hour).date(), "ordered_at": at(hour), "subject_id": who, "unit_price": Decimal(price)}
    return row | {"country": "DE", "pull_day": at(hour).date()}


def fill_shop(lake, impressions, lines=(), subjects=()):
    fill(lake, "lake.impressions", list(impressions))
    fill(lake, "lake.order_lines", list(lines))
    fill(lake, "lake.orders", [order("o1"), order("gone", status="cancelled")])
    fill(lake, "lake.products", [product("MUG"), product("STAMP", is_merchandise=False)])
    fill(lake, "lake.subjects", list(subjects))


def exact(lake, part=PART):
    rows = {row["campaign"]: row for row in _count_exactly(lake, part)}
    return {name: tuple(row[n] for n in ("reached", "clicked", "bought", "revenue")) for name, row in rows.items()}


def published(lake):
    return sorted(lake.read_records(TABLE), key=lambda row: (row["week"], row["partner"], row["campaign"]))


def spent(lake):
    return {row["period"]: row["spent"] for row in read_spending(lake)}


def count_plainly(impressions, lines):
    """The same numbers by loops; for at most ``MAX_CAMPAIGNS`` campaigns a person."""
    reached, clicked, buyers = (defaultdict(set) for _ in range(3))
    cents = defaultdict(int)
    week = {MONDAY + timedelta(n) for n in range(7)}
    for row in impressions:
        if row["day"] in week:
            reached[row["campaign"]].add(row["subject_id"])
            if row["is_click"]:
                clicked[row["campaign"]].add(row["subject_id"])
    for line in lines:
        before = [
            row
            for row in impressions
            if row["subject_id"] == line["subject_id"]
            and row["shown_at"] < line["ordered_at"]
            and line["day"] <= row["counts_until"]
        ]
        last = max(before, key=lambda row: (row["shown_at"], -row["impression_id"]), default=None)
        if last and last["day"] in week:
            buyers[last["campaign"]].add(line["subject_id"])
            cents[last["campaign"], line["subject_id"]] += int(line["quantity"] * line["unit_price"] * 100)
    total = defaultdict(int)
    for (_, who), amount in cents.items():
        total[who] += amount
    revenue = {
        place: math.floor(amount * REVENUE_CAP / max(total[place[1]], REVENUE_CAP * 100))
        for place, amount in cents.items()
    }
    result = {
        name: (
            len(reached[name]),
            len(clicked[name]),
            len(buyers[name]),
            sum(amount for (campaign, _), amount in revenue.items() if campaign == name),
        )
        for name in reached
    }
    if reached:
        everybody = [len(set().union(*people.values())) for people in (reached, clicked, buyers)]
        result[ALL] = (*everybody, sum(revenue.values()))
    return result


PEOPLE_NAMES = st.sampled_from(["ann", "bob", "cleo", "dan"])
SHOWN = st.builds(
    shown, PEOPLE_NAMES, st.integers(0, 24 * 10), st.sampled_from(["a", "b", "c"]), is_click=st.booleans()
)
BOUGHT = st.builds(bought, PEOPLE_NAMES, st.integers(0, 24 * 16), st.sampled_from(["0.99", "55.55", "149.00"]))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(impressions=st.lists(SHOWN, max_size=15), lines=st.lists(BOUGHT, max_size=15))
def test_exact_numbers_are_those_of_plain_python(shared_lake, impressions, lines):
    last = [line for line in lines if line["day"] <= CLOSED_ON]
    fill_shop(shared_lake, impressions, lines)
    assert {name: row for name, row in exact(shared_lake).items() if row[0]} == count_plainly(impressions, last)


def test_a_purchase_belongs_to_the_last_ad_before_it(lake):
    impressions = [shown("ann", 1, "first"), shown("ann", 5, "last"), shown("ann", 9, "late")]
    fill_shop(lake, impressions, [bought("ann", 7), bought("ann", 0.5), bought("bob", 7)])
    assert exact(lake) == {ALL: (1, 0, 1, 10), "first": (1, 0, 0, 0), "last": (1, 0, 1, 10), "late": (1, 0, 0, 0)}


def test_an_ad_of_the_next_week_takes_over(lake):
    next_week = 24 * 7 + 1
    fill_shop(lake, [shown("ann", 24 * 6), shown("ann", next_week)], [bought("ann", next_week + 1)])
    assert exact(lake)["spring"] == (1, 0, 0, 0)


def test_ads_count_until_the_end_of_their_last_day(lake):
    inside, outside = 24 * (WINDOW + 1) - 1, 24 * (WINDOW + 1)
    fill_shop(lake, [shown("ann"), shown("bob")], [bought("ann", inside), bought("bob", outside)])
    assert exact(lake)["spring"] == (2, 0, 1, 10)


def test_ads_of_other_partners_neither_count_nor_take_over(lake):
    fill_shop(lake, [shown("ann"), shown("ann", 5, "theirs", partner="worldads")], [bought("ann", 7)])
    assert exact(lake) == {ALL: (1, 0, 1, 10), "spring": (1, 0, 1, 10)}


def test_cancelled_orders_and_postage_do_not_count(lake):
    lines = [bought("ann", 7, order_id="gone"), bought("ann", 7, product_id="STAMP"), bought("ann", 7, "0.00")]
    fill_shop(lake, [shown("ann")], [*lines, bought("ann", 8, "3.99", 2)])
    assert exact(lake)["spring"] == (1, 0, 1, 7)


def test_lines_below_zero_take_nothing_from_others(lake):
    fill_shop(lake, [shown("ann"), shown("bob")], [bought("ann", 7, quantity=-50), bought("bob", 7)])
    assert exact(lake)["spring"][3] == 10


def test_one_human_with_several_addresses_is_one(lake):
    subjects = [
        {"subject_id": who, "person_id": who, "circle_id": "a" if who != "cleo" else None}
        for who in ("ann", "bob", "cleo")
    ]
    impressions = [shown("ann"), shown("bob", is_click=True), shown("cleo")]
    fill_shop(lake, impressions, [bought("bob", 7), bought("ann", 8)], subjects)
    assert exact(lake)["spring"] == (2, 1, 1, 20)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    campaigns=st.integers(1, 12),
    price=st.sampled_from(["1.00", "120.00", "99999.99"]),
    clicks=st.booleans(),
    seed=st.integers(0, 99),
)
def test_one_human_with_a_thousand_impressions_changes_little(shared_lake, campaigns, price, clicks, seed):
    """Whatever one person does moves the numbers by no more than the noise was made for."""
    others = [shown(f"p{n}", n, f"c{n % 5}") for n in range(10)]
    sold = [bought(f"p{n}", n + 1, "5.00") for n in range(10)]
    heavy = [shown("heavy", (n + seed) % 160, f"c{n % campaigns}", is_click=clicks) for n in range(1_000)]
    orders = [bought("heavy", hour, price) for hour in range(2, 160, 5)]
    fill_shop(shared_lake, others, sold)
    without = exact(shared_lake)
    fill_shop(shared_lake, [*others, *heavy], [*sold, *orders])
    moved = {
        name: [a - b for a, b in zip(row, without.get(name, (0, 0, 0, 0)), strict=True)]
        for name, row in exact(shared_lake).items()
    }
    named = [change for name, change in moved.items() if name != ALL]
    for place in range(3):
        assert all(change[place] in (0, 1) for change in moved.values())
        assert sum(change[place] for change in named) <= MAX_CAMPAIGNS
        assert math.hypot(*(change[place] for change in moved.values())) <= PEOPLE
    assert sum(change[3] for change in named) <= REVENUE_CAP
    assert math.hypot(*(change[3] for change in moved.values())) <= MONEY


def test_which_campaigns_of_a_human_count_stays_the_same(lake):
    fill_shop(lake, [shown("ann", n, f"c{n}") for n in range(9)])
    once = exact(lake)
    assert len(once) == MAX_CAMPAIGNS + 1
    assert exact(lake) == once


def many(name, people):
    return {"campaign": name, "reached": people, "clicked": 300, "bought": 200, "revenue": 90_000}


def test_noise_has_the_scale_that_was_paid_for():
    drawn = [publish_noisy([many(ALL, 5_000)])[0] for _ in range(400)]
    for name, sensitivity in {"reached": PEOPLE, "clicked": PEOPLE, "bought": PEOPLE, "revenue": MONEY}.items():
        truth = many(ALL, 5_000)[name]
        scale = find_scale(rho=RHO * SHARES[name], sensitivity=sensitivity)
        values = [row[name] for row in drawn]
        assert abs(statistics.fmean(values) - truth) < 6 * scale / math.sqrt(len(drawn))
        assert statistics.stdev(values) == pytest.approx(scale, rel=0.25)
        within = sum(abs(value - truth) <= row[f"{name}_margin"] for value, row in zip(values, drawn, strict=True))
        assert within / len(drawn) > 0.9


def test_the_shares_are_all_that_is_spent():
    assert sum(SHARES.values()) == pytest.approx(1)


def test_a_campaign_of_one_person_is_never_named():
    for _ in range(300):
        assert [row["campaign"] for row in publish_noisy([many(ALL, 1), many("one", 1)])] == [ALL]


def test_a_campaign_well_above_the_threshold_is_named():
    enough = 2 * find_release_threshold()
    assert [row["campaign"] for row in publish_noisy([many(ALL, enough), many("big", enough)])] == [ALL, "big"]


def test_no_number_below_zero_is_published():
    nothing = {"campaign": ALL, "reached": 0, "clicked": 0, "bought": 0, "revenue": 0}
    rows = [publish_noisy([nothing])[0] for _ in range(50)]
    assert all(row[name] >= 0 for row in rows for name in SHARES)


def test_a_week_is_released_on_the_day_no_purchase_can_count_any_more(lake):
    fill_shop(lake, [shown(f"p{n}", campaign="big") for n in range(2 * find_release_threshold())])
    ad_effectiveness.run(lake, Days(MONDAY, CLOSED_ON - timedelta(1)))
    assert published(lake) == []
    report = ad_effectiveness.run(lake, CLOSING)
    assert report.rows_out == 2
    assert [(row["week"], row["partner"], row["campaign"]) for row in published(lake)] == [
        ("2024-W01", "adnet", ALL),
        ("2024-W01", "adnet", "big"),
    ]
    assert spent(lake) == {"2024-01": RHO}


def test_a_second_run_keeps_the_release_and_costs_nothing(lake):
    fill_shop(lake, [shown("ann"), shown("ann", partner="worldads")])
    ad_effectiveness.run(lake, CLOSING)
    first = published(lake)
    assert [row["partner"] for row in first] == ["adnet", "worldads"]
    assert ad_effectiveness.run(lake, CLOSING).rows_out == 0
    assert published(lake) == first
    assert spent(lake) == {"2024-01": 2 * RHO}


def test_changed_data_is_a_restatement_of_that_partner_only_and_pays_again(lake):
    impressions = [shown("ann"), shown("ann", partner="worldads")]
    fill_shop(lake, impressions)
    ad_effectiveness.run(lake, CLOSING)
    first = {row["partner"]: row for row in published(lake)}
    late = CLOSED_ON + timedelta(3)
    fill_shop(lake, [*impressions, shown("bob", pulled=late)])
    ad_effectiveness.run(lake, Days.single(late))
    second = {row["partner"]: row for row in published(lake)}
    assert second["worldads"] == first["worldads"]
    assert second["adnet"]["release_id"] != first["adnet"]["release_id"]
    assert spent(lake)["2024-01"] == pytest.approx(3 * RHO)


@pytest.fixture
def poor_lake(tmp_path, engine, contracts, monkeypatch):
    budget = f"delta: 1.0e-6\ndatasets:\n  impressions: {{period: month, rho: {RHO}}}\n"
    (tmp_path / "budgets.yaml").write_text(budget)
    monkeypatch.setenv("SOPHILUX_BUDGETS_FILE", str(tmp_path / "budgets.yaml"))
    return Lake(load_settings(str(tmp_path / "shop")), engine, contracts)


def test_without_budget_the_last_release_stays_and_others_are_not_held_up(poor_lake):
    fill_shop(poor_lake, [shown("ann")])
    ad_effectiveness.run(poor_lake, CLOSING)
    first = published(poor_lake)
    next_month = [shown("ann", 24 * 31 + n) for n in range(24 * 7)]
    fill_shop(poor_lake, [shown("ann"), shown("bob"), *next_month])
    with pytest.raises(BudgetError, match=r"week 2024-W01 of adnet would overspend .*The last release stays"):
        ad_effectiveness.run(poor_lake, Days(CLOSED_ON, date(2024, 2, 29)))
    assert [row for row in published(poor_lake) if row["week"] == "2024-W01"] == first
    assert {row["week"] for row in published(poor_lake)} == {"2024-W01", "2024-W06"}


def test_a_release_that_was_put_in_place_before_a_crash_is_noted_as_published(lake, monkeypatch):
    fill_shop(lake, [shown("ann")])
    with monkeypatch.context() as patch:
        patch.setattr(ad_effectiveness, "mark_published", _crash)
        with pytest.raises(RuntimeError):
            ad_effectiveness.run(lake, CLOSING)
    first = published(lake)
    ad_effectiveness.run(lake, CLOSING)
    assert published(lake) == first
    events = [row["event"] for row in lake.read_records("ledger.privacy_charges")]
    assert sorted(events) == ["charged", "published"]


def test_the_exact_numbers_are_stored_nowhere(lake):
    fill_shop(lake, [shown(f"p{n}") for n in range(37)])
    ad_effectiveness.run(lake, CLOSING)
    (row,) = lake.read_records("ledger.privacy_charges", None)[:1]
    assert set(row) == set(lake.contracts["ledger.privacy_charges"].column_names)
    assert len(row["input_digest"]) == 64


def _crash(*_args, **_kwargs):
    raise RuntimeError
