"""Promises 13 and 14 from end to end: people of the generated shop ask, are answered, and are gone where they wished it."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.erasure import certificates
from jobs.erasure.verifying import verify
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.people.finding import find_people
from jobs.people.holds import place_hold, release_hold
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests import closed_accounts, serving
from jobs.requests.access import answers
from jobs.requests.texts import UNKNOWN, WAITS_FOR_ACCOUNT
from jobs.runner import run_step
from jobs.settings import load_settings
from jobs.steps import STEPS
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY
from tests.requests.asking import ask, events

pytestmark = pytest.mark.slow

TODAY = Days.single(datetime.now(UTC).date())
ALL_DAYS = Days(DEMO_FIRST_DAY, DEMO_FIRST_DAY.replace(day=DEMO_FIRST_DAY.day + DEMO_DAYS - 1))


@pytest.fixture(scope="module")
def lake(demo, tmp_path_factory, engine, contracts):
    """A copy of the demo, to write to."""
    home = tmp_path_factory.mktemp("requests") / "shop"
    for suffix in ("", ".keys", ".sources"):
        shutil.copytree(demo[0].home + suffix, f"{home}{suffix}")
    return Lake(load_settings(str(home)), engine, contracts)


@pytest.fixture(scope="module")
def people(lake):
    """Addresses of four customers with orders and one account each, who did not close it."""
    held = lake.read_records("lake.subjects")
    bought = {row[C.SUBJECT_ID] for row in lake.read_records("lake.orders")}
    accounts = {row[C.SUBJECT_ID]: row[C.EMAIL] for row in lake.read_records("vault.customers") if not row[C.CLOSED_AT]}
    alone = [r[C.SUBJECT_ID] for r in held if r[C.CIRCLE_ID] is None and r[C.SUBJECT_ID] in bought & accounts.keys()]
    return dict(
        zip(("gone", "partly", "held", "stays"), (accounts[subject] for subject in sorted(alone)), strict=False)
    )


@pytest.fixture(scope="module")
def asked(lake, people):
    """Requests that were served once: an access before, then erasure of three, of whom holds keep two."""
    found = {name: find_people(lake, addresses=[address])[0] for name, address in people.items()}
    order = min(found["partly"].order_ids)
    holds = {
        "partly": place_hold(lake, reason="a customs case", order_ids=[order]),
        "held": place_hold(lake, reason="a lawsuit", subject_ids=found["held"].subject_ids),
    }
    now = datetime.now(UTC)
    access = {name: ask(lake, "access", people[name], at=now).request[C.REQUEST_ID] for name in ("gone", "stays")}
    serving.run(lake, TODAY)
    files = {name: Path(answers.answer_path(lake, request_id)) for name, request_id in access.items()}
    assert all(file.exists() for file in files.values())
    erasures = {name: ask(lake, "erase", people[name], at=now).request[C.REQUEST_ID] for name in ("gone", *holds)}
    serving.run(lake, TODAY)
    assert {row[C.STATE] for row in ledger.find_requests(lake, erasures.values())} == {ledger.OPEN}
    ledger.approve(lake, list(erasures.values()), now=now, by="tester")
    serving.run(lake, TODAY)
    return {"people": found, "holds": holds, "files": files, "erasures": erasures}


def row_of(lake, request_id):
    (row,) = ledger.find_requests(lake, [request_id])
    return row


def test_who_asked_is_gone_with_the_file_and_every_link(lake, asked):
    row = row_of(lake, asked["erasures"]["gone"])
    assert (row[C.STATE], row[C.SUBJECT_ID], row[C.PERSON_ID]) == (ledger.SERVED, None, None)
    person = asked["people"]["gone"]
    assert not any(left.is_known for left in find_people(lake, addresses=sorted(person.emails)))
    assert not asked["files"]["gone"].exists()
    told = str(lake.read_records(ledger.REQUESTS)) + str(lake.read_records(ledger.EVENTS))
    assert not any(name in told for name in person.subject_ids | person.person_ids)


def test_who_did_not_ask_is_still_there(lake, asked):
    person = asked["people"]["stays"]
    (left,) = find_people(lake, addresses=sorted(person.emails))
    assert left == person
    assert asked["files"]["stays"].exists()


def test_what_a_hold_keeps_is_told_with_its_reason(lake, asked):
    partly, held = (row_of(lake, asked["erasures"][name]) for name in ("partly", "held"))
    assert (partly[C.STATE], held[C.STATE]) == (ledger.PARTLY_SERVED, ledger.WAITING)
    assert "a customs case" in partly[C.REASON]
    assert "a lawsuit" in held[C.REASON]
    assert all(row[C.ANSWERED_AT] and not row[C.CLOSED_AT] and row[C.SUBJECT_ID] for row in (partly, held))
    (left,) = find_people(lake, addresses=sorted(asked["people"]["held"].emails))
    assert left.order_ids == asked["people"]["held"].order_ids


def test_releasing_a_hold_lets_the_next_run_finish(lake, asked):
    for hold in asked["holds"].values():
        release_hold(lake, hold.hold_id)
    serving.run(lake, TODAY)
    for name in ("partly", "held"):
        row = row_of(lake, asked["erasures"][name])
        assert (row[C.STATE], row[C.SUBJECT_ID], row[C.REASON]) == (ledger.SERVED, None, None)
        assert events(lake, row[C.REQUEST_ID])[-3:] == ["reopened", "serving", "served"]
        left = find_people(lake, addresses=sorted(asked["people"][name].emails))
        assert not any(person.is_known for person in left)


def test_asking_again_is_answered_as_of_somebody_unknown_and_leaves_no_trace(lake, asked):
    address = min(asked["people"]["gone"].emails)
    ids = [ask(lake, kind, address, at=datetime.now(UTC)).request[C.REQUEST_ID] for kind in ("access", "opt-out")]
    serving.run(lake, TODAY)
    rows = ledger.find_requests(lake, ids)
    assert [(row[C.STATE], row[C.SUBJECT_ID]) for row in rows] == [(ledger.SERVED, None)] * 2
    assert {row[C.KIND]: row[C.REASON] for row in rows} == {"access": UNKNOWN, "opt-out": WAITS_FOR_ACCOUNT}
    (detail,) = [
        row[C.DETAIL] for row in ledger.read_events(lake, asked["erasures"]["gone"]) if row[C.EVENT] == "served"
    ]
    certificate = certificates.find(lake, detail.removeprefix("erasure "))
    assert verify(lake, certificate).checked.is_clean


def test_a_closed_account_is_erased_and_comes_back_by_no_pull(lake, asked):
    requests = [row for row in ledger.read_requests(lake) if row[C.SOURCE] == closed_accounts.CLOSED_ACCOUNT]
    closed = {row[C.PERSON_ID] for row in lake.read_records("vault.customers") if row[C.CLOSED_AT]}
    assert {row[C.PERSON_ID] for row in requests} == closed != set()
    erased = requests[0]
    ledger.approve(lake, [erased[C.REQUEST_ID]], now=datetime.now(UTC), by="tester")
    serving.run(lake, TODAY)
    assert row_of(lake, erased[C.REQUEST_ID])[C.STATE] == ledger.SERVED
    for step in ("sources.purchases", "conform.customers"):
        run_step(lake, STEPS[step], ALL_DAYS)
    assert erased[C.PERSON_ID] not in {row[C.PERSON_ID] for row in lake.read_records("vault.customers")}
    assert closed_accounts.run(lake, TODAY).rows_out == 0
