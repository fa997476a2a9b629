from datetime import timedelta

from jobs.lake import Days, Lake
from jobs.marts import also_bought, also_viewed
from tests.marts.tables import DAY, click, fill, line, order, product, subject

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


def test_also_bought_tells_what_completes_an_order_where_the_catalogue_is_small(lake):
    sell(lake, [*basket(1, "a", "b"), *basket(2, "a", "b", "c"), *basket(3, "a", "c"), *basket(4, "d")])
    found = pairs(lake, "marts.also_bought")
    assert set(found) == {("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")}
    assert all(0 < row.completion < 1 for row in found.values())


def test_also_bought_leaves_completion_empty_where_the_catalogue_is_large(settings, engine, contracts, tmp_path):
    path = tmp_path / "recommendations.yaml"
    path.write_text("also_bought: {small_catalogue: 2}\n")
    lake = Lake(settings.model_copy(update={"recommendations_file": str(path)}), engine, contracts)
    sell(lake, [*basket(1, "a", "b"), *basket(2, "a", "b"), *basket(3, "c")])
    found = pairs(lake, "marts.also_bought")
    assert [row.completion for row in found.values()] == [None, None]


def test_tables_are_restricted_by_category_where_configured(settings, engine, contracts, tmp_path):
    path = tmp_path / "recommendations.yaml"
    path.write_text("also_bought: {within: category}\nalso_viewed: {within: category_path}\n")
    lake = Lake(settings.model_copy(update={"recommendations_file": str(path)}), engine, contracts)
    catalogue = [product("a", "Tea"), product("b", "Tea"), product("c", "Socks")]
    sell(lake, [*basket(1, "a", "b", "c"), *basket(2, "a", "b", "c")], products=catalogue)
    fill(lake, "lake.clicks", [click(f"s{n}", name, m, session=n) for n in (1, 2) for m, name in enumerate("abcx")])
    also_viewed.run(lake, DAYS)
    for table in ("marts.also_bought", "marts.also_viewed"):
        assert set(pairs(lake, table)) == {("a", "b"), ("b", "a")}


def test_what_one_account_buys_a_thousand_times_a_day_does_not_count(lake):
    fair = [*basket(1, "a", "b"), *basket(2, "a", "b")]
    abuse = [line(f"x{n}", name, subject="rich") for n in range(1000) for name in ("a", "z")]
    sell(lake, [*fair, *abuse, *basket(4, "a", "z")])
    assert set(pairs(lake, "marts.also_bought")) == {("a", "b"), ("b", "a")}


def test_what_one_account_buys_every_day_rises_no_list(lake):
    """A faithful customer orders the same two products every day; four others ordered another pair once."""
    fair = [name for n in range(4) for name in basket(n, "a", "b")]
    faithful = [line(f"x{n}", name, subject="f", day=DAY - timedelta(n)) for n in range(300) for name in ("a", "z")]
    sell(lake, [*fair, *faithful, *basket(9, "a", "z")])
    found = pairs(lake, "marts.also_bought")
    assert found["a", "b"]["rank"] == 1
    assert (found["a", "z"].orders, found["a", "z"].buyers) == (301, 2)


def test_addresses_of_one_human_are_one_person(lake):
    """A pair that an account bought with two of its addresses is known from one person only."""
    fill(lake, "lake.subjects", [subject("s1") | {"person_id": "p"}, subject("s2") | {"person_id": "p"}])
    visits = [click(f"s{n}", name, m, session=n) for n in (1, 2) for m, name in enumerate("ab")]
    fill(lake, "lake.clicks", visits)
    sell(lake, [*basket(1, "a", "b"), *basket(2, "a", "b")])
    also_viewed.run(lake, DAYS)
    assert pairs(lake, "marts.also_bought") == pairs(lake, "marts.also_viewed") == {}


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
