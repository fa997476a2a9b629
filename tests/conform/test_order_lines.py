"""Order lines: what is no sale is refused, what comes twice counts once, lines follow their order."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.conform import order_lines, orders
from jobs.lake import Days
from tests.conform.landed import DAY, DAYS, land, line, order, reasons, rows

NEXT = date(2024, 2, 1)


@pytest.fixture
def ordered(lake):
    land(lake, "orders", order("o1"), order("o2", email=None))
    orders.run(lake, DAYS)
    return lake


def test_a_line_takes_day_person_and_country_from_its_order(ordered):
    land(ordered, "order_lines", line("o1"), line("o2"))
    order_lines.run(ordered, DAYS)
    of_order = ("day", "order_id", "subject_id", "subject_bucket", "country", "ordered_at")
    assert rows(ordered, "lake.order_lines", *of_order) == rows(ordered, "lake.orders", *of_order)


def test_refuses_what_is_no_sale(ordered):
    land(
        ordered,
        "order_lines",
        line(None),
        line("o9"),
        line(product_id=" "),
        line(quantity="-3"),
        line(quantity="0"),
        line(quantity="1.5"),
        line(unit_price="free"),
        line(unit_price="-0.001"),
    )
    report = order_lines.run(ordered, DAYS)
    assert (report.rows_in, report.rows_out, report.quarantined) == (8, 0, 8)
    assert reasons(ordered, "order_lines") == sorted(
        [
            order_lines.NO_ORDER,
            order_lines.UNKNOWN_ORDER,
            order_lines.NO_PRODUCT,
            order_lines.NOT_POSITIVE,
            order_lines.NOT_POSITIVE,
            order_lines.BAD_QUANTITY,
            order_lines.BAD_PRICE,
            order_lines.NEGATIVE_PRICE,
        ]
    )


def test_equal_lines_without_a_number_count_once(ordered):
    bare = line(line_no=None)
    land(ordered, "order_lines", bare, bare, {**bare, "quantity": "3"}, line(line_no="1"), line(line_no="2"))
    report = order_lines.run(ordered, DAYS)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (5, 4, 1, 0)


def test_rounds_prices_to_two_places(ordered):
    land(ordered, "order_lines", line(unit_price="1.005"), line(line_no="2", unit_price="0.001"))
    order_lines.run(ordered, DAYS)
    prices = {row["unit_price"] for row in rows(ordered, "lake.order_lines")}
    assert prices == {Decimal("1.01"), Decimal("0.00")}


def test_a_later_pull_replaces_a_numbered_line(ordered):
    land(ordered, "order_lines", line(quantity="2"))
    order_lines.run(ordered, DAYS)
    land(ordered, "order_lines", line(quantity="5"), days=Days.single(NEXT))
    order_lines.run(ordered, Days.single(NEXT))
    assert rows(ordered, "lake.order_lines", "quantity", "pull_day") == [{"quantity": 5, "pull_day": NEXT}]
    order_lines.run(ordered, DAYS)
    assert rows(ordered, "lake.order_lines", "quantity") == [{"quantity": 5}]


def test_lines_follow_an_order_that_changed_without_them(ordered):
    land(ordered, "order_lines", line("o1"), line("o2"))
    order_lines.run(ordered, DAYS)
    changed = order("o1", email="eva@example.com", ordered_at="2024-01-30 10:00:00", updated_at="2024-02-01 10:00:00")
    land(ordered, "orders", changed, days=Days.single(NEXT))
    orders.run(ordered, Days.single(NEXT))
    report = order_lines.run(ordered, Days.single(NEXT))
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (0, 0, 0, 0)
    of_order = ("day", "order_id", "subject_id", "ordered_at")
    assert rows(ordered, "lake.order_lines", *of_order) == rows(ordered, "lake.orders", *of_order)
    assert {row["day"] for row in rows(ordered, "lake.order_lines", "day")} == {DAY, date(2024, 1, 30)}


def test_lines_that_no_longer_come_are_gone_after_a_rerun(ordered):
    land(ordered, "order_lines", line(line_no="1"), line(line_no="2"), line("o9"))
    order_lines.run(ordered, DAYS)
    land(ordered, "order_lines", line(line_no="2"))
    order_lines.run(ordered, DAYS)
    assert ordered.count("lake.order_lines") == 1
    assert reasons(ordered, "order_lines") == []


def test_lines_that_came_before_their_order_are_taken_in_with_it(lake):
    land(lake, "order_lines", line("o1"), line("o9"))
    orders.run(lake, DAYS)
    assert order_lines.run(lake, DAYS).quarantined == 2
    changed = order("o1", ordered_at="2024-01-31 23:59:00", updated_at="2024-02-01 00:01:00")
    land(lake, "orders", changed, days=Days.single(NEXT))
    orders.run(lake, Days.single(NEXT))
    report = order_lines.run(lake, Days.single(NEXT))
    assert (report.rows_in, report.rows_out, report.quarantined) == (0, 0, 0)
    assert len(report.warnings) == 1
    assert report.warnings[0].startswith("1 other days were conformed again")
    assert rows(lake, "lake.order_lines", "day", "order_id", "pull_day") == [
        {"day": DAY, "order_id": "o1", "pull_day": DAY}
    ]
    assert reasons(lake, "order_lines") == [order_lines.UNKNOWN_ORDER]
    assert order_lines.run(lake, Days.single(NEXT)).warnings == []


texts = st.sampled_from([None, "", "1", "2", "-1", "0", "2.5", "x", "1.005"])
any_line = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from([None, "o1", "o2", "o9"]),
        "line_no": st.sampled_from([None, "1", "2"]),
        "product_id": st.sampled_from([None, "P1", "P2"]),
        "quantity": texts,
        "unit_price": texts,
    }
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(any_line, max_size=12))
def test_every_line_is_kept_a_duplicate_or_in_quarantine(ordered, lines):
    land(ordered, "order_lines", *lines)
    report = order_lines.run(ordered, DAYS)
    assert report.rows_in == len(lines) == report.rows_out + report.duplicates + report.quarantined
    assert report.rows_out == ordered.count("lake.order_lines")
    assert report.quarantined == ordered.count("quarantine.order_lines")
    before = rows(ordered, "lake.order_lines")
    assert order_lines.run(ordered, DAYS) == report
    assert rows(ordered, "lake.order_lines") == before
