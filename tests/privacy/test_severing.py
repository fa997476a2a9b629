"""Severed rows: nobody is in them, what the law keeps stays, and both ways to make them give the same."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.errors import ContractError
from jobs.lake.erasures import SEVER
from jobs.privacy.severing import PREFIX, check_severable, find_number, is_severed, sever, sever_rows
from jobs.privacy.tombstones import tombstone_digest, tombstone_keys

DAY = date(2024, 1, 31)
AT = datetime(2024, 1, 31, 13, 45, 59, 123456, tzinfo=UTC)
RETURN = {
    "day": DAY,
    "line_id": -5,
    "return_id": "r1",
    "order_id": "o1",
    "subject_id": "f" * 32,
    "subject_bucket": 7,
    "product_id": "P1",
    "quantity": 2,
    "unit_price": Decimal("4.25"),
    "sale_day": DAY,
    "country": "DE",
    "currency": "EUR",
    "reason": "does not fit my wife",
    "returned_at": AT,
    "pull_day": DAY,
}


def table(lake, name, rows):
    return pa.Table.from_pylist(rows, lake.contracts[name].arrow_schema())


def through_engine(lake, name, rows, where="true"):
    contract = lake.contracts[name]
    frame = lake.session.createDataFrame(table(lake, name, rows), contract.engine_schema())
    return sever(frame, contract, tombstone_keys(lake), where=F.expr(where)).toArrow().to_pylist()


def through_arrow(lake, name, rows, found=None):
    marks = pa.chunked_array([pa.array(found or [True] * len(rows), pa.bool_())])
    before = table(lake, name, rows)
    after = sever_rows(before, lake.contracts[name], tombstone_digest(lake), marks)
    assert after.schema == before.schema
    return after.to_pylist()


def test_the_person_goes_and_amounts_days_and_products_stay(shared_lake):
    (row,) = through_engine(shared_lake, "lake.returns", [RETURN])
    kept = ("day", "product_id", "quantity", "unit_price", "sale_day", "country", "pull_day")
    assert {name: row[name] for name in kept} == {name: RETURN[name] for name in kept}
    assert [row[name] for name in ("subject_id", "subject_bucket", "reason")] == [None] * 3
    assert row["returned_at"] == datetime(2024, 1, 31, tzinfo=UTC)
    assert row["return_id"].startswith(PREFIX)
    assert row["order_id"].startswith(PREFIX)
    assert row["line_id"] != RETURN["line_id"]


def test_lines_still_belong_to_their_order(shared_lake):
    line = {
        name: RETURN[name]
        for name in ("day", "line_id", "order_id", "product_id", "quantity", "unit_price", "pull_day")
    }
    order = {"day": DAY, "order_id": "o1", "status": "paid", "ordered_at": AT, "updated_at": AT, "pull_day": DAY}
    numbers = {
        through_engine(shared_lake, "lake.order_lines", [{**line, "ordered_at": AT}])[0]["order_id"],
        through_engine(shared_lake, "lake.orders", [order])[0]["order_id"],
        through_engine(shared_lake, "lake.returns", [RETURN])[0]["order_id"],
    }
    assert len(numbers) == 1
    other = through_engine(shared_lake, "lake.orders", [{**order, "order_id": "o2"}])[0]["order_id"]
    assert other not in numbers


def test_only_the_rows_asked_for_are_severed(shared_lake):
    others = {**RETURN, "return_id": "r2", "line_id": 6}
    assert through_engine(shared_lake, "lake.returns", [RETURN, others], "return_id = 'r1'")[1] == others
    assert through_arrow(shared_lake, "lake.returns", [RETURN, others], [True, None])[1] == others


def test_a_severed_row_is_severed_into_itself(shared_lake):
    once = through_engine(shared_lake, "lake.returns", [RETURN])
    assert through_engine(shared_lake, "lake.returns", once) == once
    assert through_arrow(shared_lake, "lake.returns", once) == once
    contract = shared_lake.contracts["lake.returns"]
    frame = shared_lake.session.createDataFrame(
        table(shared_lake, "lake.returns", [RETURN, *once]), contract.engine_schema()
    )
    assert [row[0] for row in frame.select(is_severed(contract)).collect()] == [False, True]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WHEN = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ROW = {
    "return_id": TEXT,
    "order_id": st.none() | TEXT,
    "line_id": st.integers(-(2**63), 2**63 - 1),
    "returned_at": WHEN,
    "reason": st.none() | TEXT,
}
ROWS = st.lists(st.fixed_dictionaries(ROW), min_size=1, max_size=20)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_frames_and_arrow_give_the_same(shared_lake, rows):
    full = [{**RETURN, **row} for row in rows]
    assert through_engine(shared_lake, "lake.returns", full) == through_arrow(shared_lake, "lake.returns", full)


def test_every_table_that_is_severed_can_be(contracts):
    severed = [contract for contract in contracts.values() if contract.erasure and contract.erasure.method == SEVER]
    assert {"lake.orders", "lake.order_lines", "lake.returns", "lake.parcels"} <= {c.name for c in severed}
    for contract in severed:
        check_severable(contract)


def test_a_table_whose_pseudonym_would_stay_cannot_be_severed(contracts):
    with pytest.raises(ContractError, match=r"lake\.subjects: rows cannot be severed, because of circle_id"):
        check_severable(contracts["lake.subjects"])


def test_a_ledger_keeps_its_times(shared_lake):
    request = {
        "request_id": "q1",
        "kind": "erase",
        "subject_id": "f" * 32,
        "subject_bucket": 7,
        "person_id": "e" * 32,
        "state": "served",
        "received_at": AT,
        "due_on": DAY,
    }
    (row,) = through_arrow(shared_lake, "ledger.requests", [request])
    assert row["received_at"] == AT
    assert [row[name] for name in ("subject_id", "subject_bucket", "person_id")] == [None] * 3
    assert find_number(shared_lake.contracts["ledger.requests"]) is None
