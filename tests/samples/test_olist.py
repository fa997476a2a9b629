from collections import Counter
from pathlib import Path

import pytest

from jobs.errors import SourceError
from jobs.samples import olist
from jobs.settings import Settings
from tests.samples.reading import read_carrier, read_csv, read_table


def test_names_a_missing_file(tmp_path: Path):
    with pytest.raises(SourceError, match="olist_orders_dataset"):
        olist.write_drops(tmp_path, Settings(home=str(tmp_path / "lake")))


@pytest.mark.real_data
def test_every_order_item_and_delivery_time_becomes_a_row(real_data: Path, tmp_path: Path):
    rows = olist.write_drops(real_data, Settings(home=str(tmp_path / "lake")))
    root = tmp_path / "lake.sources"
    raw = {
        name: read_csv(real_data / "olist" / f"olist_{name}_dataset.csv.gz")
        for name in ("orders", "order_items", "customers", "products")
    }
    times = [(row["order_id"], row[column]) for row in raw["orders"] for column in olist.EVENTS if row[column]]
    assert rows == {
        "customers": len({row["customer_unique_id"] for row in raw["customers"]}),
        "products": len(raw["products"]),
        "orders": len(raw["orders"]),
        "order_lines": len(raw["order_items"]),
        "carrier_updates": len(times),
    }
    tables = {table: read_table(root, table) for table in rows if table != "carrier_updates"}
    assert {table: len(tables[table]) for table in tables} == {table: rows[table] for table in tables}
    updates = list(read_carrier(root / "carriers" / olist.CARRIER))
    assert Counter((r["order_id"], r["event_time"]) for _, r in updates if r) == Counter(times)
    assert all(day == record["event_time"][:10] for day, record in updates if record)
    assert len({record["tracking_no"] for _, record in updates if record}) == len({order for order, _ in times})
    person = {row["customer_id"]: row["customer_unique_id"] for row in raw["customers"]}
    assert Counter(row["customer_id"] for row in tables["orders"]) == Counter(person.values())
    items = Counter((row["order_id"], int(row["order_item_id"]), float(row["price"])) for row in raw["order_items"])
    assert Counter((row["order_id"], row["line_no"], row["unit_price"]) for row in tables["order_lines"]) == items
    cancelled = {row["order_id"] for row in raw["orders"] if row["order_status"] in ("canceled", "unavailable")}
    assert {row["order_id"] for row in tables["orders"] if row["status"] == "cancelled"} == cancelled
    assert {row["consented_at"] for row in tables["customers"]} == {None}
