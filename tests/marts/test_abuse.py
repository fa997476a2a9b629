"""Who does not count in charts, and who does although it looks odd at first."""

from datetime import timedelta

import pytest

from jobs.lake import Days
from jobs.lake import columns as C
from jobs.marts import bestsellers_exact
from jobs.marts.abuse import (
    BURST,
    CONTRIBUTOR,
    FLAGGED,
    TOO_FAST,
    TOO_MANY,
    count_excluded,
    find_bursts,
    find_suspects,
    judge,
)
from tests.marts.tables import DAY, at, comeback, fill, line, order

PURCHASES = f"day date, order_id string, product_id string, {CONTRIBUTOR} bigint, ordered_at timestamp, quantity bigint, _is_known boolean"
PERSON_DAYS = f"day date, {CONTRIBUTOR} bigint"


def bought(who, minute, product_id="a", *, order_id=None, quantity=1, day=DAY, known=True):
    return (day, order_id or f"{who}-{minute}", product_id, who, at(day, minute), quantity, known)


@pytest.fixture
def rules(engine):
    """Rules against purchases, by person and product."""

    def judge_all(purchases, flagged=()):
        rows = engine.session.createDataFrame(purchases, PURCHASES)
        marked = engine.session.createDataFrame(list(flagged), PERSON_DAYS)
        judged = judge(rows, find_suspects(rows, marked), find_bursts(rows))
        told = {(row[CONTRIBUTOR], row[C.PRODUCT_ID]): row[C.RULE] for row in judged.collect()}
        return told, {tuple(row) for row in count_excluded(judged).collect()}

    return judge_all


def test_a_person_with_too_many_orders_does_not_count_that_day(rules):
    busy = [bought(1, 60 * n, order_id=f"o{n}") for n in range(21)]
    told, excluded = rules([*busy, *(bought(2, 61 * n, order_id=f"p{n}") for n in range(20))])
    assert told == {(1, "a"): TOO_MANY, (2, "a"): None}
    assert excluded == {(DAY, "a", TOO_MANY, 1, 21, 21)}


def test_orders_faster_than_a_human_places_them_do_not_count(rules):
    fast = [bought(1, 2 * n, f"p{n}") for n in range(5)]
    slow = [bought(2, 3 * n, f"p{n}") for n in range(5)]
    told, _ = rules([*fast, *slow])
    assert {told[1, f"p{n}"] for n in range(5)} == {TOO_FAST}
    assert {told[2, f"p{n}"] for n in range(5)} == {None}


def test_whoever_clicks_like_a_bot_does_not_buy_into_charts(rules):
    told, _ = rules([bought(1, 0), bought(2, 0), bought(1, 0, day=DAY + timedelta(1))], [(DAY, 1)])
    assert told[2, "a"] is None
    assert FLAGGED in rules([bought(1, 0)], [(DAY, 1)])[0].values()


def test_a_burst_of_buyers_does_not_count_and_others_do(rules):
    ring = [bought(n, 180 + n % 40) for n in range(30)]
    others = [bought(100 + n, 600 + 60 * n) for n in range(5)]
    told, excluded = rules([*ring, *others, *(bought(n, 180 + n % 40, "b") for n in range(9))])
    assert {told[n, "a"] for n in range(30)} == {BURST}
    assert {told[100 + n, "a"] for n in range(5)} == {None}
    assert {told[n, "b"] for n in range(9)} == {None}
    assert excluded == {(DAY, "a", BURST, 30, 30, 30)}


def test_a_batch_of_orders_of_nobody_known_is_no_burst(rules):
    told, _ = rules([bought(n, 180 + n, known=False) for n in range(30)])
    assert set(told.values()) == {None}


def test_a_burst_over_the_full_hour_is_seen_too(rules):
    told, _ = rules([bought(n, 225 + n) for n in range(20)])
    assert set(told.values()) == {BURST}


def test_a_product_that_sells_all_day_may_have_a_busy_hour(rules):
    evening, day = [bought(n, 1200 + n % 60) for n in range(40)], [bought(100 + n, 25 * n) for n in range(50)]
    told, _ = rules([*evening, *day])
    assert set(told.values()) == {None}


def test_a_ring_pushes_nothing_onto_a_chart_and_its_returns_take_nothing_off(lake):
    ring = [line(f"r{n}", "a", 50, subject=f"r{n}") | {"ordered_at": at(DAY, 180 + n)} for n in range(30)]
    honest = [line(f"h{n}", "a", 1, subject=f"h{n}") | {"ordered_at": at(DAY, 331 * n % 1440)} for n in range(4)]
    lines = [*ring, *honest]
    fill(lake, "lake.order_lines", lines)
    fill(lake, "lake.orders", [order(row["order_id"]) for row in lines])
    back = comeback("a", 50, sale_day=DAY, order_id="r1") | {"subject_id": "r1"}
    fill(lake, "lake.returns", [back])
    report = bestsellers_exact.run(lake, Days.single(DAY))
    chart = lake.read("marts.bestsellers_exact").where("period = 'day' and scope = 'overall'").collect()
    assert [(row.product_id, row.units, row.buyers) for row in chart] == [("a", 4, 4)]
    assert "does not count" in report.warnings[0] or "do not count" in report.warnings[0]
    (left_out,) = lake.read("ledger.chart_exclusions").collect()
    assert (left_out.rule, left_out.people, left_out.units) == (BURST, 30, 1500)
