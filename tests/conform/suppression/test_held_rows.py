"""What a hold kept of an erased person stays when its days are conformed again, and goes after the release."""

from datetime import date

import pytest

from jobs.erasure.outcomes import ErasureRequest
from jobs.erasure.runs import erase
from jobs.lake import Days
from jobs.people.finding import find_people
from jobs.people.holds import place_hold, release_hold
from tests.conform.landed import rows

from .test_erased_purchases import LANDED, about_ann, conform, conformed, contents, lake, land_all

__all__ = ["conformed", "lake"]

pytestmark = pytest.mark.slow

LANDINGS = tuple(f"landing.{table}" for table in LANDED)


def forget_ann(lake):
    (ann,) = find_people(lake, addresses=["annlee@gmail.com"])
    done = erase(lake, [ErasureRequest("r", ann.subject_ids, ann.addresses)])
    return done.outcomes[0].state


def differences(before, after):
    """Rows by table that are in one of two contents only; when an address stopped being current is not compared."""
    found = {}
    for table, rows_before in before.items():
        old, now = (
            [{**row, "valid_to": None, "is_current": None} for row in each] for each in (rows_before, after[table])
        )
        lost, new = ([row for row in one if row not in other] for one, other in ((old, now), (now, old)))
        if lost or new:
            found[table] = (lost, new)
    return found


def orders_of(lake, table="lake.orders"):
    return {row["order_id"] for row in rows(lake, table)}


def test_an_order_on_hold_is_left_as_it_is_by_later_runs(lake):
    hold = place_hold(lake, reason="court file 12 O 34/26", order_ids=["o1"])
    (before,) = [row for row in rows(lake, "lake.orders") if row["order_id"] == "o1"]
    assert forget_ann(lake) == "partly"
    after = contents(lake, *LANDINGS)
    assert before in rows(lake, "lake.orders")
    assert "o3" not in orders_of(lake)
    conform(lake)
    assert differences(after, contents(lake, *LANDINGS)) == {}
    land_all(lake)
    conform(lake)
    assert before in rows(lake, "lake.orders")
    assert "o3" not in orders_of(lake) | orders_of(lake, "landing.orders")
    assert "o1" in orders_of(lake, "landing.orders") & orders_of(lake, "lake.order_lines")
    release_hold(lake, hold.hold_id)
    assert forget_ann(lake) == "erased"
    conform(lake)
    assert about_ann(lake, *(table for table in LANDINGS if table != "landing.products")) == []


def test_a_period_on_hold_is_left_as_it_is_by_later_runs(lake):
    day = date(2024, 1, 31)
    place_hold(lake, reason="tax audit", days=Days.single(day))
    before = [row for row in rows(lake, "lake.orders") if row["day"] == day]
    assert forget_ann(lake) == "partly"
    after = contents(lake, *LANDINGS)
    assert [row for row in rows(lake, "lake.orders") if row["day"] == day] == before
    conform(lake)
    assert differences(after, contents(lake, *LANDINGS)) == {}
