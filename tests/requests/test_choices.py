from datetime import date, timedelta

import pytest
from pyspark.sql import functions as F

from jobs.exports.partners import Partner
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.privacy.keyring import SUBJECT, KeyRing
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.rights.choice_ledger import CHOICES, Choice, welcome_back
from jobs.privacy.rights.choices import apply_choices
from jobs.privacy.subject_ids import bucket_of
from jobs.privacy.tombstones import SUBJECT as SUBJECT_KIND
from jobs.privacy.tombstones import lift_tombstones, set_tombstones
from jobs.requests import serving
from jobs.requests.choices import record_choices
from jobs.requests.texts import tell_answer
from tests.exports.reading import export
from tests.requests.asking import NOON, ask, id_of


def subjects(lake, *rows):
    """lake.subjects from (subject_id, person_id, ads_opt_out, personalisation_opt_out)."""
    full = [
        (subject, 1, person, None, "DE", date(2000, 1, 1), ads, personal, NOON, None, NOON)
        for subject, person, ads, personal in rows
    ]
    return lake.session.createDataFrame(full, lake.contracts["lake.subjects"].engine_schema())


def choices(lake, *rows):
    """ledger.choices from (subject_id, purpose, is_opt_out, hours after noon)."""
    full = [(subject, 1, purpose, out, NOON + timedelta(hours=hours), None) for subject, purpose, out, hours in rows]
    return lake.session.createDataFrame(full, lake.contracts[CHOICES].engine_schema())


def flags(frame):
    return {row.subject_id: (row.ads_opt_out, row.personalisation_opt_out) for row in frame.collect()}


def test_a_choice_holds_for_every_address_of_the_person(lake):
    rows = subjects(lake, ("a", "p", False, False), ("b", "p", False, False), ("c", "q", False, False))
    held = rows.transform(apply_choices, choices(lake, ("a", "ads", True, 1)))
    assert flags(held) == {"a": (True, False), "b": (True, False), "c": (False, False)}


def test_the_latest_choice_holds(lake):
    rows = subjects(lake, ("a", "p", True, False), ("b", "p", True, False))
    asked = choices(lake, ("a", "ads", False, 1), ("b", "ads", True, 2), ("a", "personalisation", True, 1))
    assert flags(rows.transform(apply_choices, asked)) == {"a": (True, True), "b": (True, True)}
    opted_in = choices(lake, ("a", "ads", False, 3), ("b", "ads", True, 2))
    assert flags(rows.transform(apply_choices, opted_in)) == {"a": (False, False), "b": (False, False)}


def test_a_newer_opt_out_of_the_account_wins_over_an_older_opt_in(lake):
    rows = subjects(lake, ("a", "p", True, False))
    assert flags(rows.transform(apply_choices, choices(lake, ("a", "ads", False, -1)))) == {"a": (True, False)}


def test_an_opt_out_survives_later_changes_of_the_account(lake):
    rows = subjects(lake, ("a", "p", False, False))
    assert flags(rows.transform(apply_choices, choices(lake, ("a", "ads", True, -100)))) == {"a": (True, False)}


def test_recording_keeps_the_pseudonym_and_not_the_address(lake):
    assert not ask(lake, "opt-out", " Jane@Example.com ").is_known
    ask(lake, "opt-in", "jane@example.com", at=NOON + timedelta(days=1))
    (row,) = lake.read(CHOICES).collect()
    assert (len(row.subject_id), row.purpose, row.is_opt_out) == (32, "ads", False)
    assert KeyRing(lake.settings.keyring).key(SUBJECT).secret


def test_an_earlier_choice_that_comes_later_changes_nothing(lake):
    for hours, is_opt_out in ((1, True), (0, False)):
        record_choices(lake, [Choice("a" * 32, "ads", is_opt_out, NOON + timedelta(hours=hours))])
    assert [row.is_opt_out for row in lake.read(CHOICES).collect()] == [True]


def test_whoever_opts_out_is_in_no_export_from_then_on(lake):
    ask(lake, "opt-in", "jane@example.com")
    subject_id = id_of(lake, "jane@example.com")
    lake.replace("lake.subjects", subjects(lake, (subject_id, "p", False, False), ("f" * 32, "q", False, False)))
    partner = Partner("adnet", ("all",), minimum_segment=1)
    assert audience_rows(lake, partner) == 2
    ask(lake, "opt-out", "Jane@Example.com", at=NOON + timedelta(days=2))
    assert audience_rows(lake, partner) == 1


def audience_rows(lake, partner):
    return export(lake, partner, date(2026, 3, 5))["counts"]["additions"]


def test_a_choice_of_somebody_erased_is_not_kept(lake):
    erased, other = "a" * 32, "b" * 32
    set_tombstones(lake, {SUBJECT_KIND: [erased]}, at=NOON)
    record_choices(lake, [Choice(erased, "ads", True, NOON - timedelta(hours=1)), Choice(other, "ads", True, NOON)])
    assert [row["subject_id"] for row in lake.read_records(CHOICES)] == [other]
    lift_tombstones(lake, {SUBJECT_KIND: {erased: NOON + timedelta(hours=2)}})
    record_choices(lake, [Choice(erased, "ads", True, NOON + timedelta(hours=3))])
    assert {row["subject_id"] for row in lake.read_records(CHOICES)} == {erased, other}


def test_an_opt_out_after_the_erasure_waits_under_the_tombstone_and_the_person_is_told(lake):
    subject = id_of(lake, "jane@example.com")
    set_tombstones(lake, {SUBJECT_KIND: [subject]}, at=NOON)
    opened = ask(lake, "opt-out", "jane@example.com", at=NOON + timedelta(hours=1))
    (row,) = ledger.find_requests(lake, [opened.request[C.REQUEST_ID]])
    assert (row[C.STATE], row[C.SUBJECT_ID]) == (ledger.SERVED, None)
    assert "your opt-out holds for it from the start" in tell_answer(row)
    assert lake.read_records(CHOICES) == []
    assert all(subject not in str(stone) for stone in lake.read_records("ledger.tombstones"))
    welcome_back(lake, {SUBJECT_KIND: dict.fromkeys([subject, "c" * 32], NOON + timedelta(minutes=30))})
    held = [(row["subject_id"], row["is_opt_out"], row["asked_at"]) for row in lake.read_records(CHOICES)]
    assert held == [(subject, True, NOON + timedelta(hours=1))]
    assert [stone["ads_opt_out_at"] for stone in lake.read_records("ledger.tombstones")] == [None]


def test_an_opt_out_that_comes_while_the_person_is_welcomed_back_holds(lake, monkeypatch):
    subject, late = "a" * 32, Choice("a" * 32, "ads", True, NOON + timedelta(hours=1))
    set_tombstones(lake, {SUBJECT_KIND: [subject]}, at=NOON)
    original = Lake.extend

    def extend_meanwhile(self, table, partitions, choose):
        monkeypatch.setattr(Lake, "extend", original)

        def choose_and_wait(rows):
            chosen = choose(rows)
            if not lake.read_records("ledger.tombstones")[0]["ads_opt_out_at"]:
                assert record_choices(lake, [late]).waiting == {late}
            return chosen

        original(self, table, partitions, choose_and_wait)

    monkeypatch.setattr(Lake, "extend", extend_meanwhile)
    welcome_back(lake, {SUBJECT_KIND: {subject: NOON + timedelta(hours=2)}})
    assert [(row["subject_id"], row["is_opt_out"]) for row in lake.read_records(CHOICES)] == [(subject, True)]
    assert [(row["lifted_at"] is None, row["ads_opt_out_at"]) for row in lake.read_records("ledger.tombstones")] == [
        (False, None)
    ]


@pytest.mark.parametrize(
    ("is_opt_out", "hours", "holds"), [(True, 1, True), (True, 3, True), (False, 1, False), (False, 3, True)]
)
def test_a_choice_that_finds_its_tombstone_lifted_holds(lake, monkeypatch, is_opt_out, hours, holds):
    """But for an opt-in of before the return, which was about the account that was erased."""
    subject, late = "a" * 32, Choice("a" * 32, "ads", is_opt_out, NOON + timedelta(hours=hours))
    set_tombstones(lake, {SUBJECT_KIND: [subject]}, at=NOON)
    original = Lake.extend

    def extend_too_late(self, *args):
        monkeypatch.setattr(Lake, "extend", original)
        welcome_back(lake, {SUBJECT_KIND: {subject: NOON + timedelta(hours=2)}})
        original(self, *args)

    monkeypatch.setattr(Lake, "extend", extend_too_late)
    assert record_choices(lake, [late]).kept == ({late} if holds else set())
    assert [row["subject_id"] for row in lake.read_records(CHOICES)] == ([subject] if holds else [])


def test_an_opt_in_takes_a_waiting_opt_out_back_and_an_earlier_one_does_not(lake):
    back, held = "a" * 32, "b" * 32
    set_tombstones(lake, {SUBJECT_KIND: [back, held]}, at=NOON)

    def record(subject, is_opt_out, hours):
        record_choices(lake, [Choice(subject, "personalisation", is_opt_out, NOON + timedelta(hours=hours))])

    for subject, is_opt_out, hours in (
        (back, True, 1),
        (back, False, 2),
        (held, True, 3),
        (held, False, 2),
        (held, True, -1),
    ):
        record(subject, is_opt_out, hours)
    welcome_back(lake, {SUBJECT_KIND: dict.fromkeys([back, held], NOON + timedelta(hours=4))})
    assert [(row["subject_id"], row["purpose"]) for row in lake.read_records(CHOICES)] == [(held, "personalisation")]


def test_an_opt_out_from_before_the_return_that_is_served_after_it_holds(lake):
    subject = "a" * 32
    set_tombstones(lake, {SUBJECT_KIND: [subject]}, at=NOON)
    lift_tombstones(lake, {SUBJECT_KIND: {subject: NOON + timedelta(hours=2)}})
    before, after = (Choice(subject, "ads", True, NOON + timedelta(hours=hours)) for hours in (-1, 1))
    assert record_choices(lake, [before]).kept == frozenset()
    assert record_choices(lake, [after]).kept == {after}


def test_an_opt_out_of_one_account_holds_for_all_accounts_of_the_human(lake):
    rows = subjects(lake, ("a", "p", False, False), ("b", "q", False, False), ("c", "r", False, False))
    tied = rows.withColumn("circle_id", F.when(F.col("person_id") != "r", F.lit("p")))
    held = tied.transform(apply_choices, choices(lake, ("b", "personalisation", True, 1), ("a", "ads", True, 1)))
    assert flags(held) == {"a": (True, True), "b": (True, True), "c": (False, False)}


def test_the_term_of_a_choice_begins_when_nobody_has_an_open_account_with_the_address(lake):
    closed = NOON + timedelta(days=3)
    accounts = (("a", "c1", None), ("b", "c2", closed), ("b", "c3", NOON - timedelta(days=9)), ("c", "c4", closed))
    fixed = {"email": "x", "email_normalised": "x", "is_primary": True, "updated_at": NOON}
    held = [*accounts, ("c", "c5", None)]
    identities = [
        {**fixed, "identity_id": customer, "customer_id": customer, "person_id": customer}
        | {"subject_id": subject * 32, "subject_bucket": bucket_of(subject * 32), "closed_at": closed_at}
        for subject, customer, closed_at in held
    ]
    lake.record("vault.identities", identities)
    record_choices(lake, [Choice(name * 32, "ads", True, NOON) for name in "abcd"])
    for _ in range(2):
        assert serving.run(lake, Days.single(NOON.date())).rows_out == 0
        ended = {row["subject_id"][0]: row["ended_at"] for row in lake.read_records(CHOICES)}
        assert ended == {"a": None, "b": closed, "c": None, "d": NOON}
    fresh = {"identity_id": "c9", "subject_id": "d" * 32, "subject_bucket": bucket_of("d" * 32)}
    lake.record("vault.identities", [{**identities[0], **fresh}])
    serving.run(lake, Days.single(NOON.date()))
    assert {row["ended_at"] for row in lake.read_records(CHOICES) if row["subject_id"][0] == "d"} == {None}
