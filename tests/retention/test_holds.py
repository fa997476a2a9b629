"""What a hold keeps stays on every path of retention, exactly that, and goes when the hold is released."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyrage
import pytest

from jobs.lake import Days
from jobs.people.holds import place_hold, release_hold
from jobs.privacy.keyring import open_keyring
from jobs.privacy.subject_ids import bucket_of, subject_digest
from jobs.retention import planning, shelf
from jobs.retention.applying import apply_plan
from jobs.retention.approvals import approve_plan
from jobs.retention.planning import make_plan
from tests.exports.conftest import fill_subjects
from tests.exports.reading import EUROPE, export, folder

from .conftest import DAY, ROWS, fill, forget, list_data_files

OLD, YOUNG = date(2023, 5, 30), date(2024, 6, 1)
WHY = "court file 12 O 34/26"


def click(number, subject, day):
    return {
        "day": day,
        "event_id": number,
        "event_time": datetime(day.year, day.month, day.day, tzinfo=UTC),
        "subject_id": subject,
        "subject_bucket": bucket_of(subject),
        "session_id": 1,
        "action": "view",
        "pull_day": day,
    }


@pytest.fixture
def who(lake):
    """Pseudonyms of some people, by name; Ann has an account."""
    digest = subject_digest(lake)
    names = {name: digest(f"{name}@example.org") for name in ("ann", "bob", "kim")}
    identity = {"identity_id": "i", "customer_id": "A", "person_id": digest("customer:A"), "subject_id": names["ann"]}
    written = {"email": "ann@example.org", "email_normalised": "ann@example.org", "is_primary": True}
    moment = {"updated_at": datetime(2024, 1, 1, tzinfo=UTC), "subject_bucket": bucket_of(names["ann"])}
    fill(lake, "vault.identities", [{**identity, **written, **moment}])
    return names


@pytest.fixture
def clicks(lake, who):
    """Two old days of three people, and a young one."""
    days = [OLD, OLD - timedelta(days=1), YOUNG]
    fill(
        lake,
        "lake.clicks",
        [click(10 * n + m, s, day) for n, day in enumerate(days) for m, s in enumerate(who.values())],
    )
    return lake


def rows_of(lake, table):
    return Counter(map(str, lake.read(table).collect()))


def test_a_partition_with_held_rows_is_rewritten_without_the_others(clicks, who):
    place_hold(clicks, reason=WHY, subject_ids=[who["ann"]])
    before = rows_of(clicks, "lake.clicks")
    (removal,) = [r for r in make_plan(clicks, DAY).removals if r.table == "lake.clicks"]
    assert (removal.rows, removal.held, removal.partitions) == (4, 2, ())
    forget(clicks, DAY)
    kept = Counter({row: n for row, n in before.items() if who["ann"] in row or f"{YOUNG!r}" in row})
    assert rows_of(clicks, "lake.clicks") == kept
    assert len(list_data_files(clicks, "lake.clicks")) == 3


def test_the_files_of_a_partition_go_without_being_read(clicks, monkeypatch):
    def refuse(*_, **__):
        message = "a file was read"
        raise AssertionError(message)

    monkeypatch.setattr("jobs.retention.planning.read_columns", refuse)
    monkeypatch.setattr("jobs.lake.removing.edit_file", refuse)
    plan = make_plan(clicks, DAY, tables=["lake.clicks"])
    assert plan.removals[0].partitions == (str(OLD - timedelta(days=1)), str(OLD))
    name = shelf.keep_plan(clicks, plan)
    approve_plan(clicks, name, by="the tests")
    apply_plan(clicks, name)
    assert clicks.count("lake.clicks") == 3


def test_only_files_that_can_hold_the_persons_rows_are_looked_into(lake, who):
    """Each day is one file of one person: the log's buckets tell whose, and only the held one's is opened."""
    place_hold(lake, reason=WHY, subject_ids=[who["ann"]], tables=["lake.clicks"])
    days = {name: OLD - timedelta(days=n) for n, name in enumerate(who)}
    fill(lake, "lake.clicks", [click(n, who[name], day) for n, (name, day) in enumerate(days.items())])
    looked = []
    original = planning.read_columns

    def look(lake_, table, path, columns):
        looked.append(path)
        return original(lake_, table, path, columns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "read_columns", look)
        (removal,) = make_plan(lake, DAY, tables=["lake.clicks"]).removals
    of_ann = {f.path for f in lake.list_files("lake.clicks") if f.buckets[0] <= bucket_of(who["ann"]) <= f.buckets[1]}
    assert set(looked) == of_ann
    assert (removal.rows, removal.held) == (2, 1)


def test_rows_of_an_order_on_hold_stay(aged):
    place_hold(aged, reason=WHY, order_ids=["o"], tables=["lake.parcels"])
    forget(aged, DAY)
    assert aged.count("lake.parcels") == 2
    (entry,) = [row for row in shelf.list_entries(aged) if row["state"] == "applied"]
    assert (entry["rows"], entry["held_rows"]) == (4, 1)


def test_a_period_on_hold_stays_whole(clicks):
    place_hold(clicks, reason=WHY, days=Days(OLD, OLD))
    forget(clicks, DAY)
    assert {row["day"] for row in clicks.read("lake.clicks").collect()} == {OLD, YOUNG}


def test_raw_lines_about_a_person_on_hold_stay(lake, who):
    place_hold(lake, reason=WHY, subject_ids=[who["ann"]])
    day = date(2024, 5, 1)
    lines = ['{"email": "Ann@Example.org"}', '{"email": "bob@example.org"}', "ann@example.org broken", "noise"]
    rows = [{"pull_day": day, "source": "f", "line_no": n, "raw": line} for n, line in enumerate(lines)]
    fill(lake, "landing.clickstream", rows)
    rejects = [
        {"pull_day": day, "source": "f", "position": str(n), "reason": "r", "raw": line} for n, line in enumerate(lines)
    ]
    fill(lake, "quarantine.clicks", rejects)
    forget(lake, DAY)
    for table in ("landing.clickstream", "quarantine.clicks"):
        assert sorted(row["raw"] for row in lake.read(table).collect()) == ["ann@example.org broken", lines[0]], table


def test_a_hold_that_covers_everything_deletes_nothing_and_says_so(aged):
    place_hold(aged, reason=WHY, days=Days(date(1990, 1, 1), date(2050, 1, 1)))
    before = {table: rows_of(aged, table) for table in ROWS}
    plan = make_plan(aged, DAY)
    assert (plan.rows, plan.held) == (0, 5)
    assert forget(aged, DAY).rows == 0
    assert {table: rows_of(aged, table) for table in ROWS} == before


def test_what_a_hold_kept_goes_with_the_next_plan_after_its_release(aged):
    hold = place_hold(aged, reason=WHY, days=Days(date(1990, 1, 1), date(2050, 1, 1)))
    forget(aged, DAY)
    release_hold(aged, hold.hold_id)
    assert make_plan(aged, DAY).rows == 5
    forget(aged, DAY)
    assert make_plan(aged, DAY).removals == ()


def test_the_ledger_of_holds_is_never_held_by_a_hold(lake):
    place_hold(lake, reason=WHY, days=Days(date(1990, 1, 1), date(2050, 1, 1)))
    released = place_hold(lake, reason=WHY, order_ids=["o"])
    release_hold(lake, released.hold_id)
    plan = make_plan(lake, datetime.now(UTC).date() + timedelta(days=4000), tables=["ledger.holds"])
    assert [(removal.rows, removal.held) for removal in plan.removals] == [(1, 0)]


class TestPackages:
    @pytest.fixture
    def sent(self, lake):
        """A package past its term, with one person in it."""
        fill_subjects(lake, {"adult": {}})
        export(lake, EUROPE, date(2024, 3, 31))
        (subject,) = [row["subject_id"] for row in lake.read("lake.subjects").collect()]
        return lake, subject

    def goes(self, lake):
        forget(lake, DAY)
        return not folder(lake, EUROPE, date(2024, 3, 31)).exists()

    def test_one_that_names_a_person_on_hold_stays(self, sent):
        lake, subject = sent
        place_hold(lake, reason=WHY, subject_ids=[subject])
        assert not self.goes(lake)

    def test_one_that_names_others_only_goes(self, sent):
        lake, _ = sent
        place_hold(lake, reason=WHY, subject_ids=["0" * 32])
        assert self.goes(lake)

    def test_one_whose_key_is_gone_stays_because_nobody_can_tell(self, sent):
        lake, _ = sent
        ring = open_keyring(lake.settings)
        ring.destroy("partner/adnet-eu/2024Q1")
        place_hold(lake, reason=WHY, subject_ids=["0" * 32])
        assert not self.goes(lake)

    def test_one_of_a_held_day_stays_and_a_hold_on_an_order_keeps_none(self, sent):
        lake, _ = sent
        period = place_hold(lake, reason=WHY, days=Days.single(date(2024, 3, 31)), tables=["exports.additions"])
        place_hold(lake, reason=WHY, order_ids=["o"])
        assert not self.goes(lake)
        release_hold(lake, period.hold_id)
        assert self.goes(lake)


def test_a_sealed_package_stays_because_nobody_can_tell(lake):
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    sealed = replace(EUROPE, encrypt_to=(recipient,))
    fill_subjects(lake, {"adult": {}})
    export(lake, sealed, date(2024, 3, 31))
    place_hold(lake, reason=WHY, subject_ids=["0" * 32])
    forget(lake, DAY)
    assert folder(lake, sealed, date(2024, 3, 31)).exists()
