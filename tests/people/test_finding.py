"""Every account, address and order of a person is found, however they are asked for."""

import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from jobs.errors import UsageError
from jobs.lake.contracts import SUBJECT_BUCKET
from jobs.people.finding import find_people
from jobs.people.person import Person
from jobs.people.ties import LargeCircleError
from jobs.privacy.subject_ids import bucket_of, subject_digest
from tests.conform.landed import DAYS, customer, land, order

pytestmark = [pytest.mark.slow]


def agrees(person, truth):
    assert person.customer_ids == truth.customers
    assert person.addresses == truth.addresses
    assert person.order_ids == truth.orders
    assert person.return_ids >= truth.returns
    assert person.parcel_ids == truth.parcels


def test_every_address_of_a_human_leads_to_all_of_their_accounts_and_orders(demo, doubled):
    assert doubled
    for truth in doubled:
        found = [find_people(demo[0], addresses=[f" {address.upper()} "]) for address in sorted(truth.addresses)]
        for (person,) in found:
            assert person.is_known
            assert person == found[0][0]
            agrees(person, truth)


def test_phones_names_and_streets_come_along(demo, doubled):
    lake, _ = demo
    (person,) = find_people(lake, addresses=[min(doubled[0].addresses)])
    rows = [r for r in lake.read("vault.addresses").collect() if r.subject_id in person.subject_ids]
    assert {row.phone for row in rows if row.phone} <= person.phones
    assert {row.full_name for row in rows if row.full_name} <= person.names
    assert {row.street for row in rows if row.street} <= person.streets


def test_several_people_are_found_at_once_each_once(demo, truths):
    humans = sorted({id(h): h for h in truths.values() if h.orders}.values(), key=lambda h: min(h.customers))[:20]
    asked = [address for human in humans for address in human.addresses]
    people = find_people(demo[0], addresses=asked)
    assert len(people) == len(humans)
    by_account = {min(person.customer_ids): person for person in people}
    for human in humans:
        agrees(by_account[min(human.customers)], human)


def test_an_unknown_person_is_told_as_such(demo):
    (person,) = find_people(demo[0], addresses=["Nobody.Here@example.org"])
    assert not person.is_known
    assert person.addresses == {"nobody.here@example.org"}
    assert len(person.subject_ids) == 1
    assert not person.customer_ids


def test_a_guest_who_only_ordered_is_known(demo):
    lake, _ = demo
    guests = lake.read("landing.orders").where("customer_id is null and email is not null")
    (found,) = guests.limit(1).collect()
    (person,) = find_people(lake, addresses=[found.email])
    assert person.is_known
    assert person.order_ids == {found.order_id}
    assert not person.person_ids


def test_what_is_no_address_is_refused_without_being_repeated(demo):
    with pytest.raises(UsageError, match="1 of 2 are no e-mail addresses") as error:
        find_people(demo[0], addresses=["ann@example.com", "secret words"])
    assert "secret" not in str(error.value)


def test_printing_a_person_shows_counts_only(demo, doubled):
    (person,) = find_people(demo[0], addresses=[min(doubled[0].addresses)])
    shown = repr(person)
    for name in (*person.addresses, *person.subject_ids, *person.customer_ids, *person.phones):
        assert name not in shown
    assert Person.from_json(person.to_json()) == person


def conform_customers(lake, *rows, emails=()):
    from jobs.conform import customers

    land(lake, "customers", *rows)
    land(lake, "customer_emails", *emails)
    customers.run(lake, DAYS)


def further(customer_id, email):
    return {"customer_id": customer_id, "email": email, "updated_at": "2024-01-31 08:00:00"}


@pytest.fixture
def circle(lake):
    """Seven accounts in a row, each sharing an address with the next one."""
    names = [f"c{n}" for n in range(7)]
    shared = [further(name, f"{names[n + 1]}@example.com") for n, name in enumerate(names[:-1])]
    conform_customers(lake, *map(customer, names), customer("other"), emails=shared)
    return lake


def test_a_circle_of_more_than_five_accounts_is_refused_unless_asked_for(circle):
    with pytest.raises(LargeCircleError, match="tie 7 accounts together, more than the 5") as error:
        find_people(circle, addresses=["c3@example.com"])
    assert "example.com" not in str(error.value)
    (person,) = find_people(circle, addresses=["c3@example.com"], whole_circles=True)
    assert person.customer_ids == {f"c{n}" for n in range(7)}


def test_accounts_and_orders_that_are_not_conformed_yet_count(lake):
    conform_customers(lake, customer("c1"), customer("c2"))
    land(
        lake,
        "customers",
        customer("c1"),
        customer("c2"),
        customer("c3", email="C1@Example.com", full_name="Ann New"),
    )
    land(lake, "customer_emails", further("c3", "third@example.com"))
    land(
        lake,
        "orders",
        order("o1", email="third@example.com"),
        order("o2", customer_id=" c3 ", email=None),
        order("o3", customer_id="c1", email="only.here@example.com"),
        order("o4", customer_id="c2", email="c2@example.com"),
        order("o5", customer_id="c1", email="c2@example.com"),
    )
    (person,) = find_people(lake, addresses=["c1@example.com"])
    assert person.customer_ids == {"c1", "c3"}
    assert person.order_ids == {"o1", "o2", "o3"}
    assert person.addresses == {"c1@example.com", "third@example.com", "only.here@example.com"}
    assert "Ann New" in person.names


def test_what_others_are_called_too_is_known_as_shared(lake):
    conform_customers(
        lake,
        customer("c1", phone="+49 30 1234567", full_name="Ann Lee", street="Long Road 1"),
        customer("c2", phone="0049-30-1234567", full_name="Bob Ray", street="long road 1"),
    )
    (person,) = find_people(lake, addresses=["c1@example.com"])
    assert person.shared == {"+49 30 1234567", "Long Road 1"}


def test_a_person_with_ten_thousand_orders_is_found_quickly(lake, monkeypatch):
    monkeypatch.setattr("jobs.lake.lake.BATCH_ZONES", ("lake",))
    conform_customers(lake, customer("c1"))
    subject = subject_digest(lake)("c1@example.com")
    contract, day = lake.contracts["lake.orders"], date(2024, 1, 31)
    at = datetime(2024, 1, 31, 9, tzinfo=UTC)
    fixed = {"day": day, "status": "paid", "ordered_at": at, "updated_at": at, "pull_day": day}
    owners = [(subject if n < 10_000 else f"{n:032x}") for n in range(60_000)]
    rows = [
        {**fixed, "order_id": f"o{n}", "subject_id": owner, SUBJECT_BUCKET: bucket_of(owner)}
        for n, owner in enumerate(owners)
    ]
    lake.replace_batches(
        "lake.orders", pa.Table.from_pylist(rows, contract.arrow_schema()).to_reader(), partitions=[str(day)]
    )
    lines = lake.contracts["lake.order_lines"]
    fixed = {"day": day, "product_id": "P", "quantity": 1, "unit_price": Decimal(1), "ordered_at": at, "pull_day": day}
    rows = [
        {**fixed, "line_id": n, "order_id": f"o{n}", "subject_id": o, SUBJECT_BUCKET: bucket_of(o)}
        for n, o in enumerate(owners)
    ]
    lake.replace_batches(
        "lake.order_lines", pa.Table.from_pylist(rows, lines.arrow_schema()).to_reader(), partitions=[str(day)]
    )
    started = time.monotonic()
    (person,) = find_people(lake, addresses=["c1@example.com"])
    assert time.monotonic() - started < 5
    assert person.order_ids == {f"o{n}" for n in range(10_000)}


def events(*fields):
    lines = [json.dumps({"time": "2024-01-31T09:00:00Z", "action": "view", **each}) for each in fields]
    return [{"source": "f.jsonl", "line_no": number, "raw": line} for number, line in enumerate(lines, 1)]


def test_cookies_that_are_a_persons_alone_are_found_in_raw_lines(lake):
    conform_customers(lake, customer("c1"), customer("c2"))
    shared = [{"visitor": "v2", "email": name} for name in ("c1@example.com", "c2@example.com")]
    own = [
        {"visitor": "v1", "email": "C1@example.com"},
        {"visitor": "v1"},
        {"visitor": "v3", "email": "c2@example.com"},
    ]
    land(lake, "clickstream", *events(*own, *shared))
    (person,) = find_people(lake, addresses=["c1@example.com"], deep=True)
    assert person.visitors == {"v1"}
    assert person.subject_ids == set(map(subject_digest(lake), ("c1@example.com", "visitor:v1")))
    assert find_people(lake, addresses=["c1@example.com"])[0].visitors == frozenset()


def test_parcels_and_phones_that_only_raw_lines_know_are_found(lake):
    conform_customers(lake, customer("c1"), customer("c2"))
    land(lake, "orders", order("o1", email="c1@example.com"), order("o2", email="c2@example.com"))
    records = [
        json.dumps({"tracking_no": f"T{n}", "order_id": f"o{n}", "event": "phone_corrected", "phone": f"+49 30 777{n}"})
        for n in (1, 2)
    ]
    lines = [{"carrier": "swift", "source": "f", "line_no": n, "raw": r, "record": r} for n, r in enumerate(records)]
    land(lake, "carrier_updates", *lines)
    one, two = find_people(lake, addresses=["c1@example.com", "c2@example.com"], deep=True)
    assert (one.parcel_ids, two.parcel_ids) == ({"swift/T1"}, {"swift/T2"})
    assert "+49 30 7771" in one.phones
    assert "+49 30 7772" not in one.phones
