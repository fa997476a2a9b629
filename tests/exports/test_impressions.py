"""Impressions that partners report: whose they are, and that no line is lost."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import KeyRingError, SophiluxError
from jobs.exports import impressions
from jobs.exports.partners import Partner
from jobs.lake import Days
from jobs.privacy.emails import PROFILES
from jobs.privacy.epochs import epoch_key
from jobs.privacy.identifiers import ad_id_text, as_shared
from jobs.privacy.keyring import open_keyring, partner_purpose, shared_purpose
from jobs.runner import run_step
from jobs.steps import STEPS

from .conftest import LONG_AGO, fill, fill_subjects

TODAY = datetime.now(UTC).date()
DAY = date(TODAY.year, 1, 20)
"""Early in its quarter, so that identifiers of the quarter before still count."""
DAYS = Days.single(DAY)
ADNET = Partner("adnet", ("all",), attribution_days=9)
PARTNERS = """
partners:
- {name: adnet, countries: [all], attribution_days: 9}
- {name: worldads, countries: [all]}
- {name: loyalty, kind: shared-key, countries: [all], profile: google}
- {name: bigads, kind: platform, platform: meta, countries: [all], accept_reversible: true,
   reason: the platform takes nothing else}
"""
SECRET = bytes(range(32))


@pytest.fixture
def shop(lake):
    prepare(lake)
    return lake


def prepare(lake):
    fill_subjects(lake, {"ann": {}, "bob": {}})
    identity = {"subject_bucket": 7, "is_primary": True, "updated_at": LONG_AGO, "email_normalised": "x"}
    people = [
        {
            **identity,
            "identity_id": who,
            "customer_id": who,
            "person_id": who,
            "subject_id": who,
            "email": f"{who}@b.co",
        }
        for who in ("ann", "bob")
    ]
    fill(lake, "vault.identities", people)
    lake.settings.partners.parent.mkdir(parents=True, exist_ok=True)
    lake.settings.partners.write_text(PARTNERS)
    open_keyring(lake.settings).put(shared_purpose("loyalty"), SECRET)


def make_id(lake, who, partner="adnet", day=DAY):
    key = epoch_key(open_keyring(lake.settings), "partner", partner, day, length="quarter", overlap_days=30)
    return ad_id_text(who, key)


def shown(ad_id, *, partner="adnet", campaign="spring", at=f"{DAY}T10:00:00Z", clicked="false", **odd):
    record = {"ad_id": ad_id, "campaign": campaign, "shown_at": at, "clicked": clicked}
    return {"partner": partner, "record": json.dumps({k: v for k, v in record.items() if v is not None}), **odd}


def land(lake, *lines, day=DAY):
    full = [
        {"pull_day": day, "source": f"x/{day}.jsonl", "line_no": n, "raw": line["record"] or "?", **line}
        for n, line in enumerate(lines, 1)
    ]
    if full:
        fill(lake, impressions.LANDING, full, [str(day)])
    else:
        lake.replace(impressions.LANDING, lake.empty(impressions.LANDING), partitions=[str(day)])


def found(lake):
    return sorted((row.partner, row.subject_id) for row in lake.read(impressions.TABLE).collect())


def reasons(lake):
    return Counter(row.reason for row in lake.read(impressions.QUARANTINE).collect())


def test_an_impression_is_of_the_person_its_identifier_stands_for(shop):
    land(shop, shown(make_id(shop, "ann"), clicked="true", campaign="Spring sale_1.2-a"))
    report = impressions.run(shop, DAYS)
    (row,) = shop.read(impressions.TABLE).collect()
    assert (row.subject_id, row.partner, row.campaign, row.is_click) == ("ann", "adnet", "Spring sale_1.2-a", True)
    assert (row.day, row.counts_until, row.pull_day) == (DAY, DAY + timedelta(9), DAY)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (1, 1, 0, 0)


def test_each_kind_of_partner_reports_under_its_own_identifiers(shop):
    google, meta = PROFILES["google"], PROFILES["meta"]
    shared = ad_id_text(
        google.normalise_text("ann@b.co"), as_shared(open_keyring(shop.settings).find("shared/loyalty"))
    )
    hashed = meta.digest_text(meta.normalise_text("bob@b.co"))
    land(shop, shown(shared, partner="loyalty"), shown(hashed, partner="bigads"))
    impressions.run(shop, DAYS)
    assert found(shop) == [("bigads", "bob"), ("loyalty", "ann")]


def test_a_former_epoch_counts_while_it_overlaps_and_not_longer(shop):
    before = date(DAY.year - 1, 12, 30)
    old = make_id(shop, "ann", day=before)
    make_id(shop, "ann")
    land(shop, shown(old, at=f"{before}T10:00:00Z"))
    impressions.run(shop, DAYS)
    assert found(shop) == [("adnet", "ann")]
    late = date(DAY.year, 1, 31)
    land(shop, shown(old, at=f"{before}T11:00:00Z"), day=late)
    impressions.run(shop, Days.single(late))
    assert found(shop) == [("adnet", "ann")]
    assert reasons(shop) == {impressions.EPOCH_OVER: 1}


def test_identifiers_of_an_epoch_to_come_do_not_count(shop):
    coming = make_id(shop, "ann", day=date(DAY.year, 4, 1))
    land(shop, shown(coming))
    impressions.run(shop, DAYS)
    assert reasons(shop) == {impressions.EPOCH_OVER: 1}


def test_what_a_destroyed_key_told_stays_and_is_not_told_again(shop):
    line = shown(make_id(shop, "ann"))
    land(shop, line)
    impressions.run(shop, DAYS)
    open_keyring(shop.settings).destroy(partner_purpose("adnet", f"{DAY.year}Q1"))
    with pytest.raises(SophiluxError, match=r"a key was destroyed since .*Nothing was changed"):
        impressions.run(shop, DAYS)
    assert found(shop) == [("adnet", "ann")]
    after = DAY + timedelta(1)
    land(shop, line, day=after)
    impressions.run(shop, Days.single(after))
    assert reasons(shop) == {impressions.EPOCH_OVER: 1}


def test_identifiers_of_others_are_foreign(shop):
    theirs = make_id(shop, "ann", "worldads")
    hashed = PROFILES["meta"].digest_text("ann@b.co")
    lines = [shown(theirs), shown(hashed), shown("ann"), shown("ann@b.co", partner="bigads")]
    land(shop, *lines, shown(make_id(shop, "stranger")))
    impressions.run(shop, DAYS)
    assert found(shop) == []
    assert reasons(shop) == {impressions.FOREIGN: 4, impressions.NOBODY: 1}


def test_a_shared_key_that_is_not_there_stops_the_step(shop):
    open_keyring(shop.settings).destroy(shared_purpose("loyalty"))
    land(shop, shown("x", partner="loyalty"))
    with pytest.raises(KeyRingError, match="no key for shared/loyalty"):
        impressions.run(shop, DAYS)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"record": None, "defect": "not UTF-8"}, "not UTF-8"),
        ({"record": "not json"}, impressions.NOT_A_RECORD),
        ({"record": '{"other": 1}'}, impressions.NOT_A_RECORD),
        ({"partner": "nobody"}, impressions.UNKNOWN_PARTNER),
        ({"ad_id": " "}, impressions.NO_AD_ID),
        ({"campaign": None}, impressions.BAD_CAMPAIGN),
        ({"campaign": "=cmd()"}, impressions.BAD_CAMPAIGN),
        ({"campaign": "ann@b.co"}, impressions.BAD_CAMPAIGN),
        ({"campaign": "4111 1111 1111 1111"}, impressions.BAD_CAMPAIGN),
        ({"campaign": "x" * 65}, impressions.BAD_CAMPAIGN),
        ({"at": "yesterday"}, impressions.BAD_TIME),
        ({"at": f"{DAY + timedelta(1)}T00:00:00Z"}, impressions.FUTURE),
        ({"clicked": "perhaps"}, impressions.BAD_CLICK),
    ],
)
def test_a_line_that_cannot_be_understood_is_kept_with_its_reason(shop, odd, reason):
    ann = make_id(shop, "ann")
    raw = {name: odd[name] for name in ("record", "defect") if name in odd}
    fields = {name: value for name, value in odd.items() if name not in raw}
    line = shown(**{"ad_id": ann, **fields}) | raw
    land(shop, line, shown(ann, clicked=None))
    report = impressions.run(shop, DAYS)
    assert reasons(shop) == {reason: 1}
    assert (report.rows_out, report.quarantined) == (1, 1)


def test_doubled_lines_are_one_impression_that_was_clicked_if_one_says_so(shop):
    ann = make_id(shop, "ann")
    land(shop, shown(ann), shown(ann, clicked="true"), shown(ann, campaign="other"))
    assert impressions.run(shop, DAYS).duplicates == 1
    assert sorted(row.is_click for row in shop.read(impressions.TABLE).collect()) == [False, True]
    later = DAY + timedelta(1)
    land(shop, shown(ann, campaign="other", clicked="yes"), day=later)
    impressions.run(shop, Days.single(later))
    assert [row.is_click for row in shop.read(impressions.TABLE).collect()] == [True, True]


def test_a_second_run_leaves_the_same_rows_and_a_corrected_file_corrects_the_lake(shop):
    ann, bob = make_id(shop, "ann"), make_id(shop, "bob")
    land(shop, shown(ann), shown(bob))
    impressions.run(shop, DAYS)
    once = found(shop)
    impressions.run(shop, DAYS)
    assert found(shop) == once
    land(shop, shown(bob))
    impressions.run(shop, DAYS)
    assert found(shop) == [("adnet", "bob")]


def test_a_day_without_files_needs_no_partners_and_no_keys(lake):
    report = impressions.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.quarantined) == (0, 0, 0)


@pytest.fixture(scope="module")
def shared_shop(shared_lake):
    prepare(shared_lake)
    return shared_lake


FIELDS = {
    "who": st.sampled_from(["ann", "bob", "stranger", "", "sx1-00000000-x"]),
    "partner": st.sampled_from(["adnet", "worldads", "nobody"]),
    "campaign": st.sampled_from(["spring", "Ä", None]),
    "at": st.sampled_from([f"{DAY}T10:00:00Z", f"{DAY}T12:00:00+02:00", "never", f"{DAY}T11:00:00Z"]),
    "clicked": st.sampled_from(["true", "false", None, "?"]),
}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.fixed_dictionaries(FIELDS), max_size=12))
def test_every_line_is_a_row_a_duplicate_or_in_quarantine(shared_shop, lines):
    land(
        shared_shop,
        *(
            shown(make_id(shared_shop, line["who"]) if line["who"].isalpha() else line["who"], **rest)
            for line in lines
            for rest in [{name: value for name, value in line.items() if name != "who"}]
        ),
    )
    report = impressions.run(shared_shop, DAYS)
    assert report.rows_in == len(lines) == report.rows_out + report.duplicates + report.quarantined
    assert shared_shop.count(impressions.TABLE) == report.rows_out
    assert shared_shop.count(impressions.QUARANTINE) == report.quarantined


def test_an_identifier_is_told_to_nobody(shop, caplog, capfd):
    caplog.set_level("INFO")
    mine, theirs = make_id(shop, "ann"), make_id(shop, "ann", "worldads")
    land(shop, shown(mine), shown(theirs), shown(mine, at="never"))
    run_step(shop, STEPS["exports.impressions"], DAYS)
    open_keyring(shop.settings).destroy(partner_purpose("adnet", f"{DAY.year}Q1"))
    with pytest.raises(SophiluxError) as caught:
        impressions.run(shop, DAYS)
    told = [caplog.text, *capfd.readouterr(), str(caught.value), str(shop.read_records("ledger.step_runs"))]
    assert not [text for text in told if mine in text or theirs in text or "sx1-" in text]
