"""The generated shop through every flow: what was planted is what is found."""

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.lake import Days, Lake
from jobs.runner import run_step
from jobs.settings import load_settings
from jobs.steps import FLOWS
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY

pytestmark = [pytest.mark.slow]

LAST_DAY = DEMO_FIRST_DAY + timedelta(days=DEMO_DAYS - 1)
ADDRESS = re.compile(rb"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+\.[a-z]{2,}")


def count(lake, table, condition="true"):
    return lake.read(table).where(condition).count()


def report_of(lake, step):
    (row,) = lake.read("ledger.step_runs").where(f"step = '{step}'").collect()
    return row


def test_every_line_of_the_clickstream_is_accounted_for(demo):
    lake, planted = demo
    report = report_of(lake, "conform.clicks")
    assert report.rows_in == planted.lines
    assert report.rows_out == planted.events == count(lake, "lake.clicks")
    assert report.duplicates == planted.duplicate_lines
    assert report.quarantined == sum(planted.malformed.values()) == count(lake, "quarantine.clicks")


def test_late_events_lie_in_their_own_day(demo):
    lake, planted = demo
    assert count(lake, "lake.clicks", "pull_day > day") == planted.late_lines > 0
    assert count(lake, "lake.clicks", "day <> to_date(event_time)") == 0


def test_bots_are_flagged_and_do_not_count(demo):
    lake, planted = demo
    assert count(lake, "lake.clicks", "flag = 'declared bot'") == planted.declared_bot_events
    assert count(lake, "lake.clicks", "flag like '%events%'") == planted.abusive_bot_events
    flagged = lake.read("lake.clicks").where("flag is not null").select("subject_id").distinct()
    for table in ("marts.recently_viewed", "marts.recommended_for_you"):
        assert lake.count(table) > 0
        assert lake.read(table).join(flagged, "subject_id", how="inner").count() == 0


def test_people_and_their_addresses_are_all_known(demo):
    lake, planted = demo
    assert count(lake, "vault.customers") == planted.customers
    assert count(lake, "lake.subjects") == planted.addresses


def test_orders_lines_and_returns_are_all_there(demo):
    lake, planted = demo
    assert count(lake, "lake.orders") == planted.orders
    assert count(lake, "lake.orders", "status = 'cancelled'") == planted.cancelled
    assert count(lake, "lake.order_lines") == planted.order_lines
    assert count(lake, "lake.returns") == planted.returns
    assert count(lake, "lake.returns", "order_id is null") == planted.returns_without_order


def test_parcels_and_corrections_are_all_there(demo):
    lake, planted = demo
    assert count(lake, "lake.parcels") == planted.parcels
    assert count(lake, "lake.parcel_events") == planted.parcel_events
    assert count(lake, "quarantine.carrier_updates") == sum(planted.carrier_malformed.values())
    kept = [report for row in lake.read("vault.addresses").collect() for report in json.loads(row.reports)]
    corrections = [report for report in kept if report["source"].startswith("carrier:")]
    assert sum("street" in report for report in corrections) == planted.address_corrections > 0
    assert sum("street" not in report for report in corrections) == planted.phone_corrections > 0
    assert count(lake, "vault.addresses", "source like 'carrier:%'") == len(corrections)


def test_no_card_and_no_address_is_left_in_a_published_zone(demo):
    lake, planted = demo
    lines = set(lake.read("landing.clickstream").toArrow()["raw"].to_pylist())
    for mask, field, number in (
        ("card", "search_text", planted.cards_in_searches),
        ("email", "search_text", planted.emails_in_searches),
        ("card", "page_path", sum("/pay/4000" in line for line in lines)),
        ("email", "page_path", sum("/newsletter/" in line for line in lines)),
    ):
        assert count(lake, "lake.clicks", f"{field} like '%[{mask}]%'") == number > 0, (mask, field)
    cards = find_cards(lines)
    assert len(cards) == planted.cards_in_urls + planted.cards_in_searches
    tables = [name for name in lake.contracts if name.startswith(("lake.", "marts.", "ledger."))]
    assert {"lake.parcel_events", "lake.sessions", "lake.products"} < set(tables)
    values = {table: texts(lake.read(table).toArrow()) for table in tables}
    exports = list(Path(lake.home, "exports").rglob("*.parquet"))
    assert exports
    values |= {str(file): texts(parquet.ParquetFile(file).read()) for file in exports}
    for name, found in values.items():
        text = "\n".join(found)
        assert not ADDRESS.search(text.encode()), name
        assert not [value for value in found if any(card in digits(value) for card in cards)], name
    for file in Path(lake.home, "quality").rglob("*"):
        found = ADDRESS.search(file.read_bytes()) if file.is_file() else None
        assert not found or b"schema.org" in found.group(), file


def digits(text):
    return re.sub(r"%20|\D", "", text)


def find_cards(lines):
    """Card numbers that lines hold, told by how the samples make them."""
    found = (re.findall(r"\b4000[ -]?00\d\d[ -]?\d{4}[ -]?\d{4}\b", line) for line in lines)
    return {digits(card) for cards in found for card in cards}


def texts(table):
    """Distinct texts of a table, also those within lists and structs."""
    found = set()
    for name in table.column_names:
        if pa.types.is_string(table.schema.field(name).type) or pa.types.is_large_string(table.schema.field(name).type):
            found.update(value for value in table[name].unique().to_pylist() if value)
        elif pa.types.is_nested(table.schema.field(name).type):
            found.update(json.dumps(value, default=str) for value in table[name].to_pylist() if value)
    return found


def test_delta_logs_hold_no_pseudonym_and_no_address(demo):
    lake, _ = demo
    subjects = {row.subject_id.encode() for row in lake.read("lake.subjects").collect()}
    for log in Path(lake.home).rglob("_delta_log/*.json"):
        content = log.read_bytes()
        assert not ADDRESS.search(content), log
        assert not [subject for subject in subjects if subject in content], log


def copy_shop(lake, folder):
    """The same shop at another place, to write to."""
    home = str(folder / "shop")
    for suffix in ("", ".sources", ".keys"):
        shutil.copytree(f"{lake.home}{suffix}", f"{home}{suffix}")
    return Lake(load_settings(home), lake.engine, lake.contracts)


def test_a_second_run_of_every_flow_leaves_the_same_rows(demo, tmp_path):
    lake = copy_shop(demo[0], tmp_path)
    days = Days(DEMO_FIRST_DAY, LAST_DAY)
    tables = [t for t in lake.contracts if not t.startswith(("exports.", "ledger."))]

    def contents():
        return {t: sorted(map(repr, lake.read(t).collect())) for t in tables}

    before = contents()
    assert before == {t: sorted(map(repr, demo[0].read(t).collect())) for t in tables}
    for flow in FLOWS:
        for step in flow.steps:
            run_step(lake, step, days)
    after = contents()
    assert [table for table in tables if before[table] != after[table]] == []
