from datetime import date, timedelta

import pytest

from jobs.errors import DeadlineError
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests.deadlines import check_deadlines, find_urgent
from tests.requests.asking import NOON, ask, id_of

DUE = date(2026, 3, 23)


def left(lake, today):
    return [one.days_left for one in find_urgent(lake, today, within=5)]


def test_the_alert_begins_five_working_days_before_the_last(lake):
    ask(lake, "access")
    check_deadlines(lake, date(2026, 3, 13))
    with pytest.raises(DeadlineError, match=r"1 request is due soon.*\(access\) due 2026-03-23, 5 working days left"):
        check_deadlines(lake, date(2026, 3, 16))
    assert [left(lake, DUE + timedelta(days=n))[0] for n in (-3, -1, 0, 1, 4, 5, 7)] == [1, 1, 0, -1, -4, -4, -5]


def test_a_request_due_on_friday_is_overdue_on_saturday(lake):
    ask(lake, "access", at=NOON - timedelta(days=3))
    (one,) = find_urgent(lake, date(2026, 3, 21), within=5)
    assert (one.due_on, one.days_left) == (date(2026, 3, 20), -1)
    assert one.describe().endswith("1 working day overdue")


def test_what_is_answered_alerts_nobody(lake):
    for address, state in (("a@b.example", ledger.SERVED), ("c@d.example", ledger.WAITING), ("e@f.example", None)):
        request_id = ask(lake, "erase", address).request[C.REQUEST_ID]
        if state:
            ledger.move(lake, [request_id], ledger.SERVING, now=NOON, by="tester")
            ledger.move(lake, [request_id], state, now=NOON, by="tester")
    assert [one.request_id for one in find_urgent(lake, DUE, within=5)] == [request_id]


def test_an_alert_names_requests_and_days_and_nobody(lake):
    requests = [ask(lake, kind) for kind in ("erase", "access")]
    with pytest.raises(DeadlineError) as error:
        check_deadlines(lake, DUE)
    text = str(error.value)
    assert all(one.request[C.REQUEST_ID] in text for one in requests)
    assert text.count("due 2026-03-23, which is today") == 2
    assert not any(named in text for named in ("jane", id_of(lake, "jane@shop.example")))
