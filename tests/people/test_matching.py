"""The rows that a table's matcher marks are those that plain Python marks, for every table that bears subjects."""

import json
import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from jobs.lake.erasures import BY_PACKAGE
from jobs.lake.scanning import scan_rows
from jobs.people.finding import find_people
from jobs.people.identifiers import list_ad_ids
from jobs.people.matching import match_rows
from tests.people.conftest import plain

pytestmark = [pytest.mark.slow]

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def names_them(row, truth, person):
    """Whether a stored row is about the person, by rules of this test alone."""
    if row.get("email") and plain(row["email"]) in truth.addresses:
        return True
    if row.get("order_id") in truth.orders or row.get("return_id") in truth.returns:
        return True
    if row.get("customer_id") in truth.customers or row.get("parcel_id") in truth.parcels:
        return True
    return row.get("subject_id") in person.subject_ids or row.get("person_id") in person.person_ids


def text_is_about(text, truth, person):
    if any(plain(found) in truth.addresses for found in ADDRESS.findall(text or "")):
        return True
    digits = re.sub(r"\D", "", text or "")
    if any(re.sub(r"\D", "", phone) in digits for phone in person.phones - person.shared):
        return True
    try:
        record = json.loads(text)
    except (TypeError, ValueError):
        return any(order in (text or "") for order in truth.orders)
    if not isinstance(record, dict):
        return False
    parcels = {parcel.partition("/")[2] for parcel in truth.parcels}
    return (
        record.get("order_id") in truth.orders
        or record.get("customer_id") in truth.customers
        or record.get("return_id") in truth.returns
        or record.get("tracking_no") in parcels
        or record.get("visitor") in person.visitors
    )


def marked(lake, table, people):
    """Rows that the matcher marks, as a list, with how many rows were looked at."""
    contract = lake.contracts[table]
    match = match_rows(lake, contract, people)
    found, seen = [], 0
    for rows in scan_rows(lake, table, columns=contract.column_names, buckets=match.buckets):
        seen += rows.num_rows
        found += rows.filter(pc.fill_null(match.find(rows.select(list(match.columns))), False)).to_pylist()
    return found, seen


def subject_bearing(lake):
    return [contract for contract in lake.contracts.values() if contract.bears_subjects]


def test_every_table_that_bears_subjects_has_a_matcher(demo):
    lake, _ = demo
    people = find_people(lake, addresses=["ann@example.com"])
    for contract in subject_bearing(lake):
        is_matched = match_rows(lake, contract, people) is not None
        assert is_matched != (contract.erasure.method == "keep" or contract.erasure.match == BY_PACKAGE), contract.name


def test_a_table_of_nobody_has_none(demo):
    lake, _ = demo
    assert match_rows(lake, lake.contracts["marts.bestsellers"], []) is None


@pytest.mark.parametrize("number", [0, 1])
def test_marked_rows_are_those_that_plain_python_marks(demo, doubled, number):
    lake, _ = demo
    truth = doubled[number]
    (person,) = people = find_people(lake, addresses=[min(truth.addresses)])
    ad_ids = list_ad_ids(lake, people)
    met = set()
    for contract in subject_bearing(lake):
        if contract.erasure.match == BY_PACKAGE or not lake.exists(contract.name):
            continue
        found, _ = marked(lake, contract.name, people) if contract.erasure.method != "keep" else ([], 0)
        expected = []
        for rows in scan_rows(lake, contract.name, columns=contract.column_names):
            for row in rows.to_pylist():
                texts = [row[name] for name in ("raw", "record") if row.get(name)]
                is_theirs = names_them(row, truth, person) or row.get("ad_id") in ad_ids
                if is_theirs or any(text_is_about(text, truth, person) or _has_ad_id(text, ad_ids) for text in texts):
                    expected.append(row)
        assert sorted(map(repr, found)) == sorted(map(repr, expected)), contract.name
        met |= {contract.name} if expected else set()
    assert {"lake.clicks", "lake.subjects", "vault.customers", "landing.clickstream", "landing.customers"} <= met


def test_all_people_together_are_everybody_whom_partners_know(demo):
    lake, _ = demo
    subjects = [row.subject_id for row in lake.read("lake.subjects").select("subject_id").collect()]
    people = find_people(lake, subject_ids=subjects, whole_circles=True)
    for table in ("ledger.audience_changes", "vault.platform_changes", "lake.subjects", "vault.identities"):
        found, _ = marked(lake, table, people)
        assert len(found) == lake.count(table) > 0, table


def _has_ad_id(text, ad_ids):
    return any(ad_id in text for ad_id in ad_ids)


def test_only_buckets_that_can_hold_rows_are_read(demo, doubled):
    lake, _ = demo
    people = find_people(lake, addresses=[min(doubled[0].addresses)])
    match = match_rows(lake, lake.contracts["lake.clicks"], people)
    assert match.buckets == people[0].buckets
    assert match_rows(lake, lake.contracts["lake.orders"], people).buckets == {*people[0].buckets, None}
    assert match_rows(lake, lake.contracts["vault.customers"], people).buckets is None


def test_orders_of_nobody_known_are_told_by_their_number(lake, monkeypatch):
    from datetime import UTC, date, datetime

    from jobs.people.person import Person

    monkeypatch.setattr("jobs.lake.lake.BATCH_ZONES", ("lake",))
    at = datetime(2024, 1, 31, tzinfo=UTC)
    fixed = {
        "day": date(2024, 1, 31),
        "status": "paid",
        "ordered_at": at,
        "updated_at": at,
        "pull_day": date(2024, 1, 31),
    }
    rows = [{**fixed, "order_id": name, "subject_bucket": b} for name, b in (("o1", None), ("o2", None), ("o3", 5))]
    table = pa.Table.from_pylist(rows, lake.contracts["lake.orders"].arrow_schema())
    lake.replace_batches("lake.orders", table.to_reader(), partitions=["2024-01-31"])
    person = Person(subject_ids=frozenset({"f" * 32}), order_ids=frozenset({"o2"}))
    found, _ = marked(lake, "lake.orders", [person])
    assert [row["order_id"] for row in found] == ["o2"]
