"""Accounts that share addresses are one circle, also over several steps."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.conform import customers
from jobs.conform.circles import draw_circles
from jobs.lake import Days
from jobs.privacy.eligibility import add_exclusion, keep_eligible
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.rights.choices import apply_choices
from tests.conform.landed import DAYS, customer, land, rows
from tests.requests.asking import ask

NEXT = Days.single(date(2024, 2, 1))
LATER = "2024-02-01 08:00:00"


def email(customer_id, address, **changes):
    full = {"is_primary": "0", "updated_at": "2024-01-31 08:00:00"}
    return {"customer_id": customer_id, "email": address, **full, **changes}


def circles_by_address(lake):
    """The circle of every address, and the account of every address, by the address."""
    names = {row["subject_id"]: row["email_normalised"] for row in rows(lake, "vault.identities")}
    return {names[row["subject_id"]]: (row["circle_id"], row["person_id"]) for row in rows(lake, "lake.subjects")}


def test_an_account_that_shares_no_address_is_in_no_circle(lake):
    land(lake, "customers", customer(), customer("c2"))
    land(lake, "customer_emails", email("c1", "more@example.com"))
    customers.run(lake, DAYS)
    assert {circle for circle, _ in circles_by_address(lake).values()} == {None}


def test_accounts_are_tied_over_several_addresses(lake):
    land(lake, "customers", *(customer(name) for name in ("c1", "c2", "c3", "c4")))
    shared = [email("c1", "one@example.com"), email("c2", "one@example.com")]
    land(lake, "customer_emails", *shared, email("c2", "c3@example.com"), email("c3", "three@example.com"))
    customers.run(lake, DAYS)
    found = circles_by_address(lake)
    assert found.pop("c4@example.com")[0] is None
    people = {person for _, person in found.values()}
    assert {circle for circle, _ in found.values()} == {min(people)}
    assert (len(found), len(people)) == (5, 3)


def test_an_address_that_ties_two_accounts_later_changes_the_rows_of_both(lake):
    land(lake, "customers", customer(), customer("c2"))
    land(lake, "customer_emails", email("c2", "two@example.com"))
    customers.run(lake, DAYS)
    land(lake, "customers", days=NEXT)
    land(lake, "customer_emails", email("c2", "c1@example.com", updated_at=LATER), days=NEXT)
    customers.run(lake, NEXT)
    found = circles_by_address(lake)
    assert {circle for circle, _ in found.values()} == {min(person for _, person in found.values())}
    assert len(found) == 3
    before = rows(lake, "lake.subjects")
    customers.run(lake, DAYS)
    assert rows(lake, "lake.subjects") == before


def eligible(lake):
    """Addresses that may be exported to a partner of the whole world."""
    subjects = lake.read("lake.subjects").transform(apply_choices, lake.read("ledger.choices"))
    nobody = lake.session.createDataFrame([], "person_id string, segment string")
    terms = {"rules": ExportRules(), "day": NEXT.last, "countries": ("all",), "minimum_segment": 1}
    judged = subjects.transform(add_exclusion, lake.read("ledger.requests"), nobody, **terms).transform(keep_eligible)
    names = {row["subject_id"]: row["email_normalised"] for row in rows(lake, "vault.identities")}
    return {names[row["subject_id"]] for row in judged.collect()}


@pytest.mark.parametrize("says", ["the account", "a choice with its own address", "a choice with the shared address"])
def test_whoever_opts_out_with_one_account_is_out_with_those_merged_into_it(lake, says):
    land(lake, "customers", customer(ads_opt_out="1" if says == "the account" else "0"), customer("c2"), customer("c3"))
    land(lake, "customer_emails", email("c2", "c1@example.com"), email("c1", "old@example.com"))
    customers.run(lake, DAYS)
    addresses = {
        "a choice with its own address": "old@example.com",
        "a choice with the shared address": "C1@example.com",
    }
    if says in addresses:
        everybody = {"c1@example.com", "c2@example.com", "c3@example.com", "old@example.com"}
        assert eligible(lake) == everybody
        ask(lake, "opt-out", addresses[says], at=datetime(2024, 2, 1, tzinfo=UTC))
    assert eligible(lake) == {"c3@example.com"}


TIES = st.lists(st.tuples(st.sampled_from("stuvw"), st.sampled_from("abcdefgh")), max_size=16)


@given(TIES, st.randoms(use_true_random=False))
def test_circles_are_what_can_be_reached_in_any_order(ties, random):
    circles = draw_circles(ties)
    reached = {person: {person} for _, person in ties}
    for _ in reached:
        for subject, person in ties:
            for other in (other for also, other in ties if also == subject):
                reached[person] |= reached[other]
    assert circles == {person: min(people) for person, people in reached.items()}
    assert draw_circles(random.sample(ties, len(ties))) == circles
