"""Small hand-written tables: only what a test is about is spelled out, the rest is filled in."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import xxhash

from jobs.lake import Lake

DAY = date(2024, 1, 3)
_NUMBERS = count(1)
_FILLERS = {
    "string": "x",
    "boolean": False,
    "int": 0,
    "bigint": 0,
    "double": 0.0,
    "date": DAY,
    "timestamp": datetime(2024, 1, 3, 12, tzinfo=UTC),
}


def fill(lake: Lake, table: str, rows: list[dict]) -> None:
    """Replace a table by rows; required columns that a row leaves out get a filler, others null.

    Short names of people become pseudonyms, see :func:`name_of`.
    """
    contract = lake.contracts[table]
    rows = [_alone(row) | name_person(row["subject_id"]) if row.get("subject_id") else row for row in rows]
    full = [
        tuple(
            row.get(column.name, _FILLERS.get(column.type) if column.required else None) for column in contract.columns
        )
        for row in rows
    ]
    lake.replace(table, lake.session.createDataFrame(full, contract.engine_schema()))


def _alone(row: dict) -> dict:
    """With an account of its own, unless the row tells one."""
    return {"person_id": name_person(row["subject_id"])["subject_id"], **row}


def name_person(name: str) -> dict:
    """The pseudonym of a short name, and its bucket."""
    subject_id = pseudonym(name)
    return {"subject_id": subject_id, "subject_bucket": xxhash.xxh64(subject_id.encode(), seed=42).intdigest() % 256}


def pseudonym(name: str) -> str:
    return name.encode().hex().ljust(32, "0")


def name_of(subject_id: str) -> str:
    return bytes.fromhex(subject_id).rstrip(b"\0").decode()


def at(day: date, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)


def line(order: str, product: str, quantity: int = 1, *, day=DAY, price="1.00", subject=None, country="DE") -> dict:
    return {
        "day": day,
        "line_id": next(_NUMBERS),
        "order_id": order,
        "subject_id": subject,
        "product_id": product,
        "quantity": quantity,
        "unit_price": Decimal(price),
        "country": country,
        "ordered_at": at(day),
        "pull_day": day,
    }


def order(order_id: str, *, day=DAY, status="paid", country="DE", cancelled_on=None) -> dict:
    cancelled_at = at(cancelled_on) if cancelled_on else None
    row = {"order_id": order_id, "day": day, "status": status, "country": country, "pull_day": day}
    return row | {"ordered_at": at(day), "cancelled_at": cancelled_at, "updated_at": at(day)}


def comeback(product: str, quantity: int = 1, *, day=DAY, sale_day=None, price="1.00", order_id=None) -> dict:
    row = {"line_id": next(_NUMBERS), "product_id": product, "quantity": quantity, "unit_price": Decimal(price)}
    return row | {"day": day, "sale_day": sale_day, "order_id": order_id, "country": "DE", "pull_day": day}


def product(product_id: str, category: str = "Home", *, is_merchandise: bool = True) -> dict:
    row = {"product_id": product_id, "name": f"The {product_id}", "category": category}
    return row | {"category_path": f"{category}/Any", "is_merchandise": is_merchandise}


def click(subject: str, product_id: str | None, minute: int = 0, *, day=DAY, session=1, action="view", flag=None):
    row = {"day": day, "event_id": next(_NUMBERS), "event_time": at(day, minute), "subject_id": subject}
    return row | {"session_id": session, "action": action, "product_id": product_id, "flag": flag, "pull_day": day}


def subject(subject_id: str, *, personalisation_opt_out: bool = False, closed_on: date | None = None) -> dict:
    return {
        "subject_id": subject_id,
        "personalisation_opt_out": personalisation_opt_out,
        "closed_on": closed_on,
    }
