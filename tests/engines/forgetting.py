"""A shop of which Ann was erased, but for what two holds keep, and which everything comes to again, and late rows with it.

It is small, so that an engine to which every query is a burden conforms it in seconds.
"""

from datetime import UTC, datetime

import pytest

from jobs.conform import carrier_updates, clicks, customers, order_lines, orders, returns
from jobs.erasure import journal
from jobs.erasure.outcomes import PARTLY, ErasureRequest
from jobs.erasure.runs import erase
from jobs.lake import Days
from jobs.people.holds import place_hold
from jobs.privacy.subject_ids import subject_digest
from tests.conform.landed import DAY, DAYS, customer, land, line, order
from tests.conform.suppression.test_erased_clicks import event
from tests.conform.suppression.test_erased_purchases import NEXT, account, land_all, number_lines, refund, today, update

ERASED_AT = datetime(2024, 2, 1, 9, tzinfo=UTC)
BOTH = Days(DAY, NEXT.last)
STEPS = (customers, orders, order_lines, returns, carrier_updates, clicks)
CLICKS = (
    event(email="annlee@gmail.com"),
    event(email="c2@example.com"),
    event(visitor="v1", email="ann@example.org"),
    event(visitor="v1"),
)
LATE_CLICKS = (
    event(email="Ann.Lee+x@GMail.com", time="2024-02-01T09:59:59Z"),
    event(email="annlee@gmail.com", time="2024-02-01T10:00:01Z"),
    event(email="annlee@gmail.com", time="yesterday"),
    event(visitor="v3", url="https://shop.example/p?from=ann%40example.org", time="2024-02-01T12:00:00Z"),
    event(visitor="v4", url="https://shop.example/p?from=bob%40example.org", time="2024-02-01T12:00:00Z"),
    '{"broken": "ANN\\u0040example.org"',
    "garbage of nobody",
)
LATE = {
    "customers": [account("c9", "ann.lee@gmail.com", created="2024-02-01 10:00:00"), customer("c3")],
    "customer_emails": [{"customer_id": "c1", "email": "third@example.org", "updated_at": "2024-02-01 10:00:00"}],
    "orders": [
        order("o7", email="ann@example.org", ordered_at="2024-02-01 11:12:13", updated_at="2024-02-01 11:12:13"),
        order("o8", email="a.n.n.lee@gmail.com", ordered_at="2024-02-01 09:59:00", updated_at="2024-02-01 09:59:00"),
        order("o10", email="annlee@gmail.com", ordered_at="2024-02-01 10:01:00", updated_at="2024-02-01 10:01:00"),
        order("o11", email="ann@example.org", status="unheard of"),
        order("o12", email="c3@example.com", ordered_at="2024-02-01 10:01:00", updated_at="2024-02-01 10:01:00"),
    ],
    "order_lines": [line("o7"), line("o10"), line("o3", line_no="3", product_id="P3"), line("o12")],
    "returns": [refund("r7", order_id="o7", returned_at="2024-02-01 12:00:00"), refund("r8", email="ann@example.org")],
    "carrier_updates": number_lines([
        update(tracking_no="TRK7", order_id="o7", event_time="2024-02-01T15:00:00Z"),
        update(tracking_no="TRK7", event_time="2024-02-01T16:00:00Z"),
        update(tracking_no="TRK3", order_id="o3", event="address_corrected", street="Elsewhere 7"),
        update(tracking_no="TRK12", order_id="o12", event="exploded"),
    ]),
}  # fmt: skip


def land_lines(lake, lines, days):
    numbered = ({"source": "f.jsonl", "line_no": n, "raw": text} for n, text in enumerate(lines, 1))
    land(lake, "clickstream", *numbered, days=days)


def conform(lake, days):
    return {step.__name__.rpartition(".")[2]: step.run(lake, days) for step in STEPS}


class Then(datetime):
    @classmethod
    def now(cls, tz=None):  # noqa: ARG003
        return ERASED_AT


def build(lake):
    """Conform everything, erase Ann, and land everything again with a day more."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        today(monkeypatch)
        monkeypatch.setattr(journal, "datetime", Then)
        land_all(lake)
        land_lines(lake, CLICKS, DAYS)
        conform(lake, DAYS)
        place_hold(lake, reason="court file 12 O 34/26", order_ids=["o1"])
        place_hold(lake, reason="inspection", days=DAYS, tables=["lake.clicks"])
        subjects = frozenset([subject_digest(lake)("annlee@gmail.com")])
        (outcome,) = erase(lake, [ErasureRequest("r", subjects)]).outcomes
    assert outcome.state == PARTLY
    land_all(lake)
    land_all(lake, LATE, NEXT)
    land_lines(lake, CLICKS, DAYS)
    land_lines(lake, LATE_CLICKS, NEXT)


def conform_again(lake):
    """Every step over both days; gives what each counted."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        today(monkeypatch)
        return conform(lake, BOTH)
