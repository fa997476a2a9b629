"""Returns: whose they are, of which sale, and that free text gives nobody away."""

from datetime import date

import pytest

from jobs.conform import customers, orders, returns
from jobs.lake import Days
from tests.conform.landed import DAY, DAYS, customer, land, order, reasons, rows


def returned(return_id="r1", **changes):
    full = {
        "order_id": "o1",
        "product_id": "P1",
        "quantity": "1",
        "unit_price": "4.25",
        "returned_at": "2024-02-03 10:00:00",
        "updated_at": "2024-01-31 10:00:00",
    }
    return {"return_id": return_id, **full, **changes}


@pytest.fixture
def ordered(lake):
    land(lake, "customers", customer())
    customers.run(lake, DAYS)
    land(lake, "orders", order("o1"))
    orders.run(lake, DAYS)
    return lake


def test_knows_the_day_of_the_sale_only_where_the_order_is_known(ordered):
    land(ordered, "returns", returned("r1"), returned("r2", order_id="o9"), returned("r3", order_id=None))
    assert returns.run(ordered, DAYS).quarantined == 0
    assert rows(ordered, "lake.returns", "return_id", "day", "sale_day") == [
        {"return_id": "r1", "day": date(2024, 2, 3), "sale_day": DAY},
        {"return_id": "r2", "day": date(2024, 2, 3), "sale_day": None},
        {"return_id": "r3", "day": date(2024, 2, 3), "sale_day": None},
    ]


def test_the_person_is_that_of_the_return_the_account_or_the_order(ordered):
    land(
        ordered,
        "returns",
        returned("r1", email="eva@example.com", customer_id="c1"),
        returned("r2", customer_id="c1"),
        returned("r3"),
        returned("r4", order_id=None),
        returned("r5", email="bad"),
    )
    returns.run(ordered, DAYS)
    found = {row["return_id"]: row["subject_id"] for row in rows(ordered, "lake.returns")}
    of_order = rows(ordered, "lake.orders")[0]["subject_id"]
    of_account = rows(ordered, "vault.customers")[0]["subject_id"]
    assert found["r1"] not in (None, of_order, of_account)
    assert found == {"r1": found["r1"], "r2": of_account, "r3": of_order, "r4": None, "r5": of_order}


def test_masks_the_reason(ordered):
    land(ordered, "returns", returned(reason=" refund ann@example.com to 4111 1111 1111 1111 "))
    returns.run(ordered, DAYS)
    assert rows(ordered, "lake.returns", "reason") == [{"reason": "refund [email] to [card]"}]


def test_refuses_what_is_no_return(ordered):
    land(
        ordered,
        "returns",
        returned(None),
        returned(returned_at=""),
        returned(quantity="0"),
        returned(unit_price="-1"),
        returned(product_id=None),
        returned(order_id=None, email="bad"),
    )
    report = returns.run(ordered, DAYS)
    assert (report.rows_in, report.rows_out, report.quarantined) == (6, 0, 6)
    assert reasons(ordered, "returns") == sorted(
        [
            returns.NO_RETURN,
            returns.BAD_TIME,
            returns.BAD_EMAIL,
            "quantity is not positive",
            "unit price is negative",
            "product_id is missing",
        ]
    )


def test_counts_a_repeated_line_once_and_a_second_run_changes_nothing(ordered):
    land(ordered, "returns", returned(), returned(), returned(quantity="2"))
    report = returns.run(ordered, DAYS)
    before = rows(ordered, "lake.returns")
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (3, 2, 1, 0)
    assert returns.run(ordered, DAYS) == report
    assert rows(ordered, "lake.returns") == before


def test_a_return_with_a_corrected_time_is_there_once(ordered):
    land(ordered, "returns", returned())
    returns.run(ordered, DAYS)
    tomorrow = Days.single(date(2024, 2, 1))
    land(ordered, "returns", returned(returned_at="2024-02-04 10:00:00"), days=tomorrow)
    returns.run(ordered, tomorrow)
    assert rows(ordered, "lake.returns", "day") == [{"day": date(2024, 2, 4)}]
