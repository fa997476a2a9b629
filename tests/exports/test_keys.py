"""Rotation: keys past their last day go, everything about keys is recorded, and nothing comes back."""

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.errors import KeyRingError
from jobs.exports import keys
from jobs.exports.keys import find_ended, rotate
from jobs.lake import Days, Lake
from jobs.lake.contracts import Contracts
from jobs.privacy.key_events import KEY_EVENTS, find_lost, find_revived, record_keys
from jobs.privacy.keyring import SIGNING, SUBJECT, KeyRing, open_keyring
from jobs.settings import load_settings

MADE = datetime(2026, 9, 1, 8, tzinfo=UTC)
FORMER, PRESENT = "partner/adnet/2026Q3", "partner/adnet/2026Q4"
LAST = date(2026, 10, 30)
AFTER = LAST + timedelta(days=1)


@pytest.fixture
def lake(settings, contracts: Contracts) -> Lake:
    """A lake without an engine: keys need none."""
    return Lake(settings, None, contracts)


@pytest.fixture
def ring(lake):
    ring = KeyRing(lake.settings.keyring, clock=lambda: MADE)
    ring.key(SUBJECT)
    ring.key(FORMER, not_after=LAST)
    ring.key(PRESENT, not_after=date(2027, 1, 30))
    return ring


def events(lake):
    return {(row["purpose"], row["event"]): row for row in lake.read_records(KEY_EVENTS)}


def living(ring):
    return {entry.purpose for entry in ring.entries() if entry.destroyed_at is None}


def test_on_its_last_day_a_key_stays_and_on_the_next_it_goes(lake, ring):
    assert keys.run(lake, Days.single(LAST)).rows_out == 0
    assert living(ring) == {SUBJECT, FORMER, PRESENT}
    assert keys.run(lake, Days(date(2026, 9, 1), AFTER)).rows_out == 1
    assert living(ring) == {SUBJECT, PRESENT}
    with pytest.raises(KeyRingError, match="that is final"):
        ring.key(FORMER)


def test_every_event_is_recorded_without_the_key(lake, ring):
    rotate(lake, ring, AFTER)
    found = events(lake)
    assert set(found) == {(SUBJECT, "created"), (FORMER, "created"), (PRESENT, "created"), (FORMER, "destroyed")}
    entry = next(entry for entry in ring.entries() if entry.purpose == FORMER)
    row = found[FORMER, "destroyed"]
    assert (row["key_id"], row["at"], row["by"]) == (entry.key_id, entry.destroyed_at, "rotate_keys")
    assert (row["day"], row["created_at"], row["not_after"]) == (MADE.date(), MADE, LAST)


def test_a_second_run_changes_nothing(lake, ring):
    rotate(lake, ring, AFTER)
    before, file = events(lake), lake.settings.keyring.read_bytes()
    assert rotate(lake, ring, AFTER) == []
    assert events(lake) == before
    assert lake.settings.keyring.read_bytes() == file


def test_without_a_ring_there_is_nothing_to_do(lake):
    assert rotate(lake, open_keyring(lake.settings), AFTER) == []
    assert not lake.exists(KEY_EVENTS)
    assert not lake.settings.keyring.exists()


def test_a_destruction_that_a_crash_kept_from_the_ledger_is_recorded_by_the_next_run(lake, ring):
    rotate(lake, ring, LAST)
    ring.destroy(FORMER)
    assert rotate(lake, ring, LAST) == []
    assert (FORMER, "destroyed") in events(lake)


def test_keys_of_epochs_without_a_written_last_day_end_too(lake, ring):
    ring.key("partner/old/2026Q2")
    ring.key("partner/strange/forever")
    assert {entry.purpose for entry in find_ended(ring.entries(), AFTER)} == {FORMER, "partner/old/2026Q2"}


def test_a_key_that_an_old_backup_brings_back_is_destroyed_again(lake, ring, tmp_path):
    backup = tmp_path / "backup.json"
    shutil.copy(lake.settings.keyring, backup)
    rotate(lake, ring, AFTER)
    gone = next(entry for entry in ring.entries() if entry.purpose == FORMER)
    shutil.copy(backup, lake.settings.keyring)
    assert {entry.purpose for entry in find_revived(lake, ring.entries())} == {FORMER}
    assert [entry.purpose for entry in rotate(lake, ring, LAST)] == [FORMER]
    assert gone in ring.entries()
    assert living(ring) == {SUBJECT, PRESENT}


def test_a_purpose_that_was_destroyed_gets_no_other_key_through_a_new_ring(lake, ring):
    rotate(lake, ring, AFTER)
    lake.settings.keyring.unlink()
    new = open_keyring(lake.settings)
    new.key(FORMER)
    with pytest.raises(
        KeyRingError, match="The ring lacks keys that were made: partner/adnet/2026Q4, subject; restore"
    ):
        rotate(lake, new, LAST)
    assert living(new) == set()


def test_a_lost_ring_fails_the_run(lake, ring):
    rotate(lake, ring, LAST)
    lake.settings.keyring.unlink()
    with pytest.raises(KeyRingError, match=r"lacks keys that were made: .*subject; restore it from your backup"):
        rotate(lake, open_keyring(lake.settings), LAST)
    assert len(find_lost(lake, ())) == 3


def test_a_replaced_signing_key_is_neither_lost_nor_back(lake, ring):
    ring.key(SIGNING)
    rotate(lake, ring, LAST)
    ring.rotate(SIGNING)
    assert rotate(lake, ring, LAST) == []
    assert rotate(lake, ring, LAST) == []
    assert SIGNING in living(ring)
    assert [row["event"] for row in lake.read_records(KEY_EVENTS) if row["purpose"] == SIGNING].count("created") == 2


def test_a_ring_that_can_only_be_read_is_recorded_and_the_keys_to_destroy_are_named(lake, ring, monkeypatch):
    monkeypatch.setenv("SOPHILUX_KEYRING_PROVIDER", "environment")
    monkeypatch.setenv("SOPHILUX_KEYRING_JSON", lake.settings.keyring.read_text())
    kept = open_keyring(load_settings(lake.home))
    assert rotate(lake, kept, LAST) == []
    with pytest.raises(
        KeyRingError, match="can only be read and has keys that must go: partner/adnet/2026Q3; destroy th"
    ):
        rotate(lake, kept, AFTER)
    assert len(events(lake)) == 3


def test_who_made_a_key_is_not_overwritten(lake, ring):
    record_keys(lake, ring.entries(), by="jane")
    rotate(lake, ring, AFTER)
    assert {row["by"] for key, row in events(lake).items() if key[1] == "created"} == {"jane"}
