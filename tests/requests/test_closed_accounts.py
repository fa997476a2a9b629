"""Promise 13: closing an account is a request to erase."""

from datetime import date, timedelta

import pytest

from jobs.lake import Days
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.subject_ids import bucket_of
from jobs.requests import closed_accounts
from tests.exports.conftest import fill
from tests.requests.asking import NOON, ask, events, id_of

ANY_DAY = Days.single(date(2026, 3, 2))


def fill_accounts(lake, **closed):
    """Accounts by name, closed or not."""
    accounts = [
        {
            "customer_id": name, "person_id": f"p-{name}", "subject_id": id_of(lake, f"{name}@shop.example"),
            "subject_bucket": bucket_of(id_of(lake, f"{name}@shop.example")), "email": f"{name}@shop.example",
            "ads_opt_out": False, "personalisation_opt_out": False, "closed_at": closed_at, "updated_at": NOON,
        }
        for name, closed_at in closed.items()
    ]  # fmt: skip
    fill(lake, "vault.customers", accounts)


@pytest.fixture
def requests_of(lake):
    def run():
        closed_accounts.run(lake, ANY_DAY)
        return {row[C.PERSON_ID]: row for row in ledger.read_requests(lake)}

    return run


def test_a_closed_account_opens_a_request_once(lake, requests_of):
    fill_accounts(lake, jane=NOON, joe=None)
    first = requests_of()
    assert set(first) == {"p-jane"}
    row = first["p-jane"]
    assert (row[C.KIND], row[C.STATE], row[C.SOURCE]) == ("erase", "open", "closed account")
    assert row[C.SUBJECT_ID] == id_of(lake, "jane@shop.example")
    assert (row[C.DUE_ON] - row[C.RECEIVED_AT].date()).days >= 19
    assert requests_of() == first
    assert events(lake, row[C.REQUEST_ID]) == ["received"]


def test_who_asked_before_closing_is_not_asked_for_again(lake, requests_of):
    asked = ask(lake, "erase").request[C.REQUEST_ID]
    fill_accounts(lake, jane=NOON + timedelta(days=1))
    assert [row[C.REQUEST_ID] for row in requests_of().values()] == [asked]


@pytest.mark.parametrize(("closed_after_days", "count"), [(-1, 1), (1, 2)])
def test_a_refused_request_is_opened_again_only_by_closing_again(lake, requests_of, closed_after_days, count):
    fill_accounts(lake, jane=NOON)
    (row,) = requests_of().values()
    ledger.move(lake, [row[C.REQUEST_ID]], ledger.REFUSED, now=row[C.RECEIVED_AT], by="tester")
    fill_accounts(lake, jane=row[C.RECEIVED_AT] + timedelta(days=closed_after_days))
    requests_of()
    assert len(ledger.read_requests(lake)) == count


def test_nothing_is_opened_where_nothing_is_closed(lake, requests_of):
    assert requests_of() == {}
    fill_accounts(lake, jane=None)
    assert requests_of() == {}


def test_what_was_held_is_not_opened_again(lake, requests_of):
    fill_accounts(lake, jane=NOON)
    (row,) = requests_of().values()
    for state in (ledger.SERVING, ledger.WAITING):
        ledger.move(lake, [row[C.REQUEST_ID]], state, now=NOON, by="tester")
    assert len(requests_of()) == 1
