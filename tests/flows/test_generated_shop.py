"""The generated shop through every flow: what was planted is what is found."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.lake import Days
from jobs.runner import run_step
from jobs.steps import FLOWS
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]

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
    late = lake.read("lake.clicks").where("pull_day > day")
    assert late.count() >= planted.late_lines > 0
    assert lake.read("lake.clicks").where("day <> to_date(event_time)").count() == 0


def test_bots_are_flagged_and_do_not_count(demo):
    lake, planted = demo
    assert count(lake, "lake.clicks", "flag = 'declared bot'") == planted.declared_bot_events
    assert count(lake, "lake.clicks", "flag like '%events%'") == planted.abusive_bot_events
    pushed = set(planted.abused_products)
    best = {
        row.product_id for row in lake.read("marts.bestsellers").where("rank <= 10 and scope = 'overall'").collect()
    }
    assert not best & pushed or best != pushed


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
    corrected = count(lake, "vault.addresses", "source like 'carrier:%'")
    assert 0 < corrected <= planted.address_corrections + planted.phone_corrections


def test_no_card_and_no_address_is_left_in_a_published_zone(demo):
    lake, planted = demo
    assert planted.cards_in_urls + planted.cards_in_searches + planted.emails_in_urls + planted.emails_in_searches > 0
    assert count(lake, "lake.clicks", "concat_ws(' ', page_path, search_text) like '%[card]%'") > 0
    for table in ("lake.clicks", "lake.orders", "lake.order_lines", "lake.returns", "lake.subjects", "lake.parcels"):
        text = json.dumps(lake.read(table).toArrow().to_pylist(), default=str).encode()
        assert not ADDRESS.search(text), table
    for zone in ("marts", "exports", "ledger", "quality"):
        for file in Path(lake.home, zone).rglob("*"):
            found = ADDRESS.search(file.read_bytes()) if file.is_file() else None
            assert not found or b"schema.org" in found.group(), file


def test_delta_logs_hold_no_pseudonym_and_no_address(demo):
    lake, _ = demo
    subjects = {row.subject_id.encode() for row in lake.read("lake.subjects").collect()}
    for log in Path(lake.home).rglob("_delta_log/*.json"):
        content = log.read_bytes()
        assert not ADDRESS.search(content), log
        assert not [subject for subject in subjects if subject in content], log


def test_nobody_ineligible_is_in_an_export(demo):
    lake, planted = demo
    manifests = [json.loads(path.read_text()) for path in Path(lake.home, "exports").rglob("manifest.json")]
    assert manifests
    assert planted.ads_opt_outs > 0
    assert planted.minors > 0
    assert all(sum(manifest["excluded"].values()) > 0 for manifest in manifests)


def test_a_second_run_of_every_flow_leaves_the_same_rows(demo):
    lake, _ = demo
    days = Days(DEMO_FIRST_DAY, LAST_DAY)
    tables = [t for t in lake.contracts if not t.startswith(("exports.", "ledger."))]

    def contents():
        return {t: sorted(map(repr, lake.read(t).collect())) for t in tables}

    before = contents()
    for flow in FLOWS:
        for step in flow.steps:
            run_step(lake, step, days)
    after = contents()
    assert [table for table in tables if before[table] != after[table]] == []
