"""Small landing tables, written as the pulls write them, and the rows that came of them."""

from collections import defaultdict
from datetime import UTC, date, datetime

from jobs.lake import Days

DAY = date(2024, 1, 31)
DAYS = Days.single(DAY)
NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


def land(lake, table, *rows, days=DAYS):
    """Replace a landing table's days by rows; what a row does not name is null, its day is the first one."""
    contract = lake.contracts[f"landing.{table}"]
    numbers = defaultdict(int)
    full = []
    for row in rows:
        numbers[row.get("pull_day", days.first)] += 1
        own = {"pull_day": days.first, "row_no": numbers[row.get("pull_day", days.first)], **row}
        own.setdefault("line_no", None)
        assert set(row) <= set(contract.column_names), f"{set(row) - set(contract.column_names)} are no columns"
        full.append(tuple(own.get(name) for name in contract.column_names))
    frame = lake.session.createDataFrame(full, contract.engine_schema()) if full else lake.empty(contract.name)
    lake.replace(contract.name, frame, partitions=[str(day) for day in days])


def rows(lake, table, *names):
    """All rows of a table as dictionaries (of some columns), in one order."""
    frame = lake.read(table)
    found = [row.asDict() for row in (frame.select(*names) if names else frame).collect()]
    return sorted(found, key=lambda row: [(value is None, str(value)) for value in row.values()])


def reasons(lake, table):
    """Why lines are in quarantine, in order."""
    return sorted(row["reason"] for row in rows(lake, f"quarantine.{table}"))


def order(order_id="o1", **changes):
    """A row of ``landing.orders``."""
    return {
        "order_id": order_id,
        "email": "ann@example.com",
        "country": "DE",
        "status": "paid",
        "ordered_at": "2024-01-31 09:00:00",
        "updated_at": "2024-01-31 09:05:00",
        **changes,
    }


def line(order_id="o1", **changes):
    """A row of ``landing.order_lines``."""
    return {
        "order_id": order_id,
        "line_no": "1",
        "product_id": "P1",
        "quantity": "2",
        "unit_price": "4.25",
        "updated_at": "2024-01-31 09:05:00",
        **changes,
    }


def customer(customer_id="c1", **changes):
    """A row of ``landing.customers``."""
    return {
        "customer_id": customer_id,
        "email": f"{customer_id}@example.com",
        "full_name": "Ann Lee",
        "phone": "+49 1",
        "birth_date": "1990-05-17",
        "country": "DE",
        "street": "Long Road 1",
        "city": "Bonn",
        "postcode": "53111",
        "ads_opt_out": "0",
        "personalisation_opt_out": "0",
        "created_at": "2020-01-01 00:00:00",
        "updated_at": "2024-01-31 08:00:00",
        **changes,
    }
