"""Who of the generated shop may be exported, told by the engine and by plain Python from the vault."""

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.exports.audiences import find_segments
from jobs.exports.partners import OPAQUE, PAIR, load_partners_file
from jobs.privacy.eligibility import REASONS, add_exclusion
from jobs.privacy.rights.choices import apply_choices
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY
from tests.exports.reading import ids, make_id

pytestmark = [pytest.mark.slow]

LAST_DAY = DEMO_FIRST_DAY + timedelta(days=DEMO_DAYS - 1)
ALL = ("all",)


def circles_of(identities):
    """Every account's circle of accounts that share addresses."""
    holders = defaultdict(set)
    for row in identities:
        holders[row.subject_id].add(row.customer_id)
    circles = {row.customer_id: {row.customer_id} for row in identities}
    for accounts in holders.values():
        joined = set().union(*(circles[account] for account in accounts))
        circles.update(dict.fromkeys(joined, joined))
    return {account: frozenset(circle) for account, circle in circles.items()}


def eighteen(born):
    """First day of the month after the 18th birthday."""
    months = born.year * 12 + born.month - 1 + 18 * 12 + 1
    return date(months // 12, months % 12 + 1, 1)


def broken_by(account, partner, rules, requested):
    """Numbers of the rules that an account breaks, in their order."""
    agreed = account.consented_at and account.consented_at.date() >= rules.policy_valid_from
    broken = (
        account.ads_opt_out,
        account.birth_date is not None and eighteen(account.birth_date) > LAST_DAY,
        account.birth_date is None,
        account.closed_at is not None,
        account.customer_id in requested,
        partner.countries != ALL and account.country not in partner.countries,
        not agreed,
    )
    return {number for number, is_broken in enumerate(broken) if is_broken}


def expect(lake, partner, rules, segments, requested=()):
    """Reason by ``subject_id``, from the vault alone."""
    accounts = {row.customer_id: row for row in lake.read("vault.customers").collect()}
    identities = lake.read("vault.identities").collect()
    circles = circles_of(identities)
    persons = {row.subject_id: row.person_id for row in lake.read("lake.subjects").collect()}
    owner = {account.person_id: name for name, account in accounts.items()}
    reasons, cells = {}, defaultdict(set)
    for subject, person in persons.items():
        circle = circles[owner[person]]
        broken = set().union(*(broken_by(accounts[account], partner, rules, requested) for account in circle))
        reasons[subject] = REASONS[min(broken)] if broken else None
        if not broken:
            cells[accounts[owner[person]].country, segments.get(person)].add(circle)
    small = {cell for cell, people in cells.items() if len(people) < partner.minimum_segment}
    for subject, person in persons.items():
        if reasons[subject] is None and (accounts[owner[person]].country, segments.get(person)) in small:
            reasons[subject] = "small_segment"
    return reasons


def judge(lake, partner, rules, requests=None):
    subjects = lake.read("lake.subjects").transform(apply_choices, lake.read("ledger.choices"))
    segments = find_segments(lake.read("lake.clicks"), lake.read("lake.products"), subjects, day=LAST_DAY)
    judged = subjects.transform(
        add_exclusion,
        lake.read("ledger.requests") if requests is None else requests,
        segments,
        rules=rules,
        day=LAST_DAY,
        countries=partner.countries,
        minimum_segment=partner.minimum_segment,
    )
    found = {row.subject_id: row.reason for row in judged.collect()}
    return found, {row.person_id: row.segment for row in segments.collect()}


def test_the_reasons_are_those_of_the_vault_for_every_partner(demo):
    lake, planted = demo
    declared = load_partners_file(lake.settings.partners)
    assert str(declared.eligibility.policy_valid_from) == planted.policy_valid_from
    seen = Counter()
    for partner in declared.partners:
        found, segments = judge(lake, partner, declared.eligibility)
        assert found == expect(lake, partner, declared.eligibility, segments)
        assert None in found.values()
        seen.update(found.values())
    assert set(REASONS) - set(seen) == {"erasure_requested"}


def test_exactly_the_eligible_people_are_in_a_package(demo):
    lake, planted = demo
    assert min(planted.ads_opt_outs, planted.minors, planted.unknown_ages, planted.closed) > 0
    declared = load_partners_file(lake.settings.partners)
    partners = [partner for partner in declared.partners if partner.kind == OPAQUE]
    assert len(partners) > 1
    for partner in partners:
        _, segments = judge(lake, partner, declared.eligibility)
        reasons = expect(lake, partner, declared.eligibility, segments)
        wanted = {make_id(lake, subject, partner, LAST_DAY) for subject, reason in reasons.items() if reason is None}
        assert ids(lake, "additions", partner, LAST_DAY) == wanted
        (entry,) = lake.read("ledger.exports").where(f"partner = '{partner.name}'").collect()
        assert json.loads(entry.excluded) == {reason: Counter(reasons.values())[reason] for reason in REASONS}


def test_planted_consents_arrive(demo):
    lake, planted = demo
    accounts = lake.read("vault.customers")
    assert accounts.where("consented_at is null").count() == planted.missing_consents
    old = accounts.where(f"consented_at < timestamp '{planted.policy_valid_from} 00:00:00'")
    assert old.count() == planted.outdated_consents


def test_an_open_erase_request_keeps_the_whole_circle_out_and_a_closed_one_does_not(demo):
    lake, _ = demo
    declared = load_partners_file(lake.settings.partners)
    partner = next(partner for partner in declared.partners if partner.countries == ALL and partner.kind != PAIR)
    before, segments = judge(lake, partner, declared.eligibility)
    accounts = {row.customer_id: row for row in lake.read("vault.customers").collect()}
    circles = circles_of(lake.read("vault.identities").collect())
    asked, other = (
        next(a for a in accounts.values() if before[a.subject_id] is None and (len(circles[a.customer_id]) > 1) is tied)
        for tied in (True, False)
    )
    fixed = {"kind": "erase", "subject_bucket": 1, "received_at": datetime(2026, 3, 5, tzinfo=UTC), "due_on": LAST_DAY}
    requests = [
        {**fixed, "request_id": "r1", "state": "open", "subject_id": asked.subject_id},
        {**fixed, "request_id": "r2", "state": "refused", "subject_id": other.subject_id},
    ]
    contract = lake.contracts["ledger.requests"]
    rows = [tuple(request.get(name) for name in contract.column_names) for request in requests]
    frame = lake.session.createDataFrame(rows, contract.engine_schema())
    found, _ = judge(lake, partner, declared.eligibility, frame)
    assert found == expect(lake, partner, declared.eligibility, segments, circles[asked.customer_id])
    assert found[asked.subject_id] == "erasure_requested"
    assert found[other.subject_id] != "erasure_requested"
