"""The history of addresses: the original stays, and it does not matter in which order reports arrive."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.conform.addresses import ADDRESSES, FIELDS, REPORT_COLUMNS, fold_reports
from jobs.privacy.keyring import SUBJECT, KeyRing
from jobs.privacy.pseudonyms import key_relation
from tests.conform.landed import rows

START = datetime(2024, 1, 31, tzinfo=UTC)
HOME = {"full_name": "Ann", "phone": "1", "street": "Long Road 1", "city": "Bonn", "postcode": "53111", "country": "DE"}
ACCOUNT_ROW = {
    "person_id": "p",
    "subject_bucket": 1,
    "email": "a@b.example",
    "email_normalised": "a@b.example",
    "ads_opt_out": False,
    "personalisation_opt_out": False,
    "updated_at": START,
}
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
SCHEMA = "subject_id string, valid_from timestamp, source string, order_id string, " + ", ".join(
    f"{name} string" for name in FIELDS
)


def account(hour, person="a" * 32, **changes):
    return {"subject_id": person, "hour": hour, "source": "account", **HOME, **changes}


def carrier(hour, person="a" * 32, **corrected):
    return {"subject_id": person, "hour": hour, "source": "carrier:dhl", "order_id": "o1", **corrected}


def fold(lake, *reports):
    values = [
        tuple(START + timedelta(hours=r["hour"]) if name == "valid_from" else r.get(name) for name in REPORT_COLUMNS)
        for r in reports
    ]
    keys = key_relation(lake.session, subject=KeyRing(lake.settings.keyring).key(SUBJECT))
    fold_reports(lake, lake.session.createDataFrame(values, SCHEMA), keys)


def close(lake, *closings, person="a" * 32):
    """Accounts of a person, closed at these hours or open."""
    rows = [
        {"customer_id": f"c{n}", "subject_id": person, "closed_at": h and START + timedelta(hours=h)}
        for n, h in enumerate(closings)
    ]
    contract = lake.contracts["vault.customers"]
    values = [tuple({**ACCOUNT_ROW, **row}.get(name) for name in contract.column_names) for row in rows]
    lake.replace("vault.customers", lake.session.createDataFrame(values, contract.engine_schema()))


def history(lake, *names):
    """Versions by person and time: hour of begin and end, source, and some fields."""
    hour = (F.unix_seconds("valid_from") - int(START.timestamp())) / 3600
    until = (F.unix_seconds("valid_to") - int(START.timestamp())) / 3600
    frame = lake.read(ADDRESSES).select("subject_id", hour.alias("from"), until.alias("until"), "source", *names)
    found = [tuple(row)[1:] for row in sorted(frame.collect(), key=lambda row: (row[0], row[1], row[2] is None))]
    assert lake.read(ADDRESSES).where("is_current != (valid_to is null)").count() == 0
    return found


def test_a_correction_becomes_current_and_the_original_stays(lake):
    fold(lake, account(0), carrier(5, street="Short Lane 2"))
    assert history(lake, "street") == [(0, 5, "account", "Long Road 1"), (5, None, "carrier:dhl", "Short Lane 2")]


def test_a_corrected_phone_number_inherits_the_address_of_its_time(lake):
    fold(lake, account(0), carrier(9, street="Short Lane 2"), carrier(5, phone="9"))
    assert history(lake, "phone", "street", "city") == [
        (0, 5, "account", "1", "Long Road 1", "Bonn"),
        (5, 9, "carrier:dhl", "9", "Long Road 1", "Bonn"),
        (9, None, "carrier:dhl", "9", "Short Lane 2", "Bonn"),
    ]


def test_an_unchanged_report_makes_no_version(lake):
    fold(lake, account(0), account(3), carrier(5, street="Long Road 1"))
    assert history(lake) == [(0, None, "account")]


def test_saving_an_unchanged_account_does_not_undo_a_correction(lake):
    fold(lake, account(0), carrier(5, street="Short Lane 2"))
    fold(lake, account(7))
    fold(lake, account(9, phone="2"))
    assert history(lake, "street", "phone")[1:] == [
        (5, 9, "carrier:dhl", "Short Lane 2", "1"),
        (9, None, "account", "Short Lane 2", "2"),
    ]


def test_an_account_may_empty_a_field(lake):
    fold(lake, account(0), account(3, phone=None))
    assert history(lake, "phone") == [(0, 3, "account", "1"), (3, None, "account", None)]


def test_of_two_reports_of_one_instant_the_carriers_is_the_later(lake):
    fold(lake, carrier(0, street="Short Lane 2"), account(0))
    assert history(lake, "street")[-1] == (0, None, "carrier:dhl", "Short Lane 2")


def test_a_late_report_takes_its_place_in_time(lake):
    fold(lake, account(0), account(9, street="Short Lane 2"))
    fold(lake, carrier(5, phone="9"))
    assert history(lake, "street", "phone") == [
        (0, 5, "account", "Long Road 1", "1"),
        (5, 9, "carrier:dhl", "Long Road 1", "9"),
        (9, None, "account", "Short Lane 2", "9"),
    ]


def test_a_late_report_that_says_the_same_earlier_moves_the_begin(lake):
    fold(lake, account(5))
    fold(lake, account(0))
    assert history(lake) == [(0, None, "account")]


def test_other_persons_are_left_alone(lake):
    fold(lake, account(0, "a" * 32), account(0, "b" * 32))
    before = [row for row in rows(lake, ADDRESSES) if row["subject_id"] == "b" * 32]
    fold(lake, account(3, "a" * 32, city="Köln"))
    assert [row for row in rows(lake, ADDRESSES) if row["subject_id"] == "b" * 32] == before
    assert len(history(lake)) == 3


def test_what_retention_removed_leaves_the_current_version_whole(lake):
    close(lake, None)
    fold(lake, account(0), carrier(5, phone="9"))
    lake.replace(ADDRESSES, lake.read(ADDRESSES).where("is_current"))
    fold(lake, carrier(7, city="Köln"))
    assert history(lake, "street", "phone", "city") == [
        (5, 7, "carrier:dhl", "Long Road 1", "9", "Bonn"),
        (7, None, "carrier:dhl", "Long Road 1", "9", "Köln"),
    ]


def test_the_last_version_of_a_closed_account_ends_when_it_was_closed(lake):
    close(lake, 8)
    fold(lake, account(0), carrier(5, street="Short Lane 2"))
    assert history(lake, "street") == [(0, 5, "account", "Long Road 1"), (5, 8, "carrier:dhl", "Short Lane 2")]


def test_a_correction_after_the_closing_ends_where_it_begins(lake):
    close(lake, 3)
    fold(lake, account(0), carrier(5, street="Short Lane 2"))
    assert history(lake) == [(0, 5, "account"), (5, 5, "carrier:dhl")]


def test_the_last_version_stays_current_while_one_account_is_open_and_is_again_when_one_is_opened(lake):
    close(lake, 3, None)
    fold(lake, account(0))
    assert history(lake) == [(0, None, "account")]
    close(lake, 3, 4)
    fold(lake, account(0))
    assert history(lake) == [(0, 4, "account")]
    close(lake, 3, None)
    fold(lake, account(6, city="Köln"))
    assert history(lake) == [(0, 6, "account"), (6, None, "account")]


def test_without_an_account_a_correction_ends_with_its_delivery(lake):
    fold(lake, carrier(5, street="Short Lane 2"))
    assert history(lake) == [(5, 5, "carrier:dhl")]
    fold(lake, account(6))
    assert history(lake)[-1] == (6, None, "account")


few = st.sampled_from([None, "x", "y"])
hours, people = st.integers(0, 4), st.sampled_from([letter * 32 for letter in "abcdef"])
any_report = st.one_of(
    st.builds(account, hours, people, phone=few, street=few), st.builds(carrier, hours, people, phone=few, street=few)
)


def check_versions(versions, *, has_account):
    """Versions of one person follow each other without gap and differ from the one before."""
    assert sum(row["is_current"] for row in versions) == has_account
    begins, ends = [row["valid_from"] for row in versions], [row["valid_to"] for row in versions if row["valid_to"]]
    assert sorted(begins)[1:] + ([] if has_account else [max(begins)]) == sorted(ends)
    lasting = sorted((row for row in versions if row["valid_from"] != row["valid_to"]), key=lambda r: r["valid_from"])
    assert len({row["version_id"] for row in versions}) == len(versions)
    assert len({row["valid_from"] for row in lasting}) == len(lasting)


@pytest.mark.slow
@settings(max_examples=8, deadline=None, phases=NO_SHRINKING, suppress_health_check=list(HealthCheck))
@given(data=st.data(), reports=st.lists(any_report, min_size=1, max_size=30))
def test_versions_follow_each_other_in_whatever_order_they_come_and_a_second_run_changes_nothing(
    shared_lake, data, reports
):
    """For some people at once, because each folding costs some queries; each of them has a history of their own."""
    nobody = shared_lake.empty(ADDRESSES)
    shared_lake.replace(ADDRESSES, nobody)
    fold(shared_lake, *reports)
    at_once = rows(shared_lake, ADDRESSES)
    for person in {report["subject_id"] for report in reports}:
        sources = {report["source"] for report in reports if report["subject_id"] == person}
        check_versions([row for row in at_once if row["subject_id"] == person], has_account="account" in sources)
    fold(shared_lake, *reports)
    assert rows(shared_lake, ADDRESSES) == at_once
    shared_lake.replace(ADDRESSES, nobody)
    shuffled = data.draw(st.permutations(reports))
    cut = data.draw(st.integers(0, len(shuffled)))
    for part in (shuffled[:cut], shuffled[cut:]):
        fold(shared_lake, *part)
    assert rows(shared_lake, ADDRESSES) == at_once
