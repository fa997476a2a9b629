"""Who may be in an advertising export."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.privacy.eligibility import (
    ACCOUNT_CLOSED,
    AGE_UNKNOWN,
    CONSENT_OUTDATED,
    COUNTRY_NOT_ALLOWED,
    ERASURE_REQUESTED,
    OPTED_OUT,
    REASONS,
    RULES,
    SMALL_SEGMENT,
    UNDER_18,
    add_exclusion,
    keep_eligible,
)
from jobs.privacy.export_rules import ExportRules
from tests.conftest import PROJECT

DAY = date(2024, 3, 31)
POLICY = date(2024, 2, 1)
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
PLAIN = {
    "person_id": "p1",
    "country": "DE",
    "adult_from": date(2000, 1, 1),
    "ads_opt_out": False,
    "personalisation_opt_out": False,
    "consented_at": NOON,
    "closed_on": None,
}
ERASE = {"kind": "erase", "state": "open", "subject_id": "s0", "person_id": None}
STRICT = {
    "rules": ExportRules(policy_valid_from=POLICY),
    "day": DAY,
    "countries": ("DE", "FR"),
    "minimum_segment": 1,
}


def table_rows(lake, table, rows):
    contract = lake.contracts[table]
    values = [tuple(row.get(name) for name in contract.column_names) for row in rows]
    return lake.session.createDataFrame(values, contract.engine_schema())


def subject_rows(lake, *odd):
    fixed = {"subject_bucket": 1, "updated_at": NOON}
    return table_rows(
        lake, "lake.subjects", [{"subject_id": f"s{n}", **fixed, **PLAIN, **changes} for n, changes in enumerate(odd)]
    )


def request_rows(lake, *requests):
    fixed = {"subject_bucket": 1, "received_at": NOON, "due_on": DAY}
    return table_rows(
        lake, "ledger.requests", [{"request_id": f"r{n}", **fixed, **request} for n, request in enumerate(requests)]
    )


def segment_rows(lake, segments):
    return lake.session.createDataFrame(list(segments.items()), "person_id string, segment string")


def judge(lake, *odd, requests=(), segments=None, **terms):
    return subject_rows(lake, *odd).transform(
        add_exclusion, request_rows(lake, *requests), segment_rows(lake, segments or {}), **{**STRICT, **terms}
    )


def find_reasons(lake, *odd, **terms):
    found = [(row["subject_id"], row["reason"]) for row in judge(lake, *odd, **terms).collect()]
    assert len(found) == len(dict(found)) == len(odd)
    return dict(found)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"ads_opt_out": True}, OPTED_OUT),
        ({"ads_opt_out": None}, OPTED_OUT),
        ({"personalisation_opt_out": True}, None),
        ({"adult_from": date(2024, 4, 1)}, UNDER_18),
        ({"adult_from": DAY}, None),
        ({"adult_from": None}, AGE_UNKNOWN),
        ({"closed_on": date(2024, 3, 1)}, ACCOUNT_CLOSED),
        ({"closed_on": date(2024, 4, 2)}, ACCOUNT_CLOSED),
        ({"country": "US"}, COUNTRY_NOT_ALLOWED),
        ({"country": "Germany"}, COUNTRY_NOT_ALLOWED),
        ({"country": None}, COUNTRY_NOT_ALLOWED),
        ({"country": "fr"}, None),
        ({"consented_at": None}, CONSENT_OUTDATED),
        ({"consented_at": datetime(2024, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)}, CONSENT_OUTDATED),
        ({"consented_at": datetime(2024, 2, 1, tzinfo=UTC)}, None),
    ],
)
def test_the_first_broken_rule_is_the_reason(lake, changes, reason):
    assert find_reasons(lake, changes) == {"s0": reason}


BREAKING = {
    OPTED_OUT: {"ads_opt_out": True},
    UNDER_18: {"adult_from": date(2030, 1, 1)},
    AGE_UNKNOWN: {"adult_from": None},
    ACCOUNT_CLOSED: {"closed_on": DAY},
    COUNTRY_NOT_ALLOWED: {"country": "US"},
    CONSENT_OUTDATED: {"consented_at": None},
}


def test_rules_are_tried_in_their_order(lake):
    order = [OPTED_OUT, UNDER_18, AGE_UNKNOWN, ACCOUNT_CLOSED, COUNTRY_NOT_ALLOWED, CONSENT_OUTDATED]
    assert [reason for reason in REASONS if reason in order] == order
    for number, reason in enumerate(order):
        broken = [{**BREAKING[other], "circle_id": "c"} for other in reversed(order[number:])]
        assert set(find_reasons(lake, *broken, minimum_segment=9).values()) == {reason}


def test_open_erasure_comes_between_closing_and_countries(lake):
    outside = {"country": "US"}
    assert find_reasons(lake, outside, requests=[ERASE]) == {"s0": ERASURE_REQUESTED}
    assert find_reasons(lake, {**outside, "closed_on": DAY}, requests=[ERASE]) == {"s0": ACCOUNT_CLOSED}


@pytest.mark.parametrize("reason", list(BREAKING))
def test_one_address_takes_all_addresses_of_its_person_out(lake, reason):
    found = find_reasons(lake, {}, BREAKING[reason], {"person_id": "p2"})
    assert found == {"s0": reason, "s1": reason, "s2": None}


@pytest.mark.parametrize("reason", list(BREAKING))
def test_accounts_tied_by_a_shared_address_are_out_together(lake, reason):
    tied = {"person_id": "p2", "circle_id": "c"}
    found = find_reasons(lake, {"circle_id": "c"}, {**tied, **BREAKING[reason]}, tied, {"person_id": "p3"})
    assert found == {"s0": reason, "s1": reason, "s2": reason, "s3": None}


@pytest.mark.parametrize(
    ("changes", "keeps_out"),
    [
        ({}, True),
        ({"state": "serving"}, True),
        ({"state": "partly_served"}, True),
        ({"state": None}, True),
        ({"state": "served"}, False),
        ({"state": "refused"}, False),
        ({"kind": None}, True),
        ({"kind": "access"}, False),
        ({"kind": "correct"}, False),
        ({"subject_id": "s1"}, True),
        ({"subject_id": None, "person_id": "p1"}, True),
        ({"subject_id": "unknown"}, False),
        ({"subject_id": None}, False),
    ],
)
def test_an_erase_request_keeps_its_person_out_until_served_or_refused(lake, changes, keeps_out):
    found = find_reasons(lake, {}, {}, {"person_id": "p2"}, requests=[{**ERASE, **changes}])
    reason = ERASURE_REQUESTED if keeps_out else None
    assert found == {"s0": reason, "s1": reason, "s2": None}


def test_of_several_requests_the_open_one_counts(lake):
    requests = [{**ERASE, "state": state} for state in ("served", "open", "refused", "open")]
    assert find_reasons(lake, {}, requests=requests) == {"s0": ERASURE_REQUESTED}


def test_all_countries_still_need_a_known_one(lake):
    found = find_reasons(lake, {"country": "US"}, {"person_id": "p2", "country": None}, countries=("all",))
    assert found == {"s0": None, "s1": COUNTRY_NOT_ALLOWED}


def test_no_country_allowed_lets_nobody_out(lake):
    assert find_reasons(lake, {}, countries=()) == {"s0": COUNTRY_NOT_ALLOWED}


@pytest.mark.parametrize(
    ("country", "reason"),
    [
        ("DE", AGE_UNKNOWN),
        ("de", AGE_UNKNOWN),
        ("FR", None),
        ("fr", None),
        ("Germany", AGE_UNKNOWN),
        ("European Union", AGE_UNKNOWN),
        ("XX", AGE_UNKNOWN),
        (None, AGE_UNKNOWN),
    ],
)
def test_a_region_that_needs_an_age_is_any_that_is_not_known_to_need_none(lake, country, reason):
    rules = ExportRules(age_required_in=("DE", "US"))
    odd = {"adult_from": None, "country": country}
    assert find_reasons(lake, odd, rules=rules, countries=("all",)) == {"s0": reason}


def test_a_minor_is_out_also_where_no_age_is_needed(lake):
    rules = ExportRules(age_required_in=("US",))
    assert find_reasons(lake, {"adult_from": date(2030, 1, 1)}, rules=rules) == {"s0": UNDER_18}


def test_without_a_policy_no_consent_is_asked_for(lake):
    assert find_reasons(lake, {"consented_at": None}, rules=ExportRules()) == {"s0": None}


def test_a_segment_of_a_country_needs_enough_people(lake):
    people = [{"person_id": f"p{n}"} for n in range(5)]
    odd = [*people, {"person_id": "p0"}, {"person_id": "p4", "ads_opt_out": True}, {"person_id": "p5", "country": "FR"}]
    segments = {"p0": "Toys", "p1": "Toys", "p2": "Home", "p3": "Home", "p4": "Home", "p5": "Toys"}
    found = find_reasons(lake, *odd, segments=segments, minimum_segment=2)
    reasons = {"s0": None, "s1": None, "s2": None, "s3": None, "s4": OPTED_OUT, "s5": None, "s6": OPTED_OUT}
    assert found == {**reasons, "s7": SMALL_SEGMENT}
    found = find_reasons(lake, *odd, segments=segments, minimum_segment=3)
    assert Counter(found.values()) == {SMALL_SEGMENT: 6, OPTED_OUT: 2}


def test_people_without_a_segment_are_one_and_accounts_of_one_human_count_once(lake):
    tied = [{"person_id": "p1", "circle_id": "c"}, {"person_id": "p2", "circle_id": "c"}, {"person_id": "p3"}]
    assert set(find_reasons(lake, *tied, minimum_segment=2).values()) == {None}
    assert set(find_reasons(lake, *tied, minimum_segment=3).values()) == {SMALL_SEGMENT}
    named = {"p1": "none", "p2": ""}
    assert set(find_reasons(lake, *tied, segments=named, minimum_segment=2).values()) == {SMALL_SEGMENT}


def test_keeps_the_columns_of_the_eligible(lake):
    odd = ({}, {"person_id": "p2", "ads_opt_out": True})
    eligible = keep_eligible(judge(lake, *odd))
    assert eligible.columns == list(lake.contracts["lake.subjects"].column_names)
    assert [row["subject_id"] for row in eligible.collect()] == ["s0"]


def test_nobody_gives_nobody(lake):
    assert find_reasons(lake) == {}


def test_the_decision_record_shows_the_table_of_the_code():
    text = Path(PROJECT, "docs/adr/0008-one-table-of-who-may-be-exported.md").read_text()
    shown = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `")]
    said = {reason.strip(" `"): words.strip() for reason, words in shown}
    assert list(said) == list(REASONS)
    assert {rule.reason: rule.keeps_out for rule in RULES}.items() <= said.items()


MOMENTS = st.sampled_from([None, datetime(2024, 1, 1, tzinfo=UTC), NOON])
SUBJECTS = st.lists(
    st.fixed_dictionaries(
        {
            "person_id": st.sampled_from([f"p{n}" for n in range(6)]),
            "country": st.sampled_from(["DE", "DE", "FR", "US", None]),
            "adult_from": st.sampled_from([date(2000, 1, 1), date(2000, 1, 1), date(2030, 1, 1), None]),
            "ads_opt_out": st.sampled_from([False, False, False, True, None]),
            "consented_at": st.sampled_from([NOON, NOON, datetime(2024, 1, 1, tzinfo=UTC), None]),
            "closed_on": st.sampled_from([None, None, None, DAY]),
            "circle_id": st.sampled_from([None, None, None, "c1", "c2"]),
        }
    ),
    max_size=14,
)
REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["erase", "access"]),
            "state": st.sampled_from(["open", "served", "refused"]),
            "subject_id": st.sampled_from(["s0", "s1", "s5", None]),
            "person_id": st.sampled_from(["p1", None]),
        }
    ),
    max_size=2,
)
SEGMENTS = st.dictionaries(st.sampled_from([f"p{n}" for n in range(6)]), st.sampled_from(["Toys", "Home"]), max_size=6)
SHOPS = {"subjects": SUBJECTS, "requests": REQUESTS, "segments": SEGMENTS, "k": st.integers(2, 3)}
NEEDED = ("person_id", "country", "adult_from", "ads_opt_out", "consented_at")
examples = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def cell(subject, segments):
    return subject["country"], segments.get(subject["person_id"])


def human(subject):
    return subject["circle_id"] or subject["person_id"]


def exported(lake, subjects, requests, segments, k):
    found = find_reasons(lake, *subjects, requests=requests, segments=segments, minimum_segment=k)
    return {name for name, reason in found.items() if reason is None}


@examples
@given(**SHOPS)
def test_whoever_is_not_known_to_pass_is_out(shared_lake, subjects, requests, segments, k):
    found = exported(shared_lake, subjects, requests, segments, k)
    for name in found:
        subject = subjects[int(name[1:])]
        mates = [other for other in subjects if human(other) == human(subject)]
        assert all(mate[needed] is not None for mate in mates for needed in NEEDED)


@examples
@given(**SHOPS)
def test_the_exported_are_at_least_k_or_none_in_every_segment_of_a_country(
    shared_lake, subjects, requests, segments, k
):
    people = defaultdict(set)
    for name in exported(shared_lake, subjects, requests, segments, k):
        subject = subjects[int(name[1:])]
        people[cell(subject, segments)].add(human(subject))
    assert all(len(found) >= k for found in people.values())


@examples
@given(**SHOPS, broken=st.integers(0, 13), how=st.sampled_from([*BREAKING, ERASURE_REQUESTED]))
def test_a_fact_that_breaks_a_rule_never_lets_anybody_in(shared_lake, subjects, requests, segments, k, broken, how):
    before = exported(shared_lake, subjects, requests, segments, k)
    worse = [{**subject, **BREAKING.get(how, {})} if n == broken else subject for n, subject in enumerate(subjects)]
    more = [{**ERASE, "subject_id": f"s{broken}"}] if how == ERASURE_REQUESTED else []
    after = exported(shared_lake, worse, [*requests, *more], segments, k)
    assert after <= before
    assert f"s{broken}" not in after


@examples
@given(**SHOPS, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_is_irrelevant(shared_lake, subjects, requests, segments, k, random):
    named = [{"subject_id": f"s{n}", **subject} for n, subject in enumerate(subjects)]
    terms = {"requests": requests, "segments": segments, "minimum_segment": k}
    straight = find_reasons(shared_lake, *named, **terms)
    shuffled = random.sample(named, len(named))
    assert find_reasons(shared_lake, *shuffled, **terms) == straight


def expect(subjects, requests, segments, k):
    """The rules once more, in plain Python."""
    verdicts = {}
    for n, subject in enumerate(subjects):
        asked = any(
            r["kind"] == "erase"
            and r["state"] == "open"
            and (f"s{n}" == r["subject_id"] or subject["person_id"] == r["person_id"])
            for r in requests
        )
        broken = [
            subject["ads_opt_out"] is not False,
            subject["adult_from"] is not None and subject["adult_from"] > DAY,
            subject["adult_from"] is None,
            subject["closed_on"] is not None,
            asked,
            subject["country"] not in ("DE", "FR"),
            subject["consented_at"] is None or subject["consented_at"].date() < POLICY,
        ]
        verdicts.setdefault(human(subject), []).extend(number for number, is_broken in enumerate(broken) if is_broken)
    reasons = {name: REASONS[min(broken)] if broken else None for name, broken in verdicts.items()}
    sizes = Counter(cell for _, cell in {(human(s), cell(s, segments)) for s in subjects if not reasons[human(s)]})
    return {
        f"s{n}": reasons[human(s)] or (SMALL_SEGMENT if sizes[cell(s, segments)] < k else None)
        for n, s in enumerate(subjects)
    }


@examples
@given(**SHOPS)
def test_the_engine_says_what_plain_python_says(shared_lake, subjects, requests, segments, k):
    found = find_reasons(shared_lake, *subjects, requests=requests, segments=segments, minimum_segment=k)
    assert found == expect(subjects, requests, segments, k)
