"""Tombstones tell who was erased, and nobody else anything."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.errors import KeyRingError
from jobs.privacy.keyring import TOMBSTONE, open_keyring
from jobs.privacy.tombstones import (
    ORDER,
    SUBJECT,
    find_erased,
    find_tombstones,
    has_tombstones,
    lift_tombstones,
    list_erased,
    set_tombstones,
)

AT = datetime(2024, 1, 31, 12, tzinfo=UTC)
LATER = AT + timedelta(days=3)


def erased(lake, *values, kind=SUBJECT):
    frame = lake.session.createDataFrame([(value,) for value in values], "subject_id string")
    rows = find_erased(lake, frame, kind).toArrow().to_pylist()
    return {row["_erased"]: (row["_erased_at"], row["_lifted_at"]) for row in rows}


def test_there_are_none_before_the_first_erasure(lake):
    assert not has_tombstones(lake)
    assert find_tombstones(lake, {SUBJECT: ["s1"]}) == []
    assert list_erased(lake, SUBJECT, [("s1", AT)]) == set()


def test_who_was_erased_is_told_from_everybody_else(lake):
    set_tombstones(lake, {SUBJECT: ["s1", "s2"], ORDER: ["o1"]}, at=AT)
    assert erased(lake, "s1", "s3", "o1", None, "s1") == {"s1": (AT, None)}
    assert erased(lake, "s1", "o1", kind=ORDER) == {"o1": (AT, None)}
    assert list_erased(lake, SUBJECT, [("s1", LATER), ("s3", AT)]) == {("s1", LATER)}


def test_a_second_time_changes_nothing(lake):
    for _ in range(2):
        set_tombstones(lake, {SUBJECT: ["s1"]}, at=AT)
    assert lake.count("ledger.tombstones") == 1
    version = lake.version("ledger.tombstones")
    set_tombstones(lake, {SUBJECT: ["s1"]}, at=AT + timedelta(hours=1))
    assert lake.version("ledger.tombstones") == version
    assert find_tombstones(lake, {SUBJECT: ["s1"]})[0]["erased_at"] == AT


def test_a_lifted_tombstone_lets_in_what_happened_since(lake):
    set_tombstones(lake, {SUBJECT: ["s1", "s2"]}, at=AT)
    lift_tombstones(lake, {SUBJECT: {"s1": LATER}})
    assert erased(lake, "s1", "s2") == {"s1": (AT, LATER), "s2": (AT, None)}
    before = LATER - timedelta(seconds=1)
    asked = [("s1", LATER), ("s1", before), ("s2", LATER)]
    assert list_erased(lake, SUBJECT, asked) == {("s1", before), ("s2", LATER)}


def test_nothing_from_before_the_erasure_lifts_it(lake):
    set_tombstones(lake, {SUBJECT: ["s1"]}, at=AT)
    lift_tombstones(lake, {SUBJECT: {"s1": AT - timedelta(days=1)}})
    assert erased(lake, "s1") == {"s1": (AT, None)}


@pytest.mark.parametrize("again", [LATER, LATER + timedelta(days=1)])
def test_whoever_is_erased_again_stays_away_again(lake, again):
    set_tombstones(lake, {SUBJECT: ["s1"]}, at=AT)
    lift_tombstones(lake, {SUBJECT: {"s1": AT + timedelta(hours=1)}})
    set_tombstones(lake, {SUBJECT: ["s1"]}, at=again)
    assert erased(lake, "s1") == {"s1": (again, None)}
    assert list_erased(lake, SUBJECT, [("s1", again + timedelta(days=9))])


def test_nothing_in_the_lake_tells_whose_tombstone_it_is(lake):
    name = "0123456789abcdef0123456789abcdef"
    set_tombstones(lake, {SUBJECT: [name]}, at=AT)
    found = list(Path(lake.location("ledger.tombstones")).rglob("*"))
    assert any(path.suffix == ".parquet" for path in found)
    for path in found:
        assert not path.is_file() or name.encode() not in path.read_bytes()


def test_without_their_key_there_is_an_error_and_no_other_key(lake):
    set_tombstones(lake, {SUBJECT: ["s1"]}, at=AT)
    open_keyring(lake.settings).destroy(TOMBSTONE)
    with pytest.raises(KeyRingError, match="The key for tombstone was destroyed"):
        erased(lake, "s1")
