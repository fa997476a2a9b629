"""A small shop: one person of each kind, with clicks and installs."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

DAY = date(2024, 3, 31)
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
SUBJECTS = {
    "adult": {},
    "second": {"person_id": "adult"},
    "french": {"country": "FR"},
    "american": {"country": "US"},
    "opted": {"ads_opt_out": True},
    "opted-other": {"person_id": "opted"},
    "minor": {"adult_from": date(2024, 4, 1)},
    "ageless": {"adult_from": None},
    "closed": {"closed_on": date(2024, 3, 1)},
}
CLICKS = [
    {"subject_id": "adult", "product_id": "MUG"},
    {"subject_id": "second", "product_id": "MUG"},
    {"subject_id": "adult", "product_id": "LAMP"},
    {"subject_id": "adult", "product_id": "LAMP", "flag": "bot"},
    {"subject_id": "adult", "product_id": "LAMP", "flag": "bot"},
    {"subject_id": "adult", "product_id": "LAMP", "day": date(2024, 3, 1)},
    {"subject_id": "adult", "product_id": "LAMP", "day": date(2024, 4, 1)},
    {"subject_id": "french", "product_id": "LAMP"},
    {"subject_id": "french", "product_id": "MUG"},
    {"subject_id": "guest", "product_id": "MUG"},
    *(
        {"subject_id": who, "action": "install", "app_id": "app-1", "day": day}
        for who in ("adult", "opted", "minor", "guest")
        for day in (date(2024, 1, 5), date(2024, 2, 1))
    ),
    {"subject_id": "french", "action": "install", "app_id": "app-2", "day": date(2024, 4, 1)},
    {"subject_id": "french", "action": "install", "app_id": None},
]
PRODUCTS = {"MUG": "Kitchen", "LAMP": "Home"}
PARTNERS = """
partners:
- {name: adnet-eu, countries: [DE, FR], minimum_segment: 2}
- {name: worldads, countries: [all], minimum_segment: 2}
"""
ORDERS = {
    "by-adult": {"subject_id": "adult"},
    "by-second": {"subject_id": "second"},
    "cancelled": {"subject_id": "french", "cancelled_at": LONG_AGO},
    "long-ago": {"subject_id": "french", "day": date(2024, 2, 25)},
    "tomorrow": {"subject_id": "french", "day": date(2024, 4, 1)},
    "by-guest": {"subject_id": "guest"},
    "by-nobody": {"subject_id": None},
    "by-opted": {"subject_id": "opted"},
}
LINES = [
    *({"order_id": order, "product_id": "MUG"} for order in ORDERS),
    {"order_id": "by-adult", "product_id": "MUG", "quantity": 3},
    {"order_id": "by-adult", "product_id": "STAMP"},
    {"order_id": "by-adult", "product_id": "LAMP", "unit_price": Decimal(0)},
    {"order_id": "by-second", "product_id": "unknown"},
]


SUBJECT = {
    "country": "DE",
    "adult_from": date(2000, 1, 1),
    "ads_opt_out": False,
    "personalisation_opt_out": False,
    "subject_bucket": 7,
    "updated_at": LONG_AGO,
}


def fill(lake, table, rows, partitions=None):
    contract = lake.contracts[table]
    values = [tuple(row.get(name) for name in contract.column_names) for row in rows]
    lake.replace(table, lake.session.createDataFrame(values, contract.engine_schema()), partitions=partitions)


def fill_subjects(lake, subjects):
    people = [{**SUBJECT, "subject_id": name, "person_id": name, **odd} for name, odd in subjects.items()]
    fill(lake, "lake.subjects", people)


def fill_sales(lake):
    product = {"name": "A thing", "category_path": "x", "is_merchandise": True, "updated_at": LONG_AGO}
    products = [{**product, "product_id": name, "category": category} for name, category in PRODUCTS.items()]
    postage = {**product, "product_id": "STAMP", "category": "Post", "is_merchandise": False}
    fill(lake, "lake.products", [*products, postage])
    common = {"day": date(2024, 3, 2), "pull_day": DAY, "subject_bucket": 7, "ordered_at": LONG_AGO}
    orders = {name: {**common, "order_id": name, "status": "paid", **odd} for name, odd in ORDERS.items()}
    fill(lake, "lake.orders", [{**order, "updated_at": LONG_AGO} for order in orders.values()])
    line = {"quantity": 1, "unit_price": Decimal("7.50")}
    lines = [{**orders[odd["order_id"]], **line, "line_id": number, **odd} for number, odd in enumerate(LINES)]
    fill(lake, "lake.order_lines", lines)


@pytest.fixture
def shop(lake):
    fill_subjects(lake, SUBJECTS)
    click = {"day": date(2024, 3, 2), "event_time": LONG_AGO, "subject_bucket": 7, "action": "view"}
    click |= {"pull_day": DAY}
    fill(lake, "lake.clicks", [{**click, "event_id": n, "session_id": n, **odd} for n, odd in enumerate(CLICKS)])
    fill_sales(lake)
    lake.settings.partners.parent.mkdir(parents=True, exist_ok=True)
    lake.settings.partners.write_text(PARTNERS)
    return lake
