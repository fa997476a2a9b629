"""Carriers' lines: parcels stand where their latest event left them, corrections become history."""

import json
from datetime import date

import pytest

from jobs.conform import carrier_updates, customers, orders
from jobs.lake import Days
from tests.conform.landed import DAY, DAYS, customer, land, order, reasons, rows

NEXT = date(2024, 2, 1)


def update(line_no, event="handed_over", time="2024-01-31T12:00:00Z", **changes):
    record = {"tracking_no": "T1", "order_id": "o1", "event": event, "event_time": time, **changes}
    return of_file(line_no, json.dumps(record), json.dumps(record))


def of_file(line_no, raw, record, defect=None, file="dhl/2024-01-31.csv"):
    return {"carrier": "dhl", "source": file, "line_no": line_no, "raw": raw, "record": record, "defect": defect}


@pytest.fixture
def ordered(lake):
    land(lake, "customers", customer(email="ann@example.com"))
    customers.run(lake, DAYS)
    land(lake, "orders", order("o1"), order("o2", email=None))
    orders.run(lake, DAYS)
    return lake


def parcels(lake, *names):
    return rows(lake, "lake.parcels", *names)


def test_a_parcel_stands_where_its_latest_event_left_it(ordered):
    land(
        ordered,
        "carrier_updates",
        update(1, "delivered", "2024-02-03T12:00:00Z"),
        update(2, "failed", "2024-02-01T12:00:00Z"),
        update(3, "failed", "2024-02-02T12:00:00Z"),
        update(4, "handed_over", "2024-01-31T12:00:00Z"),
        update(5, "handed_over", "2024-01-31T18:00:00Z"),
    )
    report = carrier_updates.run(ordered, DAYS)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (5, 5, 0, 0)
    (parcel,) = parcels(ordered)
    assert (parcel["parcel_id"], parcel["state"], parcel["failed_attempts"]) == ("dhl/T1", "delivered", 2)
    assert (parcel["handed_over_at"].hour, parcel["delivered_at"].date()) == (12, date(2024, 2, 3))
    assert parcel["anomaly"] is None
    assert parcel["subject_id"] == rows(ordered, "vault.customers")[0]["subject_id"]


def test_of_events_of_one_instant_the_later_in_a_parcels_life_counts(ordered):
    events = ("returned", "delivered", "failed", "in_transit", "handed_over")
    land(ordered, "carrier_updates", *(update(n, event) for n, event in enumerate(events, 1)))
    carrier_updates.run(ordered, DAYS)
    assert parcels(ordered, "state") == [{"state": "returned"}]


def test_names_what_does_not_fit(ordered):
    land(
        ordered,
        "carrier_updates",
        update(1, "handed_over", "2024-01-31T08:00:00Z"),
        update(2, "delivered", "2024-01-30T08:00:00Z"),
    )
    carrier_updates.run(ordered, DAYS)
    both = f"{carrier_updates.EARLY_DELIVERY}; {carrier_updates.EARLY_HANDOVER}"
    assert parcels(ordered, "anomaly") == [{"anomaly": both}]


def test_events_of_unknown_orders_are_kept_without_a_person(ordered):
    land(ordered, "carrier_updates", update(1, order_id="o9"), update(2, tracking_no="T2", order_id="o2"))
    assert carrier_updates.run(ordered, DAYS).quarantined == 0
    assert parcels(ordered, "order_id", "subject_id") == [
        {"order_id": "o2", "subject_id": None},
        {"order_id": "o9", "subject_id": None},
    ]


def test_refuses_what_is_no_update_and_keeps_the_line(ordered):
    land(
        ordered,
        "carrier_updates",
        of_file(1, "{", None, "not valid JSON"),
        of_file(2, "[]", "[]"),
        update(3, tracking_no=" "),
        update(4, order_id=None),
        update(5, event="lost"),
        update(6, time="soon"),
        update(7, "address_corrected"),
        update(8, "phone_corrected", street="Short Lane 2"),
        update(9, "phone_corrected", phone="9", order_id="o9"),
        update(10, "phone_corrected", phone="9", order_id="o2"),
    )
    report = carrier_updates.run(ordered, DAYS)
    assert (report.rows_in, report.rows_out, report.quarantined) == (10, 0, 10)
    found = {int(row["position"]): row["reason"] for row in rows(ordered, "quarantine.carrier_updates")}
    assert found == {
        1: "not valid JSON",
        2: carrier_updates.NOT_A_RECORD,
        3: carrier_updates.NO_TRACKING,
        4: carrier_updates.NO_ORDER,
        5: carrier_updates.UNKNOWN_EVENT,
        6: carrier_updates.BAD_TIME,
        7: carrier_updates.EMPTY_CORRECTION,
        8: carrier_updates.EMPTY_CORRECTION,
        9: carrier_updates.UNKNOWN_ORDER,
        10: carrier_updates.UNKNOWN_PERSON,
    }
    assert "{" in {row["raw"] for row in rows(ordered, "quarantine.carrier_updates")}


def test_a_correction_is_current_and_the_original_is_kept(ordered):
    land(
        ordered,
        "carrier_updates",
        update(1, "address_corrected", "2024-02-01T12:00:00Z", street="Short Lane 2", city="Köln", postcode="50667"),
        update(2, "phone_corrected", "2024-02-02T12:00:00Z", phone="9", street="ignored"),
    )
    report = carrier_updates.run(ordered, DAYS)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (2, 2, 0, 0)
    assert rows(ordered, "vault.addresses", "valid_from", "source", "order_id", "street", "phone", "is_current") == [
        {**version, "valid_from": row["valid_from"]}
        for version, row in zip(
            [
                {"source": "account", "order_id": None, "street": "Long Road 1", "phone": "+49 1", "is_current": False},
                {
                    "source": "carrier:dhl",
                    "order_id": "o1",
                    "street": "Short Lane 2",
                    "phone": "+49 1",
                    "is_current": False,
                },
                {"source": "carrier:dhl", "order_id": "o1", "street": "Short Lane 2", "phone": "9", "is_current": True},
            ],
            rows(ordered, "vault.addresses", "valid_from"),
            strict=True,
        )
    ]


def test_lines_delivered_twice_count_once(ordered):
    correction = {"event": "phone_corrected", "phone": "9"}
    land(ordered, "carrier_updates", update(1), update(2), update(3, **correction), update(4, **correction))
    report = carrier_updates.run(ordered, DAYS)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (4, 2, 2, 0)
    tables = ("lake.parcel_events", "lake.parcels", "vault.addresses")
    before = {table: rows(ordered, table) for table in tables}
    assert carrier_updates.run(ordered, DAYS) == report
    assert {table: rows(ordered, table) for table in tables} == before


def test_an_event_that_comes_again_in_a_later_drop_is_a_duplicate(ordered):
    land(ordered, "carrier_updates", update(1))
    carrier_updates.run(ordered, DAYS)
    land(ordered, "carrier_updates", update(1), update(2, "delivered"), days=Days.single(NEXT))
    report = carrier_updates.run(ordered, Days.single(NEXT))
    assert (report.rows_in, report.rows_out, report.duplicates) == (2, 1, 1)
    assert rows(ordered, "lake.parcel_events", "status", "pull_day") == [
        {"status": "delivered", "pull_day": NEXT},
        {"status": "handed_over", "pull_day": DAY},
    ]
    assert parcels(ordered, "state") == [{"state": "delivered"}]


def test_parcels_follow_when_lines_no_longer_come(ordered):
    land(
        ordered, "carrier_updates", update(1), update(2, "failed", "2024-02-01T12:00:00Z"), update(3, tracking_no="T2")
    )
    carrier_updates.run(ordered, DAYS)
    land(ordered, "carrier_updates", update(1))
    carrier_updates.run(ordered, DAYS)
    assert parcels(ordered, "parcel_id", "state", "failed_attempts") == [
        {"parcel_id": "dhl/T1", "state": "handed_over", "failed_attempts": 0}
    ]


def test_other_parcels_are_left_alone(ordered):
    land(ordered, "carrier_updates", update(1), update(2, tracking_no="T2"))
    carrier_updates.run(ordered, DAYS)
    land(ordered, "carrier_updates", update(1, "delivered", "2024-02-01T12:00:00Z"), days=Days.single(NEXT))
    carrier_updates.run(ordered, Days.single(NEXT))
    assert parcels(ordered, "parcel_id", "state") == [
        {"parcel_id": "dhl/T1", "state": "delivered"},
        {"parcel_id": "dhl/T2", "state": "handed_over"},
    ]


def test_a_correction_that_came_before_its_order_is_taken_in_with_it(ordered):
    correction = {"event": "phone_corrected", "phone": "9"}
    land(ordered, "carrier_updates", update(1, order_id="o3", **correction), update(2, order_id="o2", **correction))
    assert carrier_updates.run(ordered, DAYS).quarantined == 2
    changed = {"updated_at": "2024-02-01 09:00:00"}
    land(ordered, "orders", order("o3", **changed), order("o2", **changed), days=Days.single(NEXT))
    orders.run(ordered, Days.single(NEXT))
    land(ordered, "carrier_updates", update(1, order_id="o3"), days=Days.single(NEXT))
    report = carrier_updates.run(ordered, Days.single(NEXT))
    assert (report.rows_in, report.rows_out, report.quarantined, len(report.warnings)) == (1, 1, 0, 1)
    assert ordered.count("quarantine.carrier_updates") == 0
    assert "9" in {row["phone"] for row in rows(ordered, "vault.addresses", "phone")}
    assert carrier_updates.run(ordered, Days.single(NEXT)).warnings == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tracking_no": "jane@example.com"}, carrier_updates.BAD_TRACKING),
        ({"tracking_no": "Jane Doe"}, carrier_updates.BAD_TRACKING),
        ({"tracking_no": "4111-1111-1111-1111"}, carrier_updates.BAD_TRACKING),
        ({"order_id": "o4111111111111111"}, carrier_updates.BAD_ORDER),
        ({"order_id": "o1/x"}, carrier_updates.BAD_ORDER),
    ],
)
def test_ids_with_something_else_in_them_are_refused(ordered, changes, reason):
    land(ordered, "carrier_updates", update(1), update(2, **changes))
    assert carrier_updates.run(ordered, DAYS).quarantined == 1
    assert reasons(ordered, "carrier_updates") == [reason]
    assert len(parcels(ordered)) == 1


@pytest.mark.parametrize(
    "tracking_no", ["T00000001", "00340434161094015902", "9400111899223197428490", "1Z999AA10123456784"]
)
def test_parcel_numbers_of_real_carriers_pass(ordered, tracking_no):
    land(ordered, "carrier_updates", update(1, tracking_no=tracking_no, order_id="e481f51cbdc54678b7cc49136f2d6af7"))
    assert carrier_updates.run(ordered, DAYS).quarantined == 0
