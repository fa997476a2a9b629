from datetime import date, timedelta
from decimal import Decimal

import pytest

from jobs.errors import ContractError
from jobs.lake import Days
from jobs.marts import bestsellers_exact
from tests.marts.tables import DAY, comeback, fill, line, order, product

NEXT = DAY + timedelta(1)


@pytest.fixture
def shop(lake):
    """A lake in which a test says what was sold; every order of a line exists and stands."""

    def sell(lines, returns=(), orders=(), products=(), days=None):
        given = {row["order_id"] for row in orders}
        days_of = {row["order_id"]: (row["day"], row["country"]) for row in lines if row["order_id"] not in given}
        others = [order(name, day=day, country=country) for name, (day, country) in days_of.items()]
        fill(lake, "lake.order_lines", list(lines))
        fill(lake, "lake.orders", [*orders, *others])
        fill(lake, "lake.returns", list(returns))
        fill(lake, "lake.products", list(products))
        return bestsellers_exact.run(lake, days or Days.single(DAY))

    return sell


def chart(lake, period_id, scope="overall", value="all"):
    rows = lake.read("marts.bestsellers_exact").where(f"period_id = '{period_id}' and scope = '{scope}'").collect()
    return [(r.product_id, r.units) for r in sorted(rows, key=lambda r: r["rank"]) if r.scope_value == value]


def place(lake, period_id, product_id):
    where = f"period_id = '{period_id}' and product_id = '{product_id}' and scope = 'overall'"
    return lake.read("marts.bestsellers_exact").where(where).collect()[0]


def test_ties_go_by_revenue_then_product(lake, shop):
    shop([line("o1", "c", 5), line("o1", "b", 5), line("o1", "a", 5, price="0.50"), line("o1", "d", 9, price="0.01")])
    assert chart(lake, "2024-01-03") == [("d", 9), ("b", 5), ("c", 5), ("a", 5)]


def test_counts_day_week_and_month(lake, shop):
    lines = [line("o1", "a", 2), line("o2", "a", 3, day=DAY - timedelta(1)), line("o3", "a", 7, day=date(2024, 1, 31))]
    shop(lines)
    assert chart(lake, "2024-01-03") == [("a", 2)]
    assert chart(lake, "2024-W01") == [("a", 5)]
    assert chart(lake, "2024-01") == [("a", 12)]


def test_a_week_reaches_over_new_year(lake, shop):
    monday, friday = date(2024, 12, 30), date(2025, 1, 3)
    shop([line("o1", "a", 2, day=monday), line("o2", "a", 3, day=friday)], days=Days(monday, friday))
    assert chart(lake, "2025-W01") == [("a", 5)]
    assert chart(lake, "2024-12") == [("a", 2)]
    assert chart(lake, "2025-01") == [("a", 3)]


def test_returns_come_off_the_day_and_country_of_the_sale(lake, shop):
    lines = [line("o1", "a", 5, country="FR"), line("o2", "a", 9, day=NEXT)]
    shop(lines, [comeback("a", 2, day=NEXT, sale_day=DAY, order_id="o1")], days=Days(DAY, NEXT))
    assert chart(lake, "2024-01-03") == [("a", 3)]
    assert chart(lake, "2024-01-03", "country", "FR") == [("a", 3)]
    assert chart(lake, "2024-01-04") == [("a", 9)]


def test_a_return_of_an_unknown_purchase_comes_off_its_own_day(lake, shop):
    lines = [line("o1", "a", 5), line("o2", "a", 9, day=NEXT)]
    shop(lines, [comeback("a", 2, day=NEXT, price="3.00")], days=Days(DAY, NEXT))
    assert chart(lake, "2024-01-03") == [("a", 5)]
    assert chart(lake, "2024-01-04") == [("a", 7)]
    assert place(lake, "2024-01-04", "a").revenue == Decimal("3.00")


def test_a_return_rebuilds_the_day_of_the_sale(lake, shop):
    earlier = DAY - timedelta(40)
    lines = [line("o1", "a", 5, day=earlier)]
    shop(lines, days=Days.single(earlier))
    assert chart(lake, "2023-11-24") == [("a", 5)]
    shop(lines, [comeback("a", 2, sale_day=earlier, order_id="o1")])
    assert chart(lake, "2023-11-24") == [("a", 3)]
    assert chart(lake, "2023-11") == [("a", 3)]


def test_products_whose_returns_outweigh_sales_are_not_on_the_chart(lake, shop):
    shop([line("o1", "a", 2), line("o1", "b", 1)], [comeback("a", 2), comeback("c", 4)])
    assert chart(lake, "2024-01-03") == [("b", 1)]


def test_cancelled_orders_do_not_count_nor_do_their_returns(lake, shop):
    orders = [order("o1", status="cancelled", cancelled_on=DAY)]
    returns = [comeback("a", 1, sale_day=DAY, order_id="o1")]
    shop([line("o1", "a", 5), line("o2", "a", 3)], returns, orders)
    assert chart(lake, "2024-01-03") == [("a", 3)]


def test_a_cancellation_rebuilds_the_day_of_the_order(lake, shop):
    lines = [line("o1", "a", 5), line("o2", "b", 1)]
    shop(lines)
    later = DAY + timedelta(60)
    shop(lines, orders=[order("o1", status="cancelled", cancelled_on=later)], days=Days.single(later))
    assert chart(lake, "2024-01-03") == [("b", 1)]


def test_only_goods_at_a_price_count(lake, shop):
    products = [product("POST", is_merchandise=False), product("a")]
    shop(
        [line("o1", "POST", 9), line("o1", "a"), line("o1", "gift", 9, price="0"), line("o1", "new")], (), (), products
    )
    assert chart(lake, "2024-01-03") == [("a", 1), ("new", 1)]


def test_scopes_are_overall_category_and_country(lake, shop):
    lines = [line("o1", "a", 3), line("o2", "b", 2, country="FR"), line("o2", "a", 1, country="FR"), line("o3", "n", 1)]
    shop([*lines, line("o4", "a", 1, country=None)], products=[product("a", "Home"), product("b", "Toys")])
    assert chart(lake, "2024-01-03") == [("a", 5), ("b", 2), ("n", 1)]
    assert chart(lake, "2024-01-03", "category", "Home") == [("a", 5)]
    assert chart(lake, "2024-01-03", "category", "Toys") == [("b", 2)]
    assert chart(lake, "2024-01-03", "country", "DE") == [("a", 3), ("n", 1)]
    assert chart(lake, "2024-01-03", "country", "FR") == [("b", 2), ("a", 1)]
    assert place(lake, "2024-01-03", "a").product_name == "The a"


def test_buyers_are_distinct_known_people(lake, shop):
    people = ["s1", "s1", "s2", None, None]
    shop([line(f"o{n}", "a", subject=name) for n, name in enumerate(people)], [comeback("a")])
    assert place(lake, "2024-01-03", "a").buyers == 2
    assert place(lake, "2024-01", "a").units == 4


def test_rank_change_is_against_the_period_before(lake, shop):
    lines = [line("o1", "a", 5), line("o1", "b", 1), line("o2", "a", 1, day=NEXT), line("o2", "b", 5, day=NEXT)]
    shop([*lines, line("o2", "c", 9, day=NEXT)], days=Days.single(NEXT))
    best, new = place(lake, "2024-01-04", "b"), place(lake, "2024-01-04", "c")
    assert (best["rank"], best.previous_rank, best.rank_change) == (2, 2, 0)
    assert (place(lake, "2024-01-04", "a").rank_change) == -2
    assert (new["rank"], new.previous_rank, new.rank_change) == (1, None, None)


def test_a_gap_of_a_period_leaves_no_previous_rank(lake, shop):
    later = DAY + timedelta(2)
    shop([line("o1", "a"), line("o2", "a", day=later)], days=Days(DAY, later))
    assert place(lake, "2024-01-05", "a").previous_rank is None


def test_rebuilding_a_day_corrects_the_rank_change_of_the_day_after(lake, shop):
    lines = [line("o2", "a", 2, day=NEXT), line("o2", "b", 1, day=NEXT)]
    shop([*lines, line("o1", "a", 2)], days=Days(DAY, NEXT))
    shop([*lines, line("o1", "a", 2), line("o3", "b", 9)])
    assert place(lake, "2024-01-04", "a").rank_change == 1


def test_days_one_by_one_and_all_at_once_give_the_same_rows(lake, shop):
    lines = [line(f"o{n}", f"p{n % 3}", n % 4 + 1, day=DAY + timedelta(n % 5), subject=f"s{n % 6}") for n in range(30)]
    days = Days(DAY, DAY + timedelta(4))
    shop(lines, days=days)
    at_once = sorted(lake.read("marts.bestsellers_exact").collect())
    for day in days:
        bestsellers_exact.run(lake, Days.single(day))
    assert sorted(lake.read("marts.bestsellers_exact").collect()) == at_once


def test_charts_counted_in_slices_of_people_are_those_counted_at_once(lake, shop, monkeypatch):
    lines = [
        line(f"o{n}", f"p{n * n % 7}", 1 + n % 60, subject=f"s{n % 11}", country="DE" if n % 3 else None)
        for n in range(60)
    ]
    shop([*lines, line("guest", "p1", 9, subject=None)], [comeback("p1", 2, sale_day=DAY, order_id="o1")])
    at_once = sorted(lake.read("marts.bestsellers_exact").drop("revision").collect(), key=str)
    monkeypatch.setattr(bestsellers_exact, "SLICE_MOVEMENTS", 9)
    bestsellers_exact.run(lake, Days.single(DAY))
    assert sorted(lake.read("marts.bestsellers_exact").drop("revision").collect(), key=str) == at_once != []


def test_no_sales_is_an_empty_table_and_a_warning(lake):
    report = bestsellers_exact.run(lake, Days.single(DAY))
    assert report.rows_out == 0
    assert "no sales" in report.warnings[0]
    assert lake.count("marts.bestsellers_exact") == 0


def editions(lake, period_id="2024-01-03"):
    rows = lake.read("marts.bestsellers_exact").where(f"period_id = '{period_id}' and scope = 'overall'").collect()
    return {(row.revision, row.restated_why) for row in rows}


def test_every_level_of_the_tree_has_its_charts(lake, shop):
    deep = product("a") | {"category_path": "Home/Kitchen/Mugs"}
    shop([line("o1", "a", 3), line("o2", "b", 5)], products=[deep, product("b") | {"category_path": "Home/Kitchen"}])
    assert chart(lake, "2024-01-03", "category", "Home") == [("b", 5), ("a", 3)]
    assert chart(lake, "2024-01-03", "category", "Home/Kitchen") == [("b", 5), ("a", 3)]
    assert chart(lake, "2024-01-03", "category", "Home/Kitchen/Mugs") == [("a", 3)]
    rows = lake.read("marts.bestsellers_exact").where("scope = 'category' and period = 'day'").collect()
    assert {(row.scope_value, row.level) for row in rows} == {
        ("Home", 1),
        ("Home/Kitchen", 2),
        ("Home/Kitchen/Mugs", 3),
    }


def test_trailing_days_end_with_the_day_and_a_year_with_its_last(lake, shop):
    days = [DAY - timedelta(30), DAY - timedelta(29), DAY - timedelta(7), DAY - timedelta(6), DAY]
    shop([line(f"o{n}", "a", 10**n, day=day) for n, day in enumerate(days[:2])], days=Days.single(date(2023, 12, 31)))
    assert chart(lake, "2023") == [("a", 11)]
    shop([line(f"o{n}", "a", 2**n, day=day) for n, day in enumerate(days)])
    assert chart(lake, "2024-01-03-30d") == [("a", 30)]
    assert chart(lake, "2024-01-03-7d") == [("a", 24)]
    assert chart(lake, "2024") == []


def test_one_account_that_buys_a_million_counts_as_a_hundred(lake, shop):
    shop(
        [
            line("o1", "a", 1_000_000, price="2.00", subject="x"),
            *(line(f"p{n}", "b", 60, subject=f"s{n}") for n in "12"),
        ]
    )
    assert chart(lake, "2024-01-03") == [("b", 120), ("a", 100)]
    assert place(lake, "2024-01-03", "a").revenue == Decimal("200.00")


def test_test_orders_do_not_count(lake, shop):
    shop([line("o1", "a", 9), line("o2", "b")], orders=[order("o1") | {"is_test": True}])
    assert chart(lake, "2024-01-03") == [("b", 1)]


def test_revenue_is_in_the_reporting_currency(lake, shop):
    fill(lake, "lake.exchange_rates", [
        {"currency": "USD", "valid_from": DAY, "rate": Decimal("0.9"), "reporting_currency": "EUR"}
    ])  # fmt: skip
    shop([line("o1", "a", 2, price="10.00"), line("o2", "a", price="1.00")], orders=[order("o1") | {"currency": "USD"}])
    found = place(lake, "2024-01-03", "a")
    assert (found.revenue, found.currency) == (Decimal("19.00"), "EUR")


def test_a_currency_without_a_rate_leaves_the_last_good_chart(lake, shop):
    shop([line("o1", "a", 2)])
    with pytest.raises(ContractError, match="no rate to EUR for XAU on 2024-01-03"):
        shop([line("o1", "a", 2), line("o2", "a")], orders=[order("o2") | {"currency": "XAU"}])
    assert chart(lake, "2024-01-03") == [("a", 2)]


def test_a_product_without_a_name_is_called_by_its_number(lake, shop):
    shop([line("o1", "a")], products=[product("a") | {"name": None}])
    assert place(lake, "2024-01-03", "a").product_name == "a"


def test_a_change_after_the_end_of_a_period_is_a_restatement_with_its_reason(lake, shop):
    lines = [line(f"o{n}", "a", subject=f"s{n}") for n in range(3)]
    shop(lines, days=Days.single(DAY))
    assert editions(lake) == {(1, None)}
    assert editions(lake, "2024-01") == {(0, None)}
    shop([*lines, line("late", "a", subject="x")], days=Days.single(NEXT))
    assert editions(lake) == {(1, None)}, "nothing of the day was pulled again"
    late = [*lines, line("late", "a", subject="x") | {"pull_day": NEXT}]
    shop(late, days=Days.single(NEXT))
    assert editions(lake) == {(2, "late orders")}
    shop(late, [comeback("a", day=NEXT, sale_day=DAY, order_id="o0")], days=Days.single(NEXT))
    assert editions(lake) == {(3, "returns")}
    assert editions(lake, "2024-01") == {(0, None)}


def test_the_same_numbers_again_are_no_restatement(lake, shop):
    lines = [line("o1", "a", subject="x")]
    shop(lines)
    before = sorted(lake.read("marts.bestsellers_exact").collect())
    shop(lines)
    assert sorted(lake.read("marts.bestsellers_exact").collect()) == before


def test_weeks_on_the_chart_count_earlier_weeks_and_this_one(lake, shop):
    weeks = [DAY + timedelta(7 * n) for n in (0, 1, 3)]
    lines = [line(f"o{n}", "a", day=day) for n, day in enumerate(weeks)]
    for day in weeks:
        shop(lines, days=Days.single(day))
    last = place(lake, "2024-W04", "a")
    assert (last.weeks_on_chart, last.is_new_entry, last.previous_rank) == (3, True, None)
    assert place(lake, "2024-W02", "a").weeks_on_chart == 2
    assert place(lake, "2024-01-24", "a").weeks_on_chart == 3
