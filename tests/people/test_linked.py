"""What ties a person to other addresses and cookies outlives landing, as long as what stands under them."""

import json
from datetime import UTC, datetime

import pyarrow.compute as pc
import pytest

from jobs.audit.finder import Finder
from jobs.audit.search import search_home
from jobs.conform import carrier_updates, clicks, customers, orders, returns
from jobs.erasure.needles import list_identifiers
from jobs.lake.scanning import scan_rows
from jobs.people.finding import find_people
from jobs.people.matching import match_rows
from jobs.privacy.subject_ids import subject_digest
from tests.conform.landed import DAYS, customer, land, order, rows
from tests.people.erasing import erase_people

pytestmark = [pytest.mark.slow]
LANDED = ("customers", "customer_emails", "orders", "returns", "carrier_updates", "clickstream")
ERASED_AT = datetime(2024, 4, 1, tzinfo=UTC)
HIDDEN = "+49 30 7654321"


def conform_purchases(lake, *landed, returned=()):
    land(lake, "customers", customer("c1"), customer("c2"))
    customers.run(lake, DAYS)
    land(lake, "orders", *landed)
    orders.run(lake, DAYS)
    land(lake, "returns", *returned)
    returns.run(lake, DAYS)


def correct(lake, order_id, **fields):
    """A carrier corrects where an order goes, and delivers it."""
    both = [
        {"event": "address_corrected", "full_name": "Ann Hidden", "street": "Lane 9", "phone": HIDDEN, **fields},
        {"event": "delivered"},
    ]
    common = {"tracking_no": f"T-{order_id}", "order_id": order_id, "event_time": "2024-01-31T10:00:00Z"}
    lines = [json.dumps({**common, **each}) for each in both]
    landed = [{"carrier": "swift", "source": "f", "line_no": n, "raw": r, "record": r} for n, r in enumerate(lines)]
    land(lake, "carrier_updates", *landed)
    carrier_updates.run(lake, DAYS)


def drop_landing(lake):
    for table in LANDED:
        land(lake, table)


def held(lake, table, people):
    match = match_rows(lake, lake.contracts[table], people)
    scanned = scan_rows(lake, table, columns=match.columns, buckets=match.buckets)
    return sum(pc.sum(match.find(found)).as_py() or 0 for found in scanned)


def is_searched(lake, people, folder, text):
    (folder / "left").mkdir(exist_ok=True)
    (folder / "left" / "page.txt").write_text(f"a {text} b")
    finder = Finder(list_identifiers(lake, people).build(), with_patterns=False)
    return bool(search_home(str(folder / "left"), finder).findings)


def back(return_id, **fields):
    return {
        "return_id": return_id,
        "product_id": "P1",
        "quantity": "1",
        "unit_price": "4.25",
        "returned_at": "2024-01-31 11:00:00",
        **fields,
    }


def test_an_order_under_another_address_is_the_accounts_after_landing_is_gone(lake):
    conform_purchases(
        lake,
        order("o1", customer_id="c1", email="Ann.Other@GMail.com"),
        order("o2", customer_id="c2", email="c2@example.com"),
        returned=[back("r1", customer_id="c1", email="third@example.com")],
    )
    correct(lake, "o1")
    drop_landing(lake)
    people = (person,) = find_people(lake, addresses=["c1@example.com"])
    assert person.addresses == {"c1@example.com", "annother@gmail.com", "third@example.com"}
    assert (person.order_ids, person.return_ids, person.parcel_ids) == ({"o1"}, {"r1"}, {"swift/T-o1"})
    assert {"Ann Hidden", "Ann Lee"} == person.names
    assert {table: held(lake, f"lake.{table}", people) for table in ("orders", "returns", "parcels")} == {
        "orders": 1,
        "returns": 1,
        "parcels": 1,
    }
    assert find_people(lake, addresses=["annother@gmail.com"])[0].customer_ids == {"c1"}


def test_the_verification_looks_for_it_and_the_erasure_removes_it(lake, tmp_path):
    conform_purchases(
        lake, order("o1", customer_id="c1", email="other@example.com"), order("o2", email="b@example.com")
    )
    correct(lake, "o1")
    drop_landing(lake)
    people = find_people(lake, addresses=["c1@example.com"])
    subject = subject_digest(lake)("other@example.com")
    assert is_searched(lake, people, tmp_path, "other@example.com")
    assert is_searched(lake, people, tmp_path, subject)
    found = erase_people(lake, people, at=ERASED_AT)
    assert found["vault.linked_purchases"] == 1
    assert rows(lake, "vault.linked_purchases") == []
    assert HIDDEN not in {row["phone"] for row in rows(lake, "vault.addresses", "phone")}
    assert [row["order_id"] for row in rows(lake, "lake.orders", "order_id", "subject_id") if row["subject_id"]] == [
        "o2"
    ]
    assert rows(lake, "lake.parcels", "subject_id") == [{"subject_id": None}]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "corrected", [{"customer_id": "c2", "email": "c2@example.com"}, {"customer_id": "c1", "email": "c1@example.com"}]
)
def test_an_order_that_is_corrected_is_a_link_no_more(lake, at_once, corrected):
    wrong = order("o1", customer_id="c1", email="other@example.com")
    right = {**wrong, **corrected, "updated_at": "2024-01-31 23:00:00"}
    conform_purchases(lake, *([wrong, right] if at_once else [wrong]))
    if not at_once:
        assert len(rows(lake, "vault.linked_purchases")) == 1
        land(lake, "orders", right)
        orders.run(lake, DAYS)
    assert rows(lake, "vault.linked_purchases") == []
    drop_landing(lake)
    for number in ("c1", "c2"):
        (person,) = find_people(lake, addresses=[f"{number}@example.com"])
        assert "other@example.com" not in person.addresses
        assert held(lake, "lake.orders", [person]) == (corrected["customer_id"] == number)


def test_a_second_run_leaves_the_same_links(lake):
    landed = [order("o1", customer_id="c1", email="other@example.com"), order("o2", customer_id="c9", email=None)]
    conform_purchases(lake, *landed)
    links = rows(lake, "vault.linked_purchases")
    assert [(row["order_id"], row["customer_id"]) for row in links if row["subject_id"]] == [("o1", "c1")]
    assert [(row["order_id"], row["customer_id"]) for row in links if not row["subject_id"]] == [("o2", "c9")]
    conform_purchases(lake, *landed)
    assert rows(lake, "vault.linked_purchases") == links


def test_an_order_under_the_accounts_own_address_is_no_link(lake):
    conform_purchases(
        lake, order("o1", customer_id="c1", email="C1@example.com"), order("o2", customer_id="c1", email=None)
    )
    assert rows(lake, "vault.linked_purchases") == []


def test_an_address_of_another_account_keeps_its_orders(lake):
    conform_purchases(lake, order("o1", customer_id="c1", email="c2@example.com"))
    drop_landing(lake)
    one, two = find_people(lake, addresses=["c1@example.com", "c2@example.com"])
    assert (one.order_ids, two.order_ids) == (set(), {"o1"})
    assert one.addresses == {"c1@example.com"}


@pytest.mark.parametrize("is_landed", [False, True])
def test_of_an_address_that_two_accounts_ordered_with_each_has_its_own_orders(lake, is_landed):
    conform_purchases(
        lake,
        order("o1", customer_id="c1", email="both@example.com"),
        order("o2", customer_id="c2", email="both@example.com"),
    )
    correct(lake, "o1")
    if not is_landed:
        drop_landing(lake)
    people = (person,) = find_people(lake, addresses=["c1@example.com"])
    assert person.order_ids == {"o1"}
    assert person.addresses == {"c1@example.com"}
    erase_people(lake, people, at=ERASED_AT)
    left = [row["order_id"] for row in rows(lake, "lake.orders", "order_id", "subject_id") if row["subject_id"]]
    assert left == ["o2"]
    assert rows(lake, "vault.addresses", "full_name") == [{"full_name": "Ann Lee"}]


def conform_clicks(lake, *events):
    lines = [json.dumps({"time": "2024-01-31T09:00:00Z", "action": "view", **each}) for each in events]
    land(lake, "clickstream", *({"source": "f", "line_no": n, "raw": line} for n, line in enumerate(lines)))
    clicks.run(lake, DAYS)


def conform_people(lake):
    further = {"customer_id": "c1", "email": "second@example.com", "updated_at": "2024-01-31 08:00:00"}
    land(lake, "customers", customer("c1"), customer("c2"))
    land(lake, "customer_emails", further)
    customers.run(lake, DAYS)


EVENTS = (
    {"visitor": "v-own-1", "email": "C1@example.com"},
    {"visitor": "v-own-1", "email": "second@example.com"},
    {"visitor": "v-own-1", "product": "P2"},
    {"visitor": "v-shared-1", "email": "c1@example.com"},
    {"visitor": "v-shared-1", "email": "c2@example.com"},
    {"visitor": "v-shared-1"},
    {"visitor": "v-nobody-1"},
)


@pytest.mark.parametrize("is_deep", [False, True])
def test_the_clicks_of_a_persons_cookie_are_reached_after_landing_is_gone(lake, is_deep, tmp_path):
    conform_people(lake)
    conform_clicks(lake, *EVENTS)
    drop_landing(lake)
    people = (person,) = find_people(lake, addresses=["c1@example.com"], deep=is_deep)
    assert person.visitors == {"v-own-1"}
    assert held(lake, "lake.clicks", people) == 4
    assert is_searched(lake, people, tmp_path, "v-own-1")
    assert is_searched(lake, people, tmp_path, subject_digest(lake)("visitor:v-own-1"))
    erase_people(lake, people, at=ERASED_AT)
    left = rows(lake, "lake.clicks", "subject_id")
    assert len(left) == 3
    assert {row["subject_id"] for row in rows(lake, "vault.linked_visitors")} == {
        subject_digest(lake)("c2@example.com")
    }


def test_a_cookie_of_two_people_stays_nobodys_when_one_of_them_is_erased(lake):
    conform_people(lake)
    conform_clicks(lake, *EVENTS)
    drop_landing(lake)
    erase_people(lake, find_people(lake, addresses=["c1@example.com"]), at=ERASED_AT)
    conform_clicks(lake, *({"visitor": name, "email": "c2@example.com"} for name in ("v-shared-1", "v-own-1")))
    drop_landing(lake)
    assert find_people(lake, addresses=["c2@example.com"])[0].visitors == set()
    assert {row["visitor"] for row in rows(lake, "vault.linked_visitors")} == {"v-shared-1"}


def test_raw_lines_that_are_not_conformed_yet_make_a_cookie_shared(lake):
    conform_people(lake)
    conform_clicks(lake, {"visitor": "v-own-1", "email": "c1@example.com"})
    raw = json.dumps(
        {"time": "2024-01-31T09:00:00Z", "action": "view", "visitor": "v-own-1", "email": "c2@example.com"}
    )
    land(lake, "clickstream", {"source": "f", "line_no": 1, "raw": raw})
    assert find_people(lake, addresses=["c1@example.com"], deep=True)[0].visitors == set()


def test_a_second_run_leaves_the_same_cookies_and_later_clicks_keep_them(lake):
    conform_people(lake)
    conform_clicks(lake, *EVENTS, {"visitor": "v-own-1", "time": "2024-02-01T00:30:00Z"})
    links = rows(lake, "vault.linked_visitors", "visitor", "addresses", "last_day")
    assert [(row["visitor"], row["addresses"], str(row["last_day"])) for row in links] == [
        ("v-own-1", 2, "2024-02-01"),
        ("v-own-1", 2, "2024-02-01"),
        ("v-shared-1", 2, "2024-01-31"),
        ("v-shared-1", 2, "2024-01-31"),
    ]
    before = rows(lake, "vault.linked_visitors")
    clicks.run(lake, DAYS)
    assert rows(lake, "vault.linked_visitors") == before
    conform_clicks(lake, {"visitor": "v-shared-1", "time": "2024-02-01T08:00:00Z"})
    days = {row["visitor"]: str(row["last_day"]) for row in rows(lake, "vault.linked_visitors")}
    assert days == {"v-own-1": "2024-02-01", "v-shared-1": "2024-02-01"}


def test_a_cookie_asked_for_beside_its_address_is_the_same_person(lake):
    conform_people(lake)
    conform_clicks(lake, *EVENTS)
    drop_landing(lake)
    (person,) = find_people(lake, addresses=["c1@example.com"])
    assert find_people(lake, subject_ids=sorted(person.subject_ids), deep=True) == [person]
    cookie = subject_digest(lake)("visitor:v-own-1")
    assert find_people(lake, subject_ids=[cookie]) == [person]
    shared = subject_digest(lake)("visitor:v-shared-1")
    assert find_people(lake, subject_ids=[shared])[0].customer_ids == set()


def test_an_address_that_breaks_off_with_its_line_makes_no_cookie_shared(lake):
    conform_people(lake)
    conform_clicks(lake, {"visitor": "v-own-1", "email": "c1@example.com"})
    land(lake, "clickstream", {"source": "f", "line_no": 1, "raw": '{"visitor": "v-own-1", "email": "c1@exam'})
    assert find_people(lake, addresses=["c1@example.com"], deep=True)[0].visitors == {"v-own-1"}
