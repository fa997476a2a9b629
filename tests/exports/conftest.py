"""A small shop: one person of each kind, with clicks and installs."""

from datetime import UTC, date, datetime

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
PARTNERS = "partners:\n- {name: adnet-eu, countries: [DE, FR]}\n- {name: worldads, countries: [all]}\n"


def fill(lake, table, rows, partitions=None):
    contract = lake.contracts[table]
    values = [tuple(row.get(name) for name in contract.column_names) for row in rows]
    lake.replace(table, lake.session.createDataFrame(values, contract.engine_schema()), partitions=partitions)


@pytest.fixture
def shop(lake):
    subject = {"country": "DE", "adult_from": date(2000, 1, 1), "ads_opt_out": False, "personalisation_opt_out": False}
    subject |= {"subject_bucket": 7, "updated_at": LONG_AGO}
    people = [{**subject, "subject_id": name, "person_id": name, **odd} for name, odd in SUBJECTS.items()]
    fill(lake, "lake.subjects", people)
    click = {"day": date(2024, 3, 2), "event_time": LONG_AGO, "subject_bucket": 7, "action": "view"}
    click |= {"pull_day": DAY}
    fill(lake, "lake.clicks", [{**click, "event_id": n, "session_id": n, **odd} for n, odd in enumerate(CLICKS)])
    product = {"name": "A thing", "category_path": "x", "is_merchandise": True, "updated_at": LONG_AGO}
    fill(lake, "lake.products", [{**product, "product_id": p, "category": c} for p, c in PRODUCTS.items()])
    lake.settings.partners.parent.mkdir(parents=True, exist_ok=True)
    lake.settings.partners.write_text(PARTNERS)
    return lake
