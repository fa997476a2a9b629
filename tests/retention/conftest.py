"""Tables with rows on both sides of their terms, as of 30 June 2024."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.retention import shelf
from jobs.retention.applying import apply_plan
from jobs.retention.approvals import approve_plan
from jobs.retention.planning import make_plan

DAY = date(2024, 6, 30)


def moment(*parts):
    return datetime(*parts, tzinfo=UTC)


ROWS = {
    "landing.clickstream": [
        {"pull_day": day, "source": "f", "line_no": 1, "raw": "{}"}
        for day in (date(2024, 5, 29), date(2024, 5, 30), date(2024, 5, 31), date(2024, 6, 30))
    ],
    "marts.bestsellers": [
        {"period_id": name, "period": "month", "period_start": start, "period_end": start, "scope": "overall"}
        | {"scope_value": "all", "product_id": "P", "product_name": "P", "rank": 1, "is_new_entry": False}
        | {"buyers": 1, "buyers_margin": 1, "units": 1, "units_margin": 1, "revenue": Decimal(1), "revenue_margin": 1}
        | {"currency": "EUR", "revision": 1, "released_at": moment(2024, 6, 1), "release_id": "r"}
        | {"rho": 0.1, "epsilon": 1.0, "delta": 1e-6}
        for name, start in (("2019-06", date(2019, 6, 1)), ("2024-05", date(2024, 5, 1)))
    ],
    "lake.subjects": [
        {"subject_id": f"s{n}", "subject_bucket": n, "person_id": f"p{n}", "ads_opt_out": False}
        | {"personalisation_opt_out": False, "closed_on": closed, "updated_at": moment(2020, 1, 1)}
        for n, closed in enumerate((None, date(2021, 6, 29), date(2021, 6, 30), date(2024, 1, 1)))
    ],
    "lake.parcels": [
        {
            "parcel_id": f"c{n}",
            "order_id": "o",
            "carrier": "c",
            "state": "delivered",
            "failed_attempts": 0,
            "last_event_at": at,
        }
        for n, at in enumerate((moment(2021, 6, 29, 23, 59, 59), moment(2021, 6, 30)))
    ],
}


def fill(lake, table, rows):
    contract = lake.contracts[table]
    values = [tuple(row.get(name) for name in contract.column_names) for row in rows]
    lake.replace(table, lake.session.createDataFrame(values, contract.engine_schema()))


def forget(lake, day):
    """A plan, approved and applied; what it deletes."""
    name = shelf.keep_plan(lake, make_plan(lake, day))
    approve_plan(lake, name, by="the tests")
    return apply_plan(lake, name)


def list_data_files(lake, table):
    return sorted(path.name for path in Path(lake.location(table)).rglob("*.parquet"))


@pytest.fixture
def aged(lake):
    for table, rows in ROWS.items():
        fill(lake, table, rows)
    return lake


@pytest.fixture
def packages(lake):
    folders = [Path(lake.home) / "exports" / "adnet" / day for day in ("2024-03-31", "2024-04-01", "2024-06-30")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "additions-0000.parquet").write_bytes(b"12345")
        (folder / "manifest.json").write_text('{"files": {"additions-0000.parquet": {"rows": 3}}}')
    return folders
