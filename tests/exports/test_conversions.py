"""What a partner learns of purchases: whole weeks, bands, and nothing that few people have alike."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.exports.acknowledgements import acknowledge
from jobs.exports.conversions import BANDS, build_conversions, find_weeks
from jobs.lake import Days
from jobs.privacy.epochs import epoch_of

from .conftest import LONG_AGO, fill, fill_subjects
from .reading import EUROPE, export, read, read_manifest
from .reading import folder as place_of

WEEK = date(2024, 3, 4)
ELIGIBLE = "subject_id string, person_id string, circle_id string, ad_id string, country string, segment string"
PURCHASES = "subject_id string, category string, week_start date, _amount decimal(18,2)"


def tell(session, purchases, minimum, circles=None, countries=None):
    """Rows told of (who, category, amount): who bought is also the identifier."""
    names = sorted({who for who, _, _ in purchases})
    tied, places = circles or {}, countries or {}
    people = [(who, who, tied.get(who), who, places.get(who, "DE"), "none") for who in names]
    eligible = session.createDataFrame(people, ELIGIBLE)
    bought = session.createDataFrame([(who, what, WEEK, Decimal(amount)) for who, what, amount in purchases], PURCHASES)
    return sorted(
        (row["ad_id"], row["category"], row["revenue_from"])
        for row in build_conversions(eligible, bought, minimum=minimum).collect()
    )


@pytest.mark.parametrize(
    ("amount", "begins"),
    [("0.01", 0), ("9.99", 0), ("10.00", 10), ("19.99", 10), ("20.00", 20), ("499.99", 200), ("500.00", 500),
     ("1234.56", 1000), ("9999999999.99", BANDS[-1])],
)  # fmt: skip
def test_an_amount_is_told_as_a_band(engine, amount, begins):
    assert tell(engine.session, [("a", "Toys", amount)], 1) == [("a", "Toys", begins)]


def test_a_band_that_few_share_is_not_told_and_takes_no_other_with_it_where_the_rest_are_many(engine):
    bought = [("a", "Toys", 15), ("b", "Toys", 15), ("c", "Toys", 60), ("d", "Toys", 150), ("e", "Home", 15)]
    told = [("a", "Toys", 10), ("b", "Toys", 10), ("c", "Toys", None), ("d", "Toys", None)]
    assert tell(engine.session, bought, 2) == told


def test_the_only_one_in_a_band_takes_the_bands_of_all(engine):
    bought = [("a", "Toys", 15), ("b", "Toys", 15), ("c", "Toys", 60)]
    assert tell(engine.session, bought, 2) == [("a", "Toys", None), ("b", "Toys", None), ("c", "Toys", None)]


def test_people_of_another_country_or_segment_are_not_alike(engine):
    bought = [(who, "Toys", 15) for who in "abcd"]
    assert tell(engine.session, bought, 2, countries={"a": "FR"}) == [(who, "Toys", 10) for who in "bcd"]
    assert tell(engine.session, bought, 2, countries={"a": "FR", "b": "FR"}) == [(who, "Toys", 10) for who in "abcd"]


def test_accounts_of_one_human_count_once(engine):
    bought = [("a", "Toys", 15), ("b", "Toys", 15)]
    assert tell(engine.session, bought, 2, circles={"a": "ring", "b": "ring"}) == []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    purchases=st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["Toys", "Home"]), st.sampled_from([5, 15, 60])),
        min_size=1, max_size=16, unique_by=lambda purchase: purchase[:2],
    ),
    minimum=st.integers(1, 4),
)  # fmt: skip
def test_whatever_is_told_is_true_of_enough_people(engine, purchases, minimum):
    told = tell(engine.session, purchases, minimum)
    assert all(count >= minimum for count in Counter((what, band) for _, what, band in told).values())
    buyers = Counter(what for _, what, _ in purchases)
    assert {row[:2] for row in told} == {(who, what) for who, what, _ in purchases if buyers[what] >= minimum}
    amounts = {(who, what): amount for who, what, amount in purchases}
    assert all(band is None or band <= amounts[who, what] for who, what, band in told)


DAYS = st.dates(date(2024, 1, 1), date(2025, 12, 31))


@pytest.mark.parametrize("length", ["month", "quarter", None])
@settings(max_examples=60, deadline=None)
@given(day=DAYS, acknowledged=st.lists(st.booleans(), min_size=100, max_size=100))
def test_every_week_is_told_whole_and_once_and_under_one_epoch(length, day, acknowledged):
    """A package a day, of which some are acknowledged: what these tell covers all days but those before the first."""
    told, start = defaultdict(list), day
    for number, is_acknowledged in enumerate(acknowledged):
        today = day + timedelta(days=number)
        epoch = epoch_of(today, length) if length else None
        weeks = find_weeks(start, today, epoch)
        if weeks is None:
            continue
        assert weeks.last <= today
        assert weeks.last.isoweekday() == 7 or weeks.last == epoch.last
        assert epoch is None or weeks.first >= epoch.first
        if is_acknowledged:
            assert weeks.first == (max(start, epoch.first) if epoch else start)
            start = weeks.last + timedelta(days=1)
            for each in weeks:
                told[each].append(epoch and epoch.name)
    assert all(len(names) == 1 for names in told.values())
    assert length or sorted(told) == [day + timedelta(days=number) for number in range((start - day).days)]


def test_a_week_is_told_when_it_is_over_and_not_again_once_it_was_acknowledged(shop):
    """Told on the Wednesday after, and no second time on the next."""
    first, second = date(2024, 3, 13), date(2024, 3, 20)
    export(shop, EUROPE, first)
    assert read_manifest(place_of(shop, EUROPE, first))["conversions"] == {"first": "2024-02-12", "last": "2024-03-10"}
    assert len(read(shop, "conversions", EUROPE, first)) == 4
    acknowledge(shop, EUROPE.name, first)
    export(shop, EUROPE, second)
    assert read_manifest(place_of(shop, EUROPE, second))["conversions"] == {"first": "2024-03-11", "last": "2024-03-17"}
    assert read(shop, "conversions", EUROPE, second) == []


def test_a_purchase_of_the_former_epoch_is_not_told_under_the_new_identifiers(shop):
    """Nothing was acknowledged, so the package repeats all it may; of last quarter it may nothing."""
    fill_subjects(shop, {"adult": {}})
    common = {"pull_day": date(2024, 4, 7), "subject_bucket": 7, "ordered_at": LONG_AGO, "subject_id": "adult"}
    line = {**common, "quantity": 1, "product_id": "MUG"}
    days = {"old": (date(2024, 3, 31), "15"), "new": (date(2024, 4, 1), "25")}
    fill(shop, "lake.order_lines", [{**line, "order_id": name, "line_id": len(name) + day.month, "day": day, "unit_price": Decimal(price)}
                                    for name, (day, price) in days.items()])  # fmt: skip
    for day, band in ((date(2024, 3, 31), 10), (date(2024, 4, 7), 20)):
        export(shop, EUROPE, day)
        assert [row["revenue_from"] for row in read(shop, "conversions", EUROPE, day)] == [band]
    export(shop, EUROPE, date(2024, 4, 8))
    assert [row["revenue_from"] for row in read(shop, "conversions", EUROPE, date(2024, 4, 8))] == [20]
    assert Days(**{k: date.fromisoformat(v) for k, v in read_manifest(place_of(shop, EUROPE, date(2024, 4, 8)))[
        "conversions"].items()}) == Days(date(2024, 4, 1), date(2024, 4, 7))  # fmt: skip
