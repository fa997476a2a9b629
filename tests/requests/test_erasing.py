"""What becomes of requests to erase, by what the erasure says of them."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs.erasure.outcomes import ERASED, HELD, PARTLY, UNKNOWN, Outcome
from jobs.errors import SophiluxError, UsageError
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests import texts
from jobs.requests.access import answers
from jobs.requests.serving import list_servable, serve
from tests.requests.asking import NOON, ask, events, id_of, state

SOON = NOON + timedelta(hours=1)


@pytest.fixture
def erased(monkeypatch):
    """A stand-in for the erasure: answers what a test says, and remembers what it was asked for."""
    asked, answers_by_id = [], {}

    def erase(lake, requests, **_):
        asked.append(list(requests))
        told = [answers_by_id.get(request.request_id, (ERASED, None)) for request in requests]
        for state_, _reason in told:
            if isinstance(state_, Exception):
                raise state_
        return SimpleNamespace(outcomes=[Outcome(r.request_id, *t) for r, t in zip(requests, told, strict=True)])

    monkeypatch.setattr("jobs.requests.erasing.erase", erase)
    erase.asked, erase.answers = asked, answers_by_id
    return erase


def ask_to_erase(lake, address="jane@shop.example"):
    return ask(lake, "erase", address).request[C.REQUEST_ID]


def row_of(lake, request_id):
    (row,) = ledger.find_requests(lake, [request_id])
    return row


@pytest.mark.parametrize(
    ("told", "state_", "reason", "is_linked", "is_closed"),
    [
        ((ERASED, None), ledger.SERVED, None, False, True),
        ((UNKNOWN, None), ledger.SERVED, texts.UNKNOWN, False, True),
        ((PARTLY, "a tax audit"), ledger.PARTLY_SERVED, "keep part of your data", True, False),
        ((HELD, "a lawsuit"), ledger.WAITING, "keep all of your data", True, False),
    ],
)
def test_the_ledger_tells_what_became_of_it(lake, erased, told, state_, reason, is_linked, is_closed):
    request_id = ask_to_erase(lake)
    erased.answers[request_id] = told
    serve(lake, [request_id], now=SOON, by="tester")
    row = row_of(lake, request_id)
    assert row[C.STATE] == state_
    assert row[C.ANSWERED_AT] >= SOON
    assert (row[C.CLOSED_AT] is not None) is is_closed
    assert (row[C.REASON] or "").count(reason or "") >= 1
    assert told[1] is None or told[1] in row[C.REASON]
    links = {row[name] for name in (C.SUBJECT_ID, C.SUBJECT_BUCKET, C.PERSON_ID)}
    assert (links != {None}) is is_linked
    assert bool(lake.read_records("vault.request_payloads")) is is_linked
    assert row[C.REASON] is None or row[C.REASON] == texts.tell_answer(row)


def test_the_erasure_gets_the_address_as_it_was_written(lake, erased):
    request_id = ask_to_erase(lake, "Jane@Shop.example")
    serve(lake, [request_id], now=SOON, by="tester")
    (((asked,)),) = erased.asked
    assert (asked.request_id, asked.addresses) == (request_id, {"Jane@Shop.example"})
    assert asked.subject_ids == {id_of(lake, "jane@shop.example")}


def test_nothing_of_the_person_stays_in_the_ledger(lake, erased):
    subject = id_of(lake, "jane@shop.example")
    serve(lake, [ask_to_erase(lake)], now=SOON, by="tester")
    assert subject not in str(lake.read_records(ledger.REQUESTS)) + str(lake.read_records(ledger.EVENTS))


def test_several_are_erased_in_one_run(lake, erased):
    ids = [ask_to_erase(lake, address) for address in ("a@b.example", "c@d.example")]
    serve(lake, ids, now=SOON, by="tester")
    assert [{asked.request_id for asked in run} for run in erased.asked] == [set(ids)]


def test_one_that_cannot_be_told_for_certain_does_not_keep_the_others(lake, erased):
    unclear, clear = (ask_to_erase(lake, address) for address in ("a@b.example", "c@d.example"))
    erased.answers[unclear] = (UsageError("more than five accounts are tied together."), None)
    with pytest.raises(
        UsageError, match=f"1 of 2 requests could not be served and are open again: {unclear}: more than"
    ):
        serve(lake, [unclear, clear], now=SOON, by="tester")
    assert (state(lake, unclear), state(lake, clear)) == (ledger.OPEN, ledger.SERVED)
    assert events(lake, unclear) == ["received", "serving", "failed"]


def test_an_erasure_that_is_not_finished_is_open_again_and_finished_by_the_next(lake, erased):
    request_id = ask_to_erase(lake)
    ledger.approve(lake, [request_id], now=SOON, by="tester")
    erased.answers[request_id] = (SophiluxError("something is left in lake.orders."), None)
    with pytest.raises(SophiluxError, match="something is left"):
        serve(lake, [request_id], now=SOON, by="tester")
    assert list_servable(lake) == [request_id]
    erased.answers.clear()
    serve(lake, list_servable(lake), now=SOON, by="tester")
    assert events(lake, request_id) == ["received", "approved", "serving", "failed", "serving", "served"]


def test_erasure_waits_for_somebody_to_agree_unless_the_policy_is_another(lake, erased):
    request_id = ask_to_erase(lake)
    assert list_servable(lake) == []
    ledger.approve(lake, [request_id], now=SOON, by="tester")
    assert list_servable(lake) == [request_id]
    other = ask_to_erase(lake, "joe@shop.example")
    object.__setattr__(lake.settings, "erase_policy", "automatic")
    assert list_servable(lake) == [request_id, other]


def test_released_holds_are_served_without_asking_again(lake, erased):
    request_id = ask_to_erase(lake)
    ledger.approve(lake, [request_id], now=SOON, by="tester")
    erased.answers[request_id] = (HELD, "a lawsuit")
    serve(lake, [request_id], now=SOON, by="tester")
    assert list_servable(lake) == []
    ledger.reopen_held(lake, now=SOON + timedelta(days=9), by="release")
    erased.answers.clear()
    serve(lake, list_servable(lake), now=SOON + timedelta(days=9), by="tester")
    assert row_of(lake, request_id)[C.REASON] is None
    assert events(lake, request_id)[-4:] == ["waiting", "reopened", "serving", "served"]


def test_a_file_with_the_persons_data_goes_before_they_are_erased(lake, erased, monkeypatch):
    access = ask(lake, "access").request[C.REQUEST_ID]
    others = ask(lake, "access", "joe@shop.example").request[C.REQUEST_ID]
    for request_id in (access, others):
        answers.keep_answer(lake, request_id, b"zip")
    serve(lake, [ask_to_erase(lake)], now=SOON, by="tester")
    assert [path.name for path in Path(lake.home, "answers").iterdir()] == [f"{others}.zip"]


def test_what_an_erased_person_asked_for_besides_is_answered(lake, erased):
    access, again = ask(lake, "access").request, ask_to_erase(lake)
    rows = [
        {**row, **dict.fromkeys((C.SUBJECT_ID, C.SUBJECT_BUCKET, C.PERSON_ID))} for row in ledger.read_requests(lake)
    ]
    lake.record(ledger.REQUESTS, rows)
    served = serve(lake, [access[C.REQUEST_ID], again], now=SOON, by="tester")
    told = {row[C.REQUEST_ID]: (row[C.STATE], row[C.REASON]) for row in served}
    assert told == {access[C.REQUEST_ID]: (ledger.REFUSED, texts.ERASED_MEANWHILE), again: (ledger.SERVED, None)}
    assert erased.asked == []


def test_every_way_to_end_has_a_text(lake):
    rows = [
        {C.STATE: ledger.SERVED, C.KIND: kind, C.REASON: None, C.PURPOSE: purpose, C.DUE_ON: None}
        for kind in ledger.KINDS
        for purpose in (("ads", "personalisation") if kind.startswith("opt") else (None,))
    ]
    assert len({texts.tell_answer(row) for row in rows}) == len(rows)
    open_ = {**rows[0], C.STATE: ledger.OPEN, C.DUE_ON: "2026-03-23"}
    assert "by 2026-03-23 at the latest" in texts.tell_answer(open_)
