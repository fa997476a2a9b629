"""What holds keep, and how they begin and end."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from jobs.errors import UsageError
from jobs.lake import Days
from jobs.people.held_rows import Keeper
from jobs.people.holds import (
    find_hold,
    holds_on,
    list_holds,
    open_holds,
    place_hold,
    release_hold,
)
from jobs.privacy.subject_ids import bucket_of, subject_digest
from tests.retention.conftest import fill

MARCH = Days(date(2024, 3, 1), date(2024, 3, 31))
WHY = "court file 12 O 34/26"


def moment(*parts):
    return datetime(*parts, tzinfo=UTC)


def identity(who, number, customer, name):
    subject = who[name]
    return {
        "identity_id": f"i{number}",
        "customer_id": customer,
        "person_id": f"p-{customer}",
        "subject_id": subject,
        "subject_bucket": bucket_of(subject),
        "email": f"{name}@example.org",
        "email_normalised": f"{name}@example.org",
        "is_primary": True,
        "updated_at": moment(2024, 1, 1),
    }


def order(number, subject, day):
    return {
        "day": day,
        "order_id": f"o{number}",
        "subject_id": subject,
        "subject_bucket": bucket_of(subject),
        "country": "DE",
        "status": "paid",
        "ordered_at": moment(day.year, day.month, day.day),
        "updated_at": moment(2024, 1, 1),
        "pull_day": day,
    }


@pytest.fixture
def who(lake):
    """Pseudonyms by name."""
    digest = subject_digest(lake)
    return {name: digest(f"{name}@example.org") for name in ("a1", "a2", "a3", "b1")}


@pytest.fixture
def people(lake, who):
    """Account A has two addresses and two orders, account B one of each; a parcel belongs to A's first order."""
    fill(
        lake,
        "vault.identities",
        [identity(who, 1, "A", "a1"), identity(who, 2, "A", "a2"), identity(who, 3, "B", "b1")],
    )
    days = date(2024, 3, 5), date(2024, 4, 5)
    fill(
        lake, "lake.orders", [order(1, who["a2"], days[0]), order(2, who["a1"], days[1]), order(3, who["b1"], days[1])]
    )
    parcel = {"carrier": "c", "state": "delivered", "failed_attempts": 0, "last_event_at": moment(2024, 3, 9)}
    fill(lake, "lake.parcels", [{**parcel, "parcel_id": f"t{n}", "order_id": f"o{n}"} for n in (1, 3)])
    return lake


def held(lake, table, rows, *holds):
    """Which of some rows are held, by position."""
    kept = Keeper(lake, holds or open_holds(lake)).find_held(table)
    if kept is None:
        return []
    whole = lake.contracts[table].arrow_schema()
    marks = kept.find(pa.Table.from_pylist(rows, pa.schema([whole.field(name) for name in kept.columns])))
    return [number for number, mark in enumerate(marks.to_pylist()) if mark]


def test_a_hold_on_a_person_keeps_the_rows_of_all_their_addresses_orders_and_parcels(people, who):
    place_hold(people, reason=WHY, subject_ids=[who["a1"]])
    assert held(people, "lake.clicks", [{"subject_id": s} for s in (who["a1"], who["a2"], who["b1"])]) == [0, 1]
    severed = [{"order_id": f"o{n}"} for n in (1, 2, 3)]
    assert held(people, "lake.order_lines", severed) == [0, 1]
    assert held(people, "lake.parcel_events", [{"parcel_id": "t1"}, {"parcel_id": "t3"}]) == [0]
    assert held(people, "vault.customers", [{"customer_id": "A"}, {"customer_id": "B"}]) == [0]
    assert held(people, "landing.orders", [{"customer_id": "A"}, {"order_id": "o2"}, {"customer_id": "B"}]) == [0, 1]


def test_what_comes_later_under_their_name_is_held_too(people, who):
    place_hold(people, reason=WHY, subject_ids=[who["a1"]])
    fill(people, "vault.identities", [identity(who, 1, "A", "a1"), identity(who, 4, "A", "a3")])
    assert held(people, "lake.clicks", [{"subject_id": who["a3"]}, {"subject_id": who["b1"]}]) == [0]


def test_a_hold_on_an_order_keeps_the_order_and_nothing_else_of_the_person(people, who):
    place_hold(people, reason=WHY, order_ids=["o1"])
    rows = [{"order_id": "o1", "subject_id": who["a2"]}, {"order_id": "o2", "subject_id": who["a1"]}]
    assert held(people, "lake.orders", rows) == [0]
    assert held(people, "lake.parcels", [{"parcel_id": "t1"}, {"parcel_id": "t3"}]) == [0]
    assert held(people, "lake.clicks", [{"subject_id": who["a2"]}]) == []


def test_a_hold_on_a_period_keeps_the_partitions_of_its_days(people, who):
    place_hold(people, reason=WHY, days=MARCH)
    kept = Keeper(people, open_holds(people)).find_held("lake.clicks")
    edges = ("2024-02-29", "2024-03-01", "2024-03-31", "2024-04-01")
    assert [kept.covers(day) for day in edges] == [False, True, True, False]
    assert kept.columns == ()


def test_without_partitions_by_day_a_period_keeps_the_rows_that_count_from_its_days(people, who):
    place_hold(people, reason=WHY, days=MARCH)
    times = [moment(2024, 2, 29, 23, 59, 59), moment(2024, 3, 1), moment(2024, 3, 31, 23, 59, 59), moment(2024, 4, 1)]
    assert held(people, "lake.parcels", [{"last_event_at": at} for at in times]) == [1, 2]
    days = [{"closed_on": day} for day in (MARCH.first, MARCH.last, date(2024, 4, 1))]
    assert held(people, "lake.subjects", days) == [0, 1]


def test_rows_without_a_day_belong_to_a_period_where_their_table_is_named(people, who):
    rows = [{"closed_at": None}, {"closed_at": moment(2024, 5, 1)}]
    everywhere = place_hold(people, reason=WHY, days=MARCH)
    named = place_hold(people, reason=WHY, days=MARCH, tables=["vault.customers"])
    assert held(people, "vault.customers", rows, everywhere) == []
    assert held(people, "vault.customers", rows, named) == [0]


def test_other_tables_than_those_named_are_free(people, who):
    place_hold(people, reason=WHY, subject_ids=[who["a1"]], tables=["lake.orders"])
    keeper = Keeper(people, open_holds(people))
    assert keeper.find_held("lake.orders") is not None
    assert keeper.find_held("lake.clicks") is None


def test_what_is_held_is_taken_out_of_what_is_found(people, who):
    place_hold(people, reason=WHY, subject_ids=[who["b1"]])
    kept = Keeper(people, open_holds(people)).find_held("lake.clicks")
    rows = pa.table({"subject_id": [who["a1"], who["b1"], None], "is_old": [True, True, None]})
    assert kept.spare(lambda rows: rows["is_old"])(rows).to_pylist() == [True, False, False]


def test_buckets_lead_to_the_files_where_they_can(people, who):
    place_hold(people, reason=WHY, subject_ids=[who["b1"]])
    keeper = Keeper(people, open_holds(people))
    assert keeper.find_held("lake.clicks").buckets == {bucket_of(who["b1"])}
    assert keeper.find_held("lake.orders").buckets == {bucket_of(who["b1"]), None}
    order = place_hold(people, reason=WHY, order_ids=["o1"])
    assert Keeper(people, [order]).find_held("lake.orders").buckets is None


def test_lines_of_somebody_elses_making_are_held_by_what_they_say(people, who):
    place_hold(people, reason=WHY, subject_ids=[who["a1"]])
    lines = [
        '{"email": "A2@Example.org"}',
        "a1@example.org;x",
        '{"email": "b1@example.org"}',
        '{"order_id": "o2"}',
        "?",
    ]
    for table in ("landing.clickstream", "quarantine.clicks"):
        assert held(people, table, [{"raw": line} for line in lines]) == [0, 1, 3]


def test_requests_that_waited_are_open_again_when_a_hold_is_released(people, who):
    hold = place_hold(people, reason=WHY, subject_ids=[who["a1"]])
    common = {"subject_id": who["a1"], "kind": "erase", "source": "person", "due_on": date(2024, 4, 19)}
    states = ("waiting", "partly_served", "served", "open")
    rows = [
        {**common, "request_id": f"r-{state}", "state": state, "received_at": moment(2024, 3, 28), "reason": "a hold"}
        for state in states
    ]
    fill(people, "ledger.requests", rows)
    release_hold(people, hold.hold_id)
    found = {row["request_id"]: (row["state"], row["reason"]) for row in people.read_records("ledger.requests")}
    assert found["r-waiting"] == found["r-partly_served"] == ("open", None)
    assert found["r-served"] == ("served", "a hold")
    events = people.read_records("ledger.request_events")
    assert {(row["request_id"], row["event"]) for row in events} == {
        ("r-waiting", "reopened"),
        ("r-partly_served", "reopened"),
    }


def test_a_released_hold_keeps_nothing_and_stays_on_file(people, who):
    first = place_hold(people, reason=WHY, subject_ids=[who["a1"], who["a2"]])
    second = place_hold(people, reason=WHY, order_ids=["o3"])
    released = release_hold(people, first.hold_id[:6])
    assert released.released_at is not None
    assert released.subject_ids == {who["a1"], who["a2"]}
    assert open_holds(people) == [second]
    assert {hold.hold_id for hold in list_holds(people)} == {first.hold_id, second.hold_id}
    with pytest.raises(UsageError, match=r"was released at .* already"):
        release_hold(people, first.hold_id)


def test_holds_on_a_person_are_told_apart(people, who):
    mine = place_hold(people, reason=WHY, subject_ids=[who["a1"]])
    order = place_hold(people, reason=WHY, order_ids=["o3"])
    place_hold(people, reason=WHY, days=MARCH)
    assert holds_on(open_holds(people), subject_ids=[who["a1"], "x"]) == [mine]
    assert holds_on(open_holds(people), order_ids=["o3"]) == [order]


def test_neither_repr_nor_description_names_anybody(people, who):
    hold = place_hold(people, reason=WHY, subject_ids=[who["a1"]], tables=["lake.clicks"])
    kept = Keeper(people, [hold]).find_held("lake.clicks")
    assert who["a1"] not in f"{hold} {kept} {hold.describe()}".replace(hold.hold_id, "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one of them, got none"),
        ({"subject_ids": ["a"], "days": MARCH}, "exactly one of them, got subject and period"),
        ({"order_ids": ["o"], "reason": " "}, "needs a reason"),
        ({"order_ids": ["o"], "reason": "see jane@example.org"}, "without any address"),
        ({"order_ids": ["o"], "tables": ["lake.clicks", "lake.nothing"]}, r"no table lake\.nothing"),
    ],
)
def test_a_hold_that_cannot_be_is_refused(lake, given, message):
    with pytest.raises(UsageError, match=message):
        place_hold(lake, **{"reason": WHY, **given})
    assert list_holds(lake) == []


@pytest.mark.parametrize(("hold_id", "message"), [("ffff", "There is no hold 'ffff'"), ("", "There is no hold ''")])
def test_an_unknown_hold_is_told(lake, hold_id, message):
    with pytest.raises(UsageError, match=message):
        find_hold(lake, hold_id)
