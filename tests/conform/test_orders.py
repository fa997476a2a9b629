"""Orders: whose they are, which are refused, and what later pulls change."""

from datetime import date

import pytest

from jobs.conform import customers, orders
from jobs.lake import Days
from tests.conform.landed import DAY, DAYS, customer, land, order, reasons, rows

NEXT = date(2024, 2, 1)


@pytest.fixture
def account(lake):
    """The subject of the account c1."""
    land(lake, "customers", customer())
    customers.run(lake, DAYS)
    return rows(lake, "vault.customers")[0]["subject_id"]


def subjects(lake):
    return {row["order_id"]: row["subject_id"] for row in rows(lake, "lake.orders", "order_id", "subject_id")}


def test_the_orders_own_address_comes_before_its_account(lake, account):
    land(
        lake,
        "orders",
        order("own", customer_id="c1"),
        order("guest", email="ANN@example.com"),
        order("account", email=None, customer_id="c1"),
        order("same", email=" C1@Example.com"),
    )
    orders.run(lake, DAYS)
    found = subjects(lake)
    assert found["own"] == found["guest"] != account
    assert found["account"] == found["same"] == account


def test_an_order_of_nobody_known_is_kept_without_a_person(lake, account):
    land(lake, "orders", order("o1", email=None), order("o2", email=None, customer_id="c9"))
    assert orders.run(lake, DAYS).quarantined == 0
    assert subjects(lake) == {"o1": None, "o2": None}


def test_an_address_that_cannot_be_normalised_falls_back_to_the_account_or_is_refused(lake, account):
    land(lake, "orders", order("o1", email="bad", customer_id="c1"), order("o2", email="bad"))
    assert orders.run(lake, DAYS).quarantined == 1
    assert subjects(lake) == {"o1": account}
    assert reasons(lake, "orders") == [orders.BAD_EMAIL]


def test_refuses_what_is_no_order_and_keeps_the_row_as_it_came(lake):
    land(
        lake,
        "orders",
        order(None),
        order("o2", status="lost"),
        order("o3", ordered_at="2024-13-01 00:00:00"),
        order("o4", cancelled_at="never"),
        order("o5", updated_at=None),
        order("o6", status=" PAID "),
    )
    report = orders.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (6, 1, 0, 5)
    assert reasons(lake, "orders") == sorted(
        [orders.NO_ORDER, orders.UNKNOWN_STATUS, orders.BAD_ORDER_TIME, orders.BAD_CANCEL_TIME, orders.BAD_UPDATE]
    )
    raw = {row["position"]: row["raw"] for row in rows(lake, "quarantine.orders")}
    assert '"status":"lost"' in raw["2"]
    assert "row_no" not in raw["2"]


def test_a_later_update_replaces_the_order(lake):
    land(lake, "orders", order(status="placed"))
    orders.run(lake, DAYS)
    land(lake, "orders", order(status="delivered", updated_at="2024-02-01 10:00:00"), days=Days.single(NEXT))
    orders.run(lake, Days.single(NEXT))
    assert rows(lake, "lake.orders", "order_id", "status", "day") == [
        {"order_id": "o1", "status": "delivered", "day": DAY}
    ]
    orders.run(lake, DAYS)
    assert [row["status"] for row in rows(lake, "lake.orders")] == ["delivered"]


def test_an_order_that_moves_to_another_day_is_there_once(lake):
    land(lake, "orders", order("o1"), order("o2"))
    orders.run(lake, DAYS)
    moved = order("o1", ordered_at="2024-01-30 23:59:59", updated_at="2024-02-01 10:00:00")
    land(lake, "orders", moved, days=Days.single(NEXT))
    orders.run(lake, Days.single(NEXT))
    assert rows(lake, "lake.orders", "order_id", "day") == [
        {"order_id": "o1", "day": date(2024, 1, 30)},
        {"order_id": "o2", "day": DAY},
    ]


def test_orders_that_no_longer_come_are_gone_after_a_rerun(lake):
    land(lake, "orders", order("o1"), order("o2", ordered_at="2024-01-29 10:00:00"), order("o3", status="lost"))
    orders.run(lake, DAYS)
    land(lake, "orders", order("o1"))
    report = orders.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.quarantined) == (1, 1, 0)
    assert list(subjects(lake)) == ["o1"]
    assert reasons(lake, "orders") == []


def test_a_second_run_leaves_the_same_rows(lake, account):
    land(
        lake,
        "orders",
        order("o1"),
        order("o1", status="placed", updated_at="2024-01-31 09:00:01"),
        order("o2", email="bad"),
    )
    first = orders.run(lake, DAYS)
    before = rows(lake, "lake.orders")
    assert orders.run(lake, DAYS) == first
    assert (first.rows_out, first.duplicates, first.quarantined) == (1, 1, 1)
    assert rows(lake, "lake.orders") == before


def test_no_personal_data_stands_in_the_countries(lake):
    land(lake, "orders", order(country="write to ann@example.com"))
    orders.run(lake, DAYS)
    assert rows(lake, "lake.orders", "country") == [{"country": None}]
