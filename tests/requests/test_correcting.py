"""A correction holds over later pulls, makes a new version, and keeps the original."""

from datetime import UTC, date, datetime

import pytest

from jobs.conform import customers
from jobs.lake import Days
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests.serving import serve
from jobs.requests.texts import NOTHING_TO_CORRECT
from tests.conform.landed import DAYS, customer, land, rows
from tests.requests.asking import ask, events, state

ASKED = datetime(2024, 2, 3, 12, tzinfo=UTC)
PULLED = datetime(2024, 1, 31, 8, tzinfo=UTC).replace(tzinfo=None)
LATER = Days.single(date(2024, 2, 5))
EMAIL = {"is_primary": "0", "updated_at": "2024-01-31 08:00:00"}


@pytest.fixture(autouse=True)
def landed(lake, monkeypatch):
    monkeypatch.setattr("jobs.conform.landing.current_day", lambda: date(2024, 2, 10))
    land(lake, "customer_emails", {"customer_id": "c1", "email": "old@example.com", **EMAIL})
    pull(lake, customer("c1"), customer("c2"))


def pull(lake, *accounts, days=DAYS):
    land(lake, "customers", *accounts, days=days)
    customers.run(lake, days)


def ask_and_serve(lake, address="c1@example.com", **values):
    request_id = ask(lake, "correct", address, at=ASKED, **values).request[C.REQUEST_ID]
    (row,) = serve(lake, [request_id], now=ASKED, by="tester")
    return row


def account(lake, name="c1"):
    return next(row for row in rows(lake, "vault.customers") if row["customer_id"] == name)


def history(lake, *names):
    own = account(lake)["subject_id"]
    found = [row for row in rows(lake, "vault.addresses") if row["subject_id"] == own]
    return [tuple(row[name] for name in names) for row in sorted(found, key=lambda row: row["valid_from"])]


def later(name="c1", **changes):
    return customer(name, updated_at="2024-02-05 08:00:00", **changes)


def test_a_new_version_holds_from_the_request_on_and_the_original_stays(lake):
    others = (
        account(lake, "c2"),
        [r for r in rows(lake, "vault.addresses") if r["subject_id"] != account(lake)["subject_id"]],
    )
    row = ask_and_serve(lake, street="Short Lane 2", phone="+49 30 123456")
    assert row[C.STATE] == ledger.SERVED
    assert history(lake, "street", "phone", "city", "source", "valid_from", "is_current") == [
        ("Long Road 1", "+49 1", "Bonn", "account", PULLED, False),
        ("Short Lane 2", "+49 30 123456", "Bonn", "request", ASKED.replace(tzinfo=None), True),
    ]
    assert account(lake)["phone"] == "+49 30 123456"
    assert (
        account(lake, "c2"),
        [r for r in rows(lake, "vault.addresses") if r["subject_id"] != account(lake)["subject_id"]],
    ) == others
    assert lake.read_records("vault.request_payloads") == []


def test_a_date_of_birth_moves_the_day_from_which_somebody_is_adult(lake):
    ask_and_serve(lake, birth_date="2010-06-20")
    own = {row["subject_id"]: row["adult_from"] for row in rows(lake, "lake.subjects")}
    assert own[account(lake)["subject_id"]] == date(2028, 7, 1)
    assert account(lake)["birth_date"] == date(2010, 6, 20)
    assert '"replaces":"1990-05-17"' in account(lake)["corrections"]
    assert history(lake, "source") == [("account",)]


def test_a_later_pull_of_the_same_account_does_not_undo_it(lake):
    ask_and_serve(lake, full_name="Ann Leigh", birth_date="1991-01-01", country="FR", street="Short Lane 2")
    before = account(lake), history(lake, "street", "full_name")
    pull(lake, customer("c1"), customer("c2"))
    assert (account(lake), history(lake, "street", "full_name")) == before
    pull(lake, later(ads_opt_out="1"), days=LATER)
    now = account(lake)
    assert now["ads_opt_out"] is True
    assert [now[name] for name in ("full_name", "birth_date", "country")] == ["Ann Leigh", date(1991, 1, 1), "FR"]
    assert now["corrections"] == before[0]["corrections"]
    assert history(lake, "street", "full_name") == before[1]


def test_what_the_account_changes_afterwards_wins_field_by_field(lake):
    ask_and_serve(lake, full_name="Ann Leigh", phone="+49 30 123456")
    pull(lake, later(phone="+49 2"), days=LATER)
    now = account(lake)
    assert (now["full_name"], now["phone"]) == ("Ann Leigh", "+49 2")
    assert "phone" not in now["corrections"]
    assert history(lake, "phone", "source")[-1] == ("+49 2", "account")


def test_a_second_correction_keeps_the_first_original(lake):
    ask_and_serve(lake, full_name="Ann Leigh")
    ask_and_serve(lake, full_name="Anne Leigh", phone="+49 30 123456")
    told = account(lake)["corrections"]
    assert '"full_name":{"value":"Anne Leigh","replaces":"Ann Lee"' in told
    pull(lake, later(), days=LATER)
    assert account(lake)["full_name"] == "Anne Leigh"


def test_what_the_account_never_said_is_corrected_too(lake):
    pull(lake, customer("c1", birth_date=None, phone=None))
    ask_and_serve(lake, birth_date="1991-01-01", phone="+49 30 123456")
    pull(lake, later(birth_date=None, phone=None), days=LATER)
    assert (account(lake)["birth_date"], account(lake)["phone"]) == (date(1991, 1, 1), "+49 30 123456")


def test_serving_again_after_a_crash_changes_nothing(lake, monkeypatch):
    from jobs.requests import serving

    request_id = ask(lake, "correct", "c1@example.com", at=ASKED, street="Short Lane 2", phone="+49 30 123456").request[
        C.REQUEST_ID
    ]
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "move", die_before_served)
        with pytest.raises(KeyboardInterrupt):
            serve(lake, [request_id], now=ASKED, by="tester")
    assert state(lake, request_id) == ledger.SERVING
    before = account(lake), history(lake, "street", "version_id")
    serve(lake, serving.list_servable(lake), now=ASKED, by="tester")
    assert (account(lake), history(lake, "street", "version_id")) == before
    assert events(lake, request_id) == ["received", "serving", "serving", "served"]


def test_a_request_from_a_further_address_corrects_the_account(lake):
    ask_and_serve(lake, "Old@Example.com", phone="+49 30 123456")
    assert account(lake)["phone"] == "+49 30 123456"


def test_of_two_accounts_with_the_same_right_to_an_address_none_is_corrected(lake):
    shared = [{"customer_id": name, "email": "both@example.com", **EMAIL} for name in ("c1", "c2")]
    land(lake, "customer_emails", *shared)
    pull(lake, customer("c1"), customer("c2"))
    before = rows(lake, "vault.customers")
    request_id = ask(lake, "correct", "both@example.com", at=ASKED, phone="+49 30 123456").request[C.REQUEST_ID]
    with pytest.raises(Exception, match="2 accounts have the address of request"):
        serve(lake, [request_id], now=ASKED, by="tester")
    assert state(lake, request_id) == ledger.OPEN
    assert rows(lake, "vault.customers") == before


def test_somebody_without_an_account_is_told_that_nothing_can_be_corrected(lake):
    row = ask_and_serve(lake, "nobody@example.com", phone="+49 30 123456")
    assert (row[C.STATE], row[C.REASON]) == (ledger.REFUSED, NOTHING_TO_CORRECT)


def die_before_served(lake, request_ids, to, *, plain=ledger.move, **more):
    if to == ledger.SERVED:
        raise KeyboardInterrupt
    return plain(lake, request_ids, to, **more)
