from datetime import timedelta

from jobs.lake import Days
from jobs.marts import also_bought, also_viewed
from tests.marts.tables import DAY, click, fill, line, order, product

DAYS = Days.single(DAY)


def pairs(lake, table):
    return {(r.product_id, r.other_product_id): r for r in lake.read(table).collect()}


def sell(lake, lines, orders=(), products=()):
    fill(lake, "lake.order_lines", lines)
    fill(lake, "lake.orders", [*orders])
    fill(lake, "lake.products", [*products])
    return also_bought.run(lake, DAYS)


def basket(number, *products, **options):
    return [line(f"o{number}", name, subject=f"s{number}", **options) for name in products]


def test_also_bought_counts_orders_and_people(lake):
    sell(lake, [*basket(1, "a", "b"), *basket(2, "a", "b", "b"), *basket(3, "a", "c")])
    found = pairs(lake, "marts.also_bought")
    assert set(found) == {("a", "b"), ("b", "a")}
    assert (found["a", "b"].orders, found["a", "b"].buyers, found["a", "b"].as_of) == (2, 2, DAY)


def test_also_bought_leaves_out_cancelled_orders_and_postage(lake):
    lines = [*basket(1, "a", "b", "POST"), *basket(2, "a", "b", "POST"), *basket(3, "c", "d"), *basket(4, "c", "d")]
    sell(lake, lines, [order("o4", status="cancelled")], [product("POST", is_merchandise=False)])
    assert set(pairs(lake, "marts.also_bought")) == {("a", "b"), ("b", "a")}


def test_also_bought_looks_back_a_year_and_not_ahead(lake):
    old, ahead = DAY - timedelta(365), DAY + timedelta(1)
    lines = [*basket(1, "a", "b"), *basket(2, "a", "b", day=old), *basket(3, "a", "b", day=ahead)]
    report = sell(lake, lines)
    assert report.rows_out == 0
    assert "is empty" in report.warnings[0]


def test_also_viewed_counts_visits_without_flagged_clicks(lake):
    clicks = [click(f"s{n}", name, minute, session=n) for n in (1, 2) for minute, name in enumerate("ab")]
    bots = [click(f"s{n}", name, session=n, flag="bot") for n in (1, 2) for name in "ac"]
    searches = [click(f"s{n}", "d", session=n, action="search") for n in (1, 2)]
    fill(lake, "lake.clicks", [*clicks, *clicks[:1], *bots, *searches])
    also_viewed.run(lake, DAYS)
    found = pairs(lake, "marts.also_viewed")
    assert set(found) == {("a", "b"), ("b", "a")}
    assert (found["a", "b"].sessions, found["a", "b"].viewers) == (2, 2)
    assert found["a", "b"].score > found["b", "a"].score


def test_also_viewed_runs_twice_to_the_same_rows(lake):
    clicks = [click(f"s{n % 7}", f"p{n * n % 11}", n, session=n % 13) for n in range(300)]
    fill(lake, "lake.clicks", clicks)
    also_viewed.run(lake, DAYS)
    first = sorted(lake.read("marts.also_viewed").collect())
    fill(lake, "lake.clicks", clicks[::-1])
    also_viewed.run(lake, DAYS)
    assert first
    assert sorted(lake.read("marts.also_viewed").collect()) == first
