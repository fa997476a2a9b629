from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from jobs.errors import SourceError
from jobs.exports.partners import load_eligibility
from jobs.samples import online_retail
from jobs.settings import Settings
from tests.samples.reading import read_table


def make_invoice_lines() -> pd.DataFrame:
    """Two sales, a stock correction, a bad debt and a return, with the set's oddities."""
    rows = [
        ("536001", "85123A", "WHITE HEART", 6, "2010-12-01 08:27:00", 2.55, 17850, "United Kingdom"),
        ("536001", "85123A", "WHITE HEART", 6, "2010-12-01 08:26:00", 2.55, 17850, "United Kingdom"),
        ("536002", "POST", "POSTAGE", 1, "2010-12-02 09:00:00", 18.0, 17850, "France"),
        ("536003", "22222", None, -9, "2010-12-02 10:00:00", 0.0, None, "United Kingdom"),
        ("A536004", "B", "Adjust bad debt", 1, "2010-12-03 10:00:00", -11062.06, None, "United Kingdom"),
        ("C536005", "85123A", "wrong name", -2, "2010-12-04 10:00:00", 2.55, 17850, "France"),
    ]
    names = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
    invoice_lines = pd.DataFrame(rows, columns=names)
    invoice_lines["InvoiceDate"] = pd.to_datetime(invoice_lines["InvoiceDate"])
    return invoice_lines.astype({"Quantity": "int32"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_invoice_lines().to_parquet(tmp_path / online_retail.FILE)
    online_retail.write_drops(tmp_path, Settings(home=str(tmp_path / "lake")))
    return tmp_path / "lake.sources"


def test_an_order_has_its_invoice_s_earliest_time(root: Path):
    orders = {row["order_id"]: row for row in read_table(root, "orders")}
    assert list(orders) == ["536001", "536002", "536003", "A536004"]
    assert orders["536001"]["ordered_at"] == orders["536001"]["updated_at"] == "2010-12-01 08:26:00"
    assert orders["536003"]["customer_id"] is None
    assert orders["536003"]["email"] is None


def test_keeps_odd_quantities_and_prices_and_repeated_lines(root: Path):
    lines = [(row["order_id"], row["quantity"], row["unit_price"]) for row in read_table(root, "order_lines")]
    assert lines[:2] == [("536001", 6, 2.55)] * 2
    assert ("536003", -9, 0.0) in lines
    assert ("A536004", 1, -11062.06) in lines


def test_invoices_beginning_with_c_are_returns_with_positive_quantity(root: Path):
    (returned,) = read_table(root, "returns")
    assert (returned["return_id"], returned["order_id"], returned["quantity"]) == ("C536005", None, 2)


def test_a_product_has_its_most_frequent_name_and_a_category(root: Path):
    products = {row["product_id"]: row for row in read_table(root, "products")}
    assert (products["85123A"]["name"], products["85123A"]["category_path"]) == ("WHITE HEART", "Decoration")
    assert (products["POST"]["is_merchandise"], products["POST"]["category_path"]) == (0, "Services")
    assert (products["22222"]["name"], products["22222"]["unit_price"]) == (None, None)


def test_a_customer_has_the_latest_country_since_it_appeared(root: Path):
    (customer,) = read_table(root, "customers")
    assert (customer["country"], customer["created_at"]) == ("France", "2010-12-01 08:26:00")
    assert customer["updated_at"] == "2010-12-02 09:00:00"


def test_a_person_s_address_differs_only_in_letter_case(root: Path):
    written = {str(row["email"]) for row in read_table(root, "orders") if row["email"]}
    assert len(written) == 2
    assert len({address.lower() for address in written}) == 1


def test_a_set_that_knows_of_no_consent_has_none_and_no_policy(root: Path):
    assert {row["consented_at"] for row in read_table(root, "customers")} == {None}
    assert load_eligibility(root / "partners.yaml").policy_valid_from is None


def test_names_a_missing_file(tmp_path: Path):
    with pytest.raises(SourceError, match=online_retail.FILE):
        online_retail.write_drops(tmp_path, Settings(home=str(tmp_path / "lake")))


@pytest.mark.slow
@pytest.mark.real_data
def test_every_row_of_the_set_becomes_a_row(real_data: Path, tmp_path: Path):
    raw = pq.read_table(real_data / online_retail.FILE).to_pylist()
    sold = [row for row in raw if row["InvoiceNo"][0] != "C"]
    rows = online_retail.write_drops(real_data, Settings(home=str(tmp_path / "lake")))
    root = tmp_path / "lake.sources"
    assert rows == {
        "customers": len({row["CustomerID"] for row in raw} - {None}),
        "products": len({row["StockCode"] for row in raw}),
        "orders": len({row["InvoiceNo"] for row in sold}),
        "order_lines": len(sold),
        "returns": len(raw) - len(sold),
    }
    assert {table: len(read_table(root, table)) for table in rows} == rows
    assert len(raw) == 541_909

    def key(row: dict[str, object]) -> tuple[object, ...]:
        return row["InvoiceNo"], row["StockCode"], row["Quantity"], row["UnitPrice"], str(row["InvoiceDate"])

    written = Counter(
        (row["order_id"], row["product_id"], row["quantity"], row["unit_price"], row["updated_at"])
        for row in read_table(root, "order_lines")
    )
    returned = Counter(
        (row["return_id"], row["product_id"], -int(str(row["quantity"])), row["unit_price"], row["updated_at"])
        for row in read_table(root, "returns")
    )
    assert written + returned == Counter(key(row) for row in raw)
