"""The catalogue: one row per product, categories and prices by stated rules."""

from decimal import Decimal

from jobs.conform import products
from tests.conform.landed import DAYS, land, reasons, rows


def product(product_id="P1", **changes):
    full = {"name": "Mug", "category_path": "Home/Mugs", "unit_price": "4.25", "updated_at": "2024-01-31 08:00:00"}
    return {"product_id": product_id, **full, **changes}


def test_takes_the_top_level_of_the_path_as_category(lake):
    land(
        lake,
        "products",
        product("P1", category_path=" /Home / Mugs/ "),
        product("P2", category_path=None),
        product("P3", category_path=" // "),
        product("P4", category_path="Home/Kitchen/Home/Kitchen/Mugs"),
    )
    products.run(lake, DAYS)
    assert rows(lake, "lake.products", "product_id", "category", "category_path") == [
        {"product_id": "P1", "category": "Home", "category_path": "Home/Mugs"},
        {"product_id": "P2", "category": "Uncategorised", "category_path": "Uncategorised"},
        {"product_id": "P3", "category": "Uncategorised", "category_path": "Uncategorised"},
        {"product_id": "P4", "category": "Home", "category_path": "Home/Kitchen/Mugs"},
    ]


def test_a_bad_price_is_unknown_and_missing_merchandise_flag_is_true(lake):
    land(
        lake,
        "products",
        product("P1", unit_price="abc"),
        product("P2", unit_price="-1", is_merchandise="0"),
        product("P3", unit_price="1.005"),
    )
    products.run(lake, DAYS)
    assert rows(lake, "lake.products", "product_id", "unit_price", "is_merchandise") == [
        {"product_id": "P1", "unit_price": None, "is_merchandise": True},
        {"product_id": "P2", "unit_price": None, "is_merchandise": False},
        {"product_id": "P3", "unit_price": Decimal("1.01"), "is_merchandise": True},
    ]


def test_keeps_the_newest_of_two_rows_and_counts_the_other(lake):
    land(lake, "products", product(name="New", updated_at="2024-01-31 09:00:00"), product(name="Old"))
    report = products.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (2, 1, 1, 0)
    assert [row["name"] for row in rows(lake, "lake.products")] == ["New"]


def test_refuses_rows_without_id_or_time(lake):
    land(lake, "products", product(None), product(updated_at="soon"))
    report = products.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.quarantined) == (2, 0, 2)
    assert reasons(lake, "products") == [products.NO_PRODUCT, products.BAD_UPDATE]


def test_an_older_pull_changes_nothing(lake):
    land(lake, "products", product(name="New"))
    products.run(lake, DAYS)
    land(lake, "products", product(name="Old", updated_at="2023-12-31 08:00:00"))
    products.run(lake, DAYS)
    assert [row["name"] for row in rows(lake, "lake.products")] == ["New"]
