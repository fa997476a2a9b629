"""Folding: nothing is lost on the way into a table, and no two folds of one table work at once."""

import fcntl
import json
import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.conform import carrier_updates, clicks, order_lines, orders, returns
from jobs.conform.folding import fold_scratch, list_days_of_keys
from jobs.errors import SophiluxError
from jobs.lake import Days
from tests.conform.landed import DAY, DAYS, land, line, order, reasons, rows

NEXT = date(2024, 2, 1)
ORDERS = "lake.orders"


def add_orders(lake, *names, day=DAY, placed=DAY):
    """Land orders of one pull and conform them."""
    land(
        lake,
        "orders",
        *(order(name, ordered_at=f"{placed} 09:00:00", updated_at=f"{day} 09:05:00") for name in names),
        days=Days.single(day),
    )
    orders.run(lake, Days.single(day))


def fold_again(lake, finish, also=None, pulled=DAYS):
    """Fold the orders that the lake holds of a pull once more."""
    with lake.scratch(lake.read(ORDERS).where(f"pull_day = date'{pulled.first}'")) as held:
        return fold_scratch(lake, ORDERS, held, pulled=pulled, finish=finish, also=also)


def test_a_fold_that_drops_rows_fails_and_leaves_the_table_as_it_was(lake):
    add_orders(lake, "o1", "o2")
    before, versions = rows(lake, ORDERS), len(lake.history(ORDERS))
    for finish in (lambda frame: frame.limit(0), lambda frame: frame.where("order_id = 'o1'")):
        with pytest.raises(SophiluxError, match=r"lake\.orders: [12] rows .* nothing was published"):
            fold_again(lake, finish)
    assert rows(lake, ORDERS) == before
    assert len(lake.history(ORDERS)) == versions


def test_a_first_fold_that_drops_or_doubles_rows_fails(lake):
    add_orders(lake, "o1", "o2")
    with lake.scratch(lake.read(ORDERS)) as held:
        lake.replace(ORDERS, lake.empty(ORDERS))
        for finish in (lambda frame: frame.limit(1), lambda frame: frame.unionByName(frame)):
            with pytest.raises(SophiluxError, match="nothing was published"):
                fold_scratch(lake, ORDERS, held, pulled=DAYS, finish=finish)
    assert rows(lake, ORDERS) == []


def test_folds_of_one_table_wait_for_each_other_while_reading_and_writing(lake):
    add_orders(lake, "o1")
    seen = []

    def is_held():
        with open(f"{lake.home}/.locks/{ORDERS}.fold") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def finish(frame):
        seen.append(is_held())
        return frame

    def also():
        seen.append(is_held())
        return ()

    fold_again(lake, finish, also)
    assert seen == [True, True]
    assert not is_held()


def test_an_order_that_two_folds_move_is_not_doubled(lake):
    add_orders(lake, "o1")
    moves = {NEXT: date(2024, 1, 29), date(2024, 2, 2): date(2024, 1, 28)}
    for day, placed in moves.items():
        changed = order("o1", ordered_at=f"{placed} 09:00:00", updated_at=f"{day} 09:00:00")
        land(lake, "orders", changed, days=Days.single(day))
    runs = [threading.Thread(target=orders.run, args=(lake, Days.single(day))) for day in moves]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert rows(lake, ORDERS, "day", "order_id") == [{"day": date(2024, 1, 28), "order_id": "o1"}]


def test_days_of_keys_are_those_of_other_pulls(lake):
    add_orders(lake, "o1", placed=date(2024, 1, 30))
    assert list_days_of_keys(lake, ORDERS, lake.read(ORDERS), pulled=DAYS) == ()
    assert list_days_of_keys(lake, ORDERS, lake.read(ORDERS), pulled=Days.single(NEXT)) == (date(2024, 1, 30),)


def test_a_day_past_landings_retention_keeps_its_rows(lake, today):
    add_orders(lake, "o1")
    land(lake, "order_lines", line("o1"), line("o9"))
    order_lines.run(lake, DAYS)
    for table in ("orders", "order_lines"):
        lake.drop_partitions(f"landing.{table}", [str(DAY)])
    before = rows(lake, ORDERS), rows(lake, "lake.order_lines")
    today(DAY + timedelta(days=31))
    for step in (orders, order_lines):
        with pytest.raises(SophiluxError, match=f"landing of {DAY} is past its retention; pull the day again first"):
            step.run(lake, Days(DAY - timedelta(days=1), NEXT))
    assert (rows(lake, ORDERS), rows(lake, "lake.order_lines")) == before
    assert reasons(lake, "order_lines") == [order_lines.UNKNOWN_ORDER]
    for step in (clicks, returns, carrier_updates):
        step.run(lake, DAYS)


def test_an_empty_day_within_landings_retention_takes_its_rows_back(lake, today):
    add_orders(lake, "o1")
    lake.drop_partitions("landing.orders", [str(DAY)])
    today(DAY + timedelta(days=30))
    orders.run(lake, DAYS)
    assert rows(lake, ORDERS) == []


@pytest.mark.parametrize("crashed", ["never written", "gone"])
def test_visits_that_a_crash_left_behind_their_clicks_are_formed_again(lake, crashed):
    times = [datetime(2024, 1, 31, hour, tzinfo=UTC) for hour in (9, 10, 12)]
    records = [{"time": f"{time:%FT%TZ}", "visitor": "v1", "action": "view", "product": "P1"} for time in times]
    land(
        lake,
        "clickstream",
        *({"source": "f", "line_no": number, "raw": json.dumps(record)} for number, record in enumerate(records, 1)),
    )
    clicks.run(lake, DAYS)
    before = rows(lake, "lake.sessions")
    assert len(before) == 3
    left = (
        lake.read("lake.sessions").where("hour(started_at) = 9") if crashed == "gone" else lake.empty("lake.sessions")
    )
    lake.replace("lake.sessions", left.coalesce(1), partitions=[str(DAY)])
    clicks.run(lake, Days.single(NEXT))
    assert rows(lake, "lake.sessions") == before
