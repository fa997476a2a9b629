"""Who may be in an advertising export."""

from datetime import UTC, date, datetime

import pytest

from jobs.privacy.eligibility import (
    ACCOUNT_CLOSED,
    AGE_UNKNOWN,
    COUNTRY_NOT_ALLOWED,
    OPTED_OUT,
    UNDER_18,
    add_exclusion,
    keep_eligible,
)

DAY = date(2024, 3, 31)
PLAIN = {
    "person_id": "p1",
    "country": "DE",
    "adult_from": date(2000, 1, 1),
    "ads_opt_out": False,
    "personalisation_opt_out": False,
    "closed_on": None,
}


def subject_rows(lake, *odd):
    names = lake.contracts["lake.subjects"].column_names
    rows = []
    for number, changes in enumerate(odd):
        row = {"subject_id": f"s{number}", "subject_bucket": number, "updated_at": datetime(2024, 1, 1, tzinfo=UTC)}
        rows.append(tuple({**row, **PLAIN, **changes}[name] for name in names))
    return lake.session.createDataFrame(rows, lake.contracts["lake.subjects"].engine_schema())


def find_reasons(lake, *odd, countries=("DE", "FR")):
    judged = add_exclusion(subject_rows(lake, *odd), day=DAY, countries=countries)
    return {row["subject_id"]: row["reason"] for row in judged.collect()}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"ads_opt_out": True}, OPTED_OUT),
        ({"adult_from": None}, AGE_UNKNOWN),
        ({"adult_from": date(2024, 4, 1)}, UNDER_18),
        ({"adult_from": DAY}, None),
        ({"closed_on": date(2024, 3, 1)}, ACCOUNT_CLOSED),
        ({"closed_on": date(2024, 4, 2)}, ACCOUNT_CLOSED),
        ({"country": "US"}, COUNTRY_NOT_ALLOWED),
        ({"country": None}, COUNTRY_NOT_ALLOWED),
        ({"country": "fr"}, None),
        ({"personalisation_opt_out": True}, None),
        ({"ads_opt_out": None}, OPTED_OUT),
    ],
)
def test_the_first_broken_rule_is_the_reason(lake, changes, reason):
    assert find_reasons(lake, changes) == {"s0": reason}


def test_rules_are_tried_in_their_order(lake):
    everything = {"ads_opt_out": True, "adult_from": None, "closed_on": DAY, "country": "US"}
    assert find_reasons(lake, everything) == {"s0": OPTED_OUT}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ads_opt_out": True}, OPTED_OUT),
        ({"adult_from": None}, AGE_UNKNOWN),
        ({"adult_from": date(2030, 1, 1)}, UNDER_18),
        ({"closed_on": DAY}, ACCOUNT_CLOSED),
        ({"country": "US"}, COUNTRY_NOT_ALLOWED),
    ],
)
def test_one_address_takes_all_addresses_of_its_person_out(lake, changes, reason):
    found = find_reasons(lake, {}, changes, {"person_id": "p2"})
    assert found == {"s0": reason, "s1": reason, "s2": None}


def test_all_countries_still_need_a_known_one(lake):
    found = find_reasons(lake, {"country": "US"}, {"person_id": "p2", "country": None}, countries=("all",))
    assert found == {"s0": None, "s1": COUNTRY_NOT_ALLOWED}


def test_no_country_allowed_lets_nobody_out(lake):
    assert find_reasons(lake, {}, countries=()) == {"s0": COUNTRY_NOT_ALLOWED}


def test_keeps_the_columns_of_the_eligible(lake):
    subjects = subject_rows(lake, {}, {"person_id": "p2", "ads_opt_out": True})
    eligible = keep_eligible(add_exclusion(subjects, day=DAY, countries=("DE",)))
    assert eligible.columns == subjects.columns
    assert [row["subject_id"] for row in eligible.collect()] == ["s0"]
