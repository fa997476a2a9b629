"""What shops send that they should not: it counts as stated or is refused in one clear line, and the last good table stays."""

from datetime import timedelta

import pytest
from deltalake import write_deltalake

from jobs.errors import BudgetError, ContractError, UsageError
from jobs.lake import Days
from jobs.marts import also_bought, bestsellers, bestsellers_exact
from tests.marts.tables import DAY, comeback, fill, line, order, product
from tests.marts.test_bestsellers import chart, crowd, lake, quiet, sell, spent, write_terms

__all__ = ["lake", "quiet"]

CHARTS, EXACT, PAIRS = "marts.bestsellers", "marts.bestsellers_exact", "marts.also_bought"
NEXT = DAY + timedelta(1)


def run(lake, day=DAY):
    for step in (bestsellers_exact, bestsellers, also_bought):
        report = step.run(lake, Days.single(day))
    return report


def exact(lake, condition="scope = 'overall'"):
    rows = lake.read(EXACT).where(f"period_id = '{DAY}' and {condition}").collect()
    return {row.product_id: (row.units, row.buyers) for row in rows}


def published(lake):
    return {row.product_id: (row.units, row.buyers) for row in chart(lake)}


def test_one_account_that_buys_a_million_is_one_buyer_of_what_one_person_may_add(quiet, lake):
    sell(lake, [*crowd(6, "a"), line("o1", "b", 1_000_000, subject="x")])
    run(lake)
    assert exact(lake) == {"a": (6, 6), "b": (100, 1)}
    assert published(lake) == {"a": (6, 6), "b": (5, 1)}


def test_negative_prices_neither_sell_nor_pair_nor_take_revenue_away(quiet, lake):
    bad = [line(f"sa{n}", "b", 9, price="-5.00", subject=f"s{n}") for n in range(6)]
    sell(lake, [*crowd(6, "a"), *bad], [comeback("a", 3, price="-1.00", sale_day=DAY)])
    run(lake)
    assert exact(lake) == published(lake) == {"a": (6, 6)}
    assert [row.revenue for row in chart(lake)] == [6]
    assert lake.count(PAIRS) == 0


def test_a_path_of_categories_that_comes_back_to_itself_ends(quiet, lake):
    sell(lake, crowd(6, "a"))
    loop = "/".join(["Home", "Kitchen"] * 50)
    fill(lake, "lake.products", [product("a") | {"category_path": loop}])
    run(lake)
    scopes = [row.scope_value for row in chart(lake, scope="category")]
    assert [scope.count("/") for scope in sorted(scopes, key=len)] == list(range(8))


def test_a_product_without_a_name_is_published_under_its_number(quiet, lake):
    sell(lake, crowd(6, "a"))
    fill(lake, "lake.products", [product("a") | {"name": None}])
    run(lake)
    assert {row.product_name for row in chart(lake)} == {"a"}


def test_a_currency_without_a_rate_leaves_all_charts_as_they_were(quiet, lake):
    sell(lake, crowd(6, "a"))
    run(lake)
    before, cost = (exact(lake), published(lake)), spent(lake)
    sell(lake, crowd(7, "a"))
    fill(lake, "lake.orders", [order(f"sa{n}") | {"currency": "XAU"} for n in range(7)])
    for step in (bestsellers_exact, bestsellers):
        with pytest.raises(ContractError, match=f"no rate to EUR for XAU on {DAY}"):
            step.run(lake, Days.single(DAY))
    assert ((exact(lake), published(lake)), spent(lake)) == (before, cost)


def test_a_day_without_sales_has_empty_charts_and_the_day_before_keeps_its_own(quiet, lake):
    sell(lake, crowd(6, "a"))
    run(lake)
    before = chart(lake)
    run(lake, NEXT)
    assert chart(lake, str(NEXT)) == []
    assert chart(lake) == before


def test_a_budget_lowered_by_hand_refuses_what_is_new_and_returns_what_was_paid(quiet, lake, tmp_path):
    sell(lake, crowd(6, "a"))
    run(lake)
    before = chart(lake)
    write_terms(tmp_path / "budgets.yaml", allowed=50.0)
    run(lake)
    assert chart(lake) == before
    sell(lake, crowd(7, "a"))
    with pytest.raises(
        BudgetError, match=r"requested rho 100 .*, spent 100, remaining 0 of 50.* The last release stays"
    ):
        run(lake)
    assert (chart(lake), spent(lake)) == (before, {"2024-01": 100.0})


def test_a_budgets_file_that_was_broken_by_hand_stops_the_run_in_one_line(quiet, lake, tmp_path):
    sell(lake, crowd(6, "a"))
    run(lake)
    before = chart(lake)
    text = (tmp_path / "budgets.yaml").read_text()
    (tmp_path / "budgets.yaml").write_text(text.replace("rho: 9000.0", "rho: a lot"))
    with pytest.raises(UsageError, match="a lot") as caught:
        bestsellers.run(lake, Days.single(DAY))
    assert "\n" not in str(caught.value)
    assert chart(lake) == before


def test_a_ledger_that_was_edited_by_hand_releases_nothing(quiet, lake):
    sell(lake, crowd(6, "a"))
    run(lake)
    before = chart(lake)
    charges = lake.read_arrow("ledger.privacy_charges")
    cheap = charges.set_column(charges.schema.get_field_index("rho"), "rho", [[0.0] * charges.num_rows])
    location = lake.location("ledger.privacy_charges")
    write_deltalake(location, cheap.cast(charges.schema), mode="overwrite")
    sell(lake, crowd(7, "a"))
    with pytest.raises(BudgetError, match="not as it was written; nothing is released until the ledger is restored"):
        run(lake)
    assert chart(lake) == before
