"""Requests by pseudonym, their states, and events whose times never go back."""

from datetime import timedelta

import pytest

from jobs.errors import UsageError
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from tests.requests.asking import NOON, ask, events, state


def move(lake, request_id, to, *, hours=1, **changes):
    return ledger.move(lake, [request_id], to, now=NOON + timedelta(hours=hours), by="tester", **changes)


def times(lake, request_id):
    return [row[C.AT] for row in ledger.read_events(lake, request_id)]


def test_a_state_has_its_event_and_its_times(lake):
    request_id = ask(lake, "access").request[C.REQUEST_ID]
    move(lake, request_id, ledger.SERVING)
    (served,) = move(lake, request_id, ledger.SERVED, hours=2)
    assert (served[C.ANSWERED_AT], served[C.CLOSED_AT]) == (NOON + timedelta(hours=2),) * 2
    assert events(lake, request_id) == ["received", "serving", "served"]


@pytest.mark.parametrize(
    ("states", "to"),
    [
        ((), ledger.SERVED),
        ((ledger.REFUSED,), ledger.SERVING),
        ((ledger.SERVING, ledger.SERVED), ledger.REFUSED),
        ((ledger.SERVING, ledger.PARTLY_SERVED), ledger.SERVED),
    ],
)
def test_a_state_that_cannot_follow_changes_nothing(lake, states, to):
    request_id = ask(lake, "access").request[C.REQUEST_ID]
    other = ask(lake, "erase").request[C.REQUEST_ID]
    for before in states:
        move(lake, request_id, before)
    held = ledger.read_requests(lake)
    with pytest.raises(UsageError, match=rf"{request_id} is \w+, so it cannot become {to}"):
        ledger.move(lake, [other, request_id], to, now=NOON, by="tester")
    assert ledger.read_requests(lake) == held


def test_every_state_has_its_moves_and_answered_ones_none():
    assert set(ledger.MOVES) == set(ledger.STATES)
    assert {to for moves in ledger.MOVES.values() for to in moves} == set(ledger.STATES)
    assert not any(ledger.MOVES[state] for state in ledger.FINAL)


def test_an_unknown_request_is_told_with_all_others(lake):
    request_id = ask(lake, "access").request[C.REQUEST_ID]
    with pytest.raises(UsageError, match="There is no request nnn, zzz"):
        ledger.find_requests(lake, ["zzz", request_id, "nnn"])


def test_a_clock_that_was_set_back_moves_neither_receipt_nor_events_nor_the_day_due(lake):
    first = ask(lake, "access", at=NOON).request
    move(lake, first[C.REQUEST_ID], ledger.SERVING, hours=0)
    second = ask(lake, "access", "joe@shop.example", at=NOON - timedelta(days=40)).request
    move(lake, second[C.REQUEST_ID], ledger.SERVING, hours=-1_000)
    assert second[C.RECEIVED_AT] > times(lake, first[C.REQUEST_ID])[-1] > first[C.RECEIVED_AT]
    assert second[C.DUE_ON] == first[C.DUE_ON]
    in_order = [*times(lake, first[C.REQUEST_ID]), *times(lake, second[C.REQUEST_ID])]
    assert in_order == sorted(set(in_order))


def test_a_clock_set_back_over_midnight_keeps_the_day_of_the_latest_event(lake):
    late = NOON.replace(hour=23, minute=59, second=59, microsecond=999_999)
    first = ask(lake, "access", at=late).request[C.REQUEST_ID]
    move(lake, first, ledger.SERVING, hours=0)
    rows = ledger.read_events(lake, first)
    assert [row[C.DAY] for row in rows] == [late.date(), late.date() + timedelta(days=1)]
    assert all(row[C.DAY] == row[C.AT].date() for row in rows)


def test_events_that_a_dead_run_did_not_write_are_added_once(lake, monkeypatch):
    request_id = ask(lake, "access").request[C.REQUEST_ID]
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "record_events", lambda *_, **__: None)
        move(lake, request_id, ledger.SERVING)
        ask(lake, "erase", "joe@shop.example")
    assert events(lake, request_id) == ["received"]
    assert ledger.complete_events(lake, now=NOON, by="tester") == 2
    assert ledger.complete_events(lake, now=NOON, by="tester") == 0
    assert events(lake, request_id) == ["received", "serving"]


def test_approval_is_recorded_and_not_for_what_is_answered(lake):
    request_id = ask(lake, "erase").request[C.REQUEST_ID]
    (row,) = ledger.approve(lake, [request_id], now=NOON, by="tester")
    assert row[C.APPROVED_AT] >= NOON
    move(lake, request_id, ledger.REFUSED)
    with pytest.raises(UsageError, match="nothing left to approve"):
        ledger.approve(lake, [request_id], now=NOON, by="tester")


def test_releasing_a_hold_opens_what_it_kept_back_with_a_term_of_its_own(lake):
    held = ask(lake, "erase").request
    other = ask(lake, "access", "joe@shop.example").request[C.REQUEST_ID]
    move(lake, held[C.REQUEST_ID], ledger.SERVING)
    move(lake, held[C.REQUEST_ID], ledger.WAITING, **{C.REASON: "a lawsuit"})
    months_later = NOON + timedelta(days=100)
    assert ledger.reopen_held(lake, now=months_later, by="tester") == [held[C.REQUEST_ID]]
    assert ledger.reopen_held(lake, now=months_later, by="tester") == []
    (row,) = ledger.find_requests(lake, [held[C.REQUEST_ID]])
    assert (row[C.STATE], row[C.REASON], row[C.ANSWERED_AT]) == (ledger.OPEN, None, None)
    assert row[C.DUE_ON] > months_later.date() > held[C.DUE_ON]
    assert state(lake, other) == ledger.OPEN
