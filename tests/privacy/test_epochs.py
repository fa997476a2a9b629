"""Epochs of the calendar, and the keys that live as long as one and a few days more."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.epochs import (
    MONTHS,
    Epoch,
    epoch_key,
    epoch_of,
    former_key,
    last_day_of,
    not_after,
    previous,
    read_epoch,
)
from jobs.privacy.keyring import KeyRing

DAY = date(2026, 11, 23)
days = st.dates(date(2, 1, 1), date(9998, 12, 31))
lengths = st.sampled_from(sorted(MONTHS))
QUARTER = {"length": "quarter", "overlap_days": 30}


@pytest.fixture
def ring(tmp_path):
    return KeyRing(tmp_path / "ring.json", clock=lambda: datetime(2026, 11, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("length", "day", "epoch"),
    [
        ("month", DAY, Epoch("2026-11", date(2026, 11, 1), date(2026, 11, 30))),
        ("month", date(2024, 2, 29), Epoch("2024-02", date(2024, 2, 1), date(2024, 2, 29))),
        ("quarter", DAY, Epoch("2026Q4", date(2026, 10, 1), date(2026, 12, 31))),
        ("quarter", date(2026, 3, 31), Epoch("2026Q1", date(2026, 1, 1), date(2026, 3, 31))),
        ("half-year", DAY, Epoch("2026H2", date(2026, 7, 1), date(2026, 12, 31))),
        ("half-year", date(2026, 6, 30), Epoch("2026H1", date(2026, 1, 1), date(2026, 6, 30))),
        ("year", DAY, Epoch("2026", date(2026, 1, 1), date(2026, 12, 31))),
        ("year", date.max, Epoch("9999", date(9999, 1, 1), date.max)),
    ],
)
def test_an_epoch_is_a_stretch_of_the_calendar(length, day, epoch):
    assert epoch_of(day, length) == epoch


@given(days, lengths)
def test_epochs_hold_their_day_and_follow_each_other_without_a_gap(day, length):
    epoch = epoch_of(day, length)
    assert epoch.first <= day <= epoch.last
    assert epoch_of(epoch.first, length) == epoch_of(epoch.last, length) == epoch
    before = previous(epoch)
    assert before.last == epoch.first - timedelta(days=1)
    assert before == epoch_of(before.first, length)
    assert before.name != epoch.name


@given(days, lengths)
def test_a_name_is_of_one_epoch_only(day, length):
    epoch = epoch_of(day, length)
    assert read_epoch(epoch.name) == epoch


@pytest.mark.parametrize(
    "name", ["", "2026Q5", "2026Q0", "2026H3", "2026-13", "2026-00", "26Q1", "0000", "2026Q4 ", "x"]
)
def test_other_names_are_refused(name):
    with pytest.raises(UsageError, match="An epoch looks like 2026-11, 2026Q4, 2026H2 or 2026"):
        read_epoch(name)


def test_other_lengths_are_refused():
    with pytest.raises(UsageError, match="An epoch is a month, quarter, half-year, year, got 'week'"):
        epoch_of(DAY, "week")


def test_a_key_outlives_its_epoch_by_the_overlap():
    assert not_after(epoch_of(DAY)) == date(2027, 1, 30)
    assert not_after(epoch_of(DAY), 0) == date(2026, 12, 31)
    with pytest.raises(UsageError, match="overlap_days must be 0 or more, got -1"):
        not_after(epoch_of(DAY), -1)


def test_a_partner_has_a_key_per_epoch(ring):
    key = epoch_key(ring, "partner", "adnet", DAY, **QUARTER)
    assert (key.purpose, key.not_after) == ("partner/adnet/2026Q4", date(2027, 1, 30))
    assert epoch_key(ring, "partner", "adnet", date(2026, 10, 1), **QUARTER) == key
    others = [
        epoch_key(ring, "partner", "adnet", date(2027, 1, 1), **QUARTER),
        epoch_key(ring, "partner", "other", DAY, **QUARTER),
        epoch_key(ring, "pair", "adnet", DAY, **QUARTER),
        epoch_key(ring, "partner", "adnet", DAY, length="month", overlap_days=0),
    ]
    assert len({key.secret, *(other.secret for other in others)}) == 5


def test_an_epoch_without_its_key_is_told_where_there_must_be_one(ring):
    with pytest.raises(
        KeyRingError, match="has no key for partner/adnet/2026Q4, but the lake holds data made with one"
    ):
        epoch_key(ring, "partner", "adnet", DAY, may_make=False, **QUARTER)


def test_a_destroyed_epoch_stays_destroyed(ring):
    epoch_key(ring, "partner", "adnet", DAY, **QUARTER)
    ring.destroy("partner/adnet/2026Q4")
    with pytest.raises(KeyRingError, match="partner/adnet/2026Q4 was destroyed on 2026-11-23; that is final"):
        epoch_key(ring, "partner", "adnet", DAY, **QUARTER)


def test_a_key_that_ends_before_its_epoch_is_refused_from_then_on(ring):
    ring.key("partner/adnet/2026Q4", not_after=date(2026, 11, 22))
    with pytest.raises(KeyRingError, match="was for use until 2026-11-22, not on 2026-11-23"):
        epoch_key(ring, "partner", "adnet", DAY, **QUARTER)


def test_the_former_key_reads_late_reports_until_its_last_day(ring):
    assert former_key(ring, "partner", "adnet", DAY, length="quarter") is None
    key = epoch_key(ring, "partner", "adnet", date(2026, 9, 30), **QUARTER)
    assert former_key(ring, "partner", "adnet", date(2026, 10, 30), length="quarter") == key
    assert former_key(ring, "partner", "adnet", date(2026, 10, 31), length="quarter") is None
    assert former_key(ring, "partner", "adnet", date(2026, 9, 30), length="quarter") is None
    ring.destroy(key.purpose)
    assert former_key(ring, "partner", "adnet", date(2026, 10, 30), length="quarter") is None


@pytest.mark.parametrize(
    ("purpose", "day"),
    [
        ("partner/adnet/2026Q4", date(2027, 1, 30)),
        ("pair/adnet/2026", date(2027, 1, 30)),
        ("pair/adnet/shared-2026-03-01", None),
        ("shared/2026Q4", None),
        ("subject", None),
    ],
)
def test_keys_of_epochs_end_also_where_no_last_day_is_written(purpose, day):
    assert last_day_of(purpose) == day
