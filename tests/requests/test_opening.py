"""A request is recorded once, under pseudonyms, with the day it is due."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.errors import KeyRingError, UsageError
from jobs.lake import columns as C
from jobs.privacy.keyring import open_keyring
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.subject_ids import bucket_of, find_subject_key
from jobs.requests import payloads
from jobs.requests.opening import draw_request_id, open_requests
from jobs.requests.wishes import read_wishes
from tests.exports.conftest import fill_subjects
from tests.requests.asking import NOON, ask, events, id_of


def count(lake):
    return len(ledger.read_requests(lake))


def give_account(lake, *addresses):
    """Person ``p`` with these addresses, and somebody else."""
    subjects = {id_of(lake, address): {"person_id": "p"} for address in addresses}
    others = {"f" * 32: {"person_id": "q"}}
    people = {name: {**odd, "subject_bucket": bucket_of(name)} for name, odd in (subjects | others).items()}
    fill_subjects(lake, people)


def find_text(home, text):
    return [path for path in Path(home).rglob("*") if path.is_file() and text in path.read_bytes()]


def test_a_request_is_open_and_due_in_fifteen_working_days(lake):
    opened = ask(lake, "erase")
    row = opened.request
    assert (opened.is_new, opened.is_known) == (True, False)
    assert (row[C.STATE], row[C.SOURCE], row[C.PERSON_ID]) == ("open", "person", None)
    assert (row[C.RECEIVED_AT], row[C.DUE_ON]) == (NOON, date(2026, 3, 23))
    assert row[C.SUBJECT_ID] == id_of(lake, "jane@shop.example")
    assert events(lake, row[C.REQUEST_ID]) == ["received"]
    assert ledger.read_requests(lake) == [row]


def test_the_account_of_the_address_is_found(lake):
    give_account(lake, "jane@shop.example")
    opened = ask(lake, "access", "JANE@shop.example")
    assert (opened.is_known, opened.request[C.PERSON_ID]) == (True, "p")


def test_holidays_move_the_day_due(lake, tmp_path):
    file = tmp_path / "calendar.yaml"
    file.write_text("holidays: [2026-03-04..2026-03-06]")
    object.__setattr__(lake.settings, "holidays_file", str(file))
    assert ask(lake, "access").request[C.DUE_ON] == date(2026, 3, 26)
    file.write_text("holidays: [soon]")
    with pytest.raises(UsageError, match="entry 1"):
        ask(lake, "access", "joe@shop.example")
    assert count(lake) == 1


@pytest.mark.parametrize("kind", ["access", "erase", "opt-out", "opt-in"])
def test_the_same_request_twice_is_told_and_not_doubled(lake, kind):
    first = ask(lake, kind)
    second = ask(lake, kind, " Jane@Shop.example", at=NOON + timedelta(days=1))
    assert not second.is_new
    assert second.request[C.REQUEST_ID] == first.request[C.REQUEST_ID]
    assert second.request[C.DUE_ON] == first.request[C.DUE_ON]
    assert count(lake) == 1
    assert events(lake, first.request[C.REQUEST_ID])[-1] == "repeated"
    assert ask(lake, kind, "joe@shop.example").is_new


def test_a_request_from_another_address_of_the_account_is_the_same(lake):
    addresses = ("jane@shop.example", "jane@work.example")
    give_account(lake, *addresses)
    assert [ask(lake, "access", address).is_new for address in addresses] == [True, False]


def test_after_an_answer_the_same_request_is_a_new_one(lake):
    first = ask(lake, "access").request[C.REQUEST_ID]
    for state in (ledger.SERVING, ledger.SERVED):
        ledger.move(lake, [first], state, now=NOON, by="tester")
    assert ask(lake, "access").is_new


def test_an_opt_in_between_makes_an_opt_out_a_new_one_and_purposes_are_apart(lake):
    assert [
        ask(lake, kind, at=NOON + timedelta(hours=hours), purpose=purpose).is_new
        for hours, (kind, purpose) in enumerate(
            [("opt-out", None), ("opt-out", "ads"), ("opt-out", "personalisation"), ("opt-in", None), ("opt-out", None)]
        )
    ] == [True, False, True, True, True]


def test_a_correction_is_the_same_only_with_the_same_values(lake):
    assert [ask(lake, "correct", city=city).is_new for city in ("Bonn", "Bonn ", "Köln", "Bonn")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_the_same_request_twice_in_one_file_is_recorded_once(lake):
    wishes = read_wishes(
        "email\njane@shop.example\nJane@Shop.example\njoe@shop.example\n",
        find_subject_key(lake),
        NOON.date(),
        kind="erase",
    )
    opened = open_requests(lake, wishes, now=NOON, by="tester")
    assert [one.is_new for one in opened] == [True, False, True]
    assert opened[0].request[C.REQUEST_ID] == opened[1].request[C.REQUEST_ID]
    assert count(lake) == 2
    assert len(lake.read_records(payloads.PAYLOADS)) == 2


def test_another_run_that_records_the_same_meanwhile_wins(lake, monkeypatch):
    plain, raced = ledger.add_requests, []

    def add(lake, choose, *, by):
        if not raced:
            raced.append(True)
            raced.append(ask(lake, "erase").request[C.REQUEST_ID])
        return plain(lake, choose, by=by)

    monkeypatch.setattr(ledger, "add_requests", add)
    opened = ask(lake, "erase")
    assert not opened.is_new
    assert [row[C.REQUEST_ID] for row in ledger.read_requests(lake)] == [raced[1]]


def test_the_address_stands_nowhere_in_clear(lake):
    request_id = ask(lake, "correct", "jane.unusual@shop.example", city="Castrop-Rauxel").request[C.REQUEST_ID]
    assert find_text(lake.home, b"jane.unusual") == []
    assert find_text(lake.home, b"Castrop") == []
    opened = payloads.open_payloads(lake, [request_id])
    assert opened == {request_id: {"email": "jane.unusual@shop.example", "values": {"city": "Castrop-Rauxel"}}}


def test_a_payload_of_another_key_or_request_is_not_opened(lake):
    request_id = ask(lake, "access").request[C.REQUEST_ID]
    open_keyring(lake.settings).destroy(payloads.PURPOSE)
    with pytest.raises(KeyRingError, match="was destroyed"):
        payloads.open_payloads(lake, [request_id])


def test_a_dropped_payload_is_in_no_file_any_more(lake):
    first, second = (ask(lake, "access", address).request[C.REQUEST_ID] for address in ("a@b.example", "c@d.example"))
    held = {row[C.REQUEST_ID]: row[C.CONTENT].encode() for row in lake.read_records(payloads.PAYLOADS)}
    payloads.drop_payloads(lake, [first])
    payloads.drop_payloads(lake, [first])
    kept = lake.read("vault.request_payloads").collect()
    assert [row.request_id for row in kept] == [second]
    assert len(list(Path(lake.location(payloads.PAYLOADS)).glob("w-*/*.parquet"))) == 1
    assert held[first] != held[second]


def test_ids_tell_nothing_and_look_like_no_number():
    drawn = {draw_request_id() for _ in range(1_000)}
    assert len(drawn) == 1_000
    assert all(len(name) == 10 and not set(name) & set("aeiou0123456789") for name in drawn)
