"""Accounts: direct identifiers stay in the vault, shared addresses get the more protective answer."""

from datetime import date

import pytest
from pyspark.sql import functions as F

from jobs.conform import customers
from jobs.lake import Days
from tests.conform.landed import DAY, DAYS, customer, land, reasons, rows

NEXT = date(2024, 2, 1)


def email(customer_id="c1", address="other@example.com", **changes):
    full = {"is_primary": "0", "updated_at": "2024-01-31 08:00:00"}
    return {"customer_id": customer_id, "email": address, **full, **changes}


def consents(lake, table="lake.subjects"):
    """Times of consent, as UTC text."""
    times = lake.read(table).select(F.date_format("consented_at", "yyyy-MM-dd HH:mm:ss")).collect()
    return [time for (time,) in times]


def subject(lake, **account):
    """The one subject of one account."""
    land(lake, "customers", customer(**account))
    customers.run(lake, DAYS)
    (row,) = rows(lake, "lake.subjects")
    return row


@pytest.mark.parametrize(
    ("born", "adult_from"),
    [
        ("2006-02-15", date(2024, 3, 1)),
        ("2006-02-01", date(2024, 3, 1)),
        ("2006-01-31", date(2024, 2, 1)),
        ("2004-02-29", date(2022, 3, 1)),
        ("2005-12-31", date(2024, 1, 1)),
        ("2006-12-01", date(2025, 1, 1)),
        ("1899-12-31", None),
        ("31.1.2006", None),
        (None, None),
    ],
)
def test_adult_from_the_month_after_the_18th_birthday(lake, born, adult_from):
    assert subject(lake, birth_date=born)["adult_from"] == adult_from
    assert reasons(lake, "customers") == []


@pytest.mark.parametrize(("text", "opted_out"), [("1", True), ("f", False), (None, False), ("perhaps", True)])
def test_an_unclear_opt_out_counts_as_opted_out(lake, text, opted_out):
    row = subject(lake, ads_opt_out=text, personalisation_opt_out=text)
    assert (row["ads_opt_out"], row["personalisation_opt_out"]) == (opted_out, opted_out)


@pytest.mark.parametrize(
    ("text", "closed_on"), [("2024-01-30 23:59:59", date(2024, 1, 30)), ("closed", DAY), (" ", None)]
)
def test_an_unclear_closing_time_closes_the_account(lake, text, closed_on):
    assert subject(lake, closed_at=text)["closed_on"] == closed_on


@pytest.mark.parametrize(
    ("text", "consented_at"),
    [
        ("2024-01-15 10:30:00", "2024-01-15 10:30:00"),
        ("2024-01-15T10:30:00+01:00", "2024-01-15 09:30:00"),
        ("yes", None),
        (" ", None),
        (None, None),
    ],
)
def test_an_unclear_consent_is_none_and_refuses_nothing(lake, text, consented_at):
    subject(lake, consented_at=text)
    assert consents(lake) == consents(lake, "vault.customers") == [consented_at]
    assert reasons(lake, "customers") == []


@pytest.mark.parametrize(
    ("others", "consented_at"),
    [
        (["2024-01-20 00:00:00", "2024-01-10 00:00:00"], "2024-01-10 00:00:00"),
        (["2024-01-20 00:00:00", None], None),
        (["2024-01-20 00:00:00", "perhaps"], None),
    ],
)
def test_accounts_that_share_an_address_agreed_when_the_first_did_or_not_at_all(lake, others, consented_at):
    shared = {"email": "family@example.com", "consented_at": "2024-01-25 00:00:00"}
    odd = [{**shared, "consented_at": text} for text in others]
    land(lake, "customers", customer(**shared), *(customer(f"c{n}", **row) for n, row in enumerate(odd, start=2)))
    customers.run(lake, DAYS)
    assert consents(lake) == [consented_at]


def test_a_consent_given_anew_takes_the_place_of_the_former(lake):
    land(lake, "customers", customer(consented_at="2020-01-01 00:00:00"))
    customers.run(lake, DAYS)
    renewed = customer(consented_at="2024-02-01 07:00:00", updated_at="2024-02-01 07:00:00")
    land(lake, "customers", renewed, days=Days.single(NEXT))
    customers.run(lake, Days.single(NEXT))
    customers.run(lake, DAYS)
    assert consents(lake) == ["2024-02-01 07:00:00"]


def test_refuses_rows_that_name_nobody(lake):
    land(
        lake,
        "customers",
        customer(None, email="a@example.com"),
        customer("c2", email="a@b"),
        customer("c3", updated_at=""),
    )
    land(lake, "customer_emails", email("c9"), email("c2"), email(None))
    report = customers.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (6, 0, 0, 6)
    assert reasons(lake, "customers") == sorted([customers.NO_CUSTOMER, customers.BAD_EMAIL, customers.BAD_UPDATE])
    assert reasons(lake, "customer_emails") == sorted(
        [customers.UNKNOWN_CUSTOMER, customers.UNKNOWN_CUSTOMER, customers.NO_CUSTOMER]
    )


def test_every_address_of_an_account_is_an_identity_of_one_person(lake):
    land(lake, "customers", customer(email="Ann@Example.com"))
    land(lake, "customer_emails", email(address="a.n.n@gmail.com"), email(address="ann@example.com"))
    customers.run(lake, DAYS)
    names = ("email_normalised", "is_primary", "email")
    assert rows(lake, "vault.identities", *names) == [
        {
            "email_normalised": "ann@example.com",
            "is_primary": True,
            "email": rows(lake, "vault.identities", *names)[0]["email"],
        },
        {"email_normalised": "ann@gmail.com", "is_primary": False, "email": "a.n.n@gmail.com"},
    ]
    persons = {row["person_id"] for row in rows(lake, "lake.subjects")}
    assert persons == {row["person_id"] for row in rows(lake, "vault.customers")}
    assert lake.count("lake.subjects") == 2


def test_addresses_of_an_account_of_an_earlier_pull_find_it(lake):
    land(lake, "customers", customer(ads_opt_out="1"))
    customers.run(lake, DAYS)
    land(lake, "customer_emails", email(), days=Days.single(NEXT))
    report = customers.run(lake, Days.single(NEXT))
    assert (report.rows_in, report.rows_out, report.quarantined) == (1, 1, 0)
    assert rows(lake, "lake.subjects", "ads_opt_out") == [{"ads_opt_out": True}] * 2


def test_a_new_address_leaves_the_former_one_as_an_identity(lake):
    land(lake, "customers", customer(email="old@example.com"))
    customers.run(lake, DAYS)
    changed = customer(email="new@example.com", ads_opt_out="1", updated_at="2024-02-01 08:00:00")
    land(lake, "customers", changed, days=Days.single(NEXT))
    customers.run(lake, Days.single(NEXT))
    customers.run(lake, DAYS)
    assert rows(lake, "vault.identities", "email_normalised", "is_primary") == [
        {"email_normalised": "new@example.com", "is_primary": True},
        {"email_normalised": "old@example.com", "is_primary": False},
    ]
    assert rows(lake, "lake.subjects", "ads_opt_out") == [{"ads_opt_out": True}] * 2
    assert rows(lake, "vault.customers", "email") == [{"email": "new@example.com"}]


def test_accounts_that_share_an_address_get_the_more_protective_answer(lake):
    shared = {"email": "family@example.com"}
    land(
        lake,
        "customers",
        customer("parent", birth_date="1980-01-01", personalisation_opt_out="1", **shared),
        customer("child", birth_date="2015-06-10", ads_opt_out="1", updated_at="2024-01-31 07:00:00", **shared),
        customer("gone", closed_at="2024-01-02 10:00:00", updated_at="2024-01-31 06:00:00", **shared),
    )
    customers.run(lake, DAYS)
    (row,) = rows(lake, "lake.subjects")
    assert (row["ads_opt_out"], row["personalisation_opt_out"]) == (True, True)
    assert (row["adult_from"], row["closed_on"]) == (date(2033, 7, 1), date(2024, 1, 2))
    parent = next(r for r in rows(lake, "vault.customers") if r["customer_id"] == "parent")
    assert row["person_id"] == parent["person_id"]


@pytest.mark.parametrize("unknown", [None, "31.1.2006"])
def test_an_address_of_an_account_of_unknown_age_is_of_unknown_age(lake, unknown):
    shared = {"email": "family@example.com"}
    land(lake, "customers", customer(birth_date="1980-01-01", **shared), customer("c2", birth_date=unknown, **shared))
    customers.run(lake, DAYS)
    assert rows(lake, "lake.subjects", "adult_from") == [{"adult_from": None}]


def test_an_address_that_came_before_its_account_is_taken_in_with_it(lake):
    land(lake, "customer_emails", email(), email("c9"))
    assert customers.run(lake, DAYS).quarantined == 2
    land(lake, "customers", customer(updated_at="2024-02-01 08:00:00"), days=Days.single(NEXT))
    report = customers.run(lake, Days.single(NEXT))
    assert (report.rows_in, report.rows_out, report.quarantined, len(report.warnings)) == (1, 1, 0, 1)
    assert rows(lake, "vault.identities", "email_normalised", "is_primary") == [
        {"email_normalised": "c1@example.com", "is_primary": True},
        {"email_normalised": "other@example.com", "is_primary": False},
    ]
    assert lake.count("lake.subjects") == 2
    assert reasons(lake, "customer_emails") == [customers.UNKNOWN_CUSTOMER]
    assert customers.run(lake, Days.single(NEXT)).warnings == []


def test_a_later_pull_of_one_account_keeps_the_other_accounts_answer(lake):
    shared = {"email": "family@example.com"}
    land(lake, "customers", customer("child", ads_opt_out="1", **shared))
    customers.run(lake, DAYS)
    land(lake, "customers", customer("parent", updated_at="2024-02-01 07:00:00", **shared), days=Days.single(NEXT))
    customers.run(lake, Days.single(NEXT))
    assert rows(lake, "lake.subjects", "ads_opt_out") == [{"ads_opt_out": True}]


def test_an_opt_out_taken_back_is_taken_back(lake):
    land(lake, "customers", customer(ads_opt_out="1"))
    customers.run(lake, DAYS)
    land(lake, "customers", customer(ads_opt_out="0", updated_at="2024-02-01 07:00:00"), days=Days.single(NEXT))
    customers.run(lake, Days.single(NEXT))
    assert rows(lake, "lake.subjects", "ads_opt_out") == [{"ads_opt_out": False}]


def test_a_range_gives_the_same_as_day_by_day(lake):
    both = Days(DAY, NEXT)
    land(
        lake,
        "customers",
        customer(),
        customer("c2", ads_opt_out="1"),
        customer(email="new@example.com", street="Short Lane 2", updated_at="2024-02-01 08:00:00", pull_day=NEXT),
        days=both,
    )
    tables = ("vault.customers", "vault.identities", "vault.addresses", "lake.subjects")
    report = customers.run(lake, both)
    assert (report.rows_in, report.rows_out, report.duplicates) == (3, 2, 1)
    at_once = {table: rows(lake, table) for table in tables}
    assert customers.run(lake, both) == report
    assert {table: rows(lake, table) for table in tables} == at_once
    for table in tables:
        lake.replace(table, lake.empty(table))
    for day in (NEXT, DAY):
        customers.run(lake, Days.single(day))
    assert {table: rows(lake, table) for table in tables} == at_once


def test_the_account_opens_the_history_of_its_address(lake):
    land(lake, "customers", customer())
    customers.run(lake, DAYS)
    assert rows(lake, "vault.addresses", "source", "street", "is_current") == [
        {"source": "account", "street": "Long Road 1", "is_current": True}
    ]


def test_no_direct_identifier_reaches_the_lake(lake):
    row = subject(lake, country="ann@example.com")
    assert row["country"] is None
    assert "@" not in str(row)
