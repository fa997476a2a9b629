"""Keys of a PAIR exchange live as long as the protocol says, and no longer."""

import base64
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.keyring import KeyRing
from jobs.privacy.pair.keys import (
    find_own_key,
    find_scope,
    find_shared_secret,
    find_window,
    put_shared_secret,
    read_secret,
)

DAY = date(2026, 3, 9)
SECRET = bytes(range(32))
days = st.dates(date(2000, 1, 1), date(2100, 1, 1))


@pytest.fixture
def ring(tmp_path):
    return KeyRing(tmp_path / "keys" / "keyring.json", clock=lambda: datetime(2026, 3, 9, tzinfo=UTC))


@given(day=days, length=st.integers(1, 400))
def test_windows_are_of_one_length_and_follow_each_other(day, length):
    window = find_window(day, length)
    assert window.first <= day <= window.last
    assert (window.last - window.first).days == length - 1
    assert find_window(window.last, length) == window
    assert find_window(window.last + timedelta(days=1), length).first == window.last + timedelta(days=1)


def test_the_first_days_of_the_calendar_have_a_window():
    assert find_window(date.min, 180).first == date.min


def test_our_key_is_the_same_for_180_days_and_is_kept_for_30_more(ring):
    first = find_window(DAY, 180).first
    keys = [find_own_key(ring, "news", first + timedelta(days=number), may_make=True) for number in (0, 179, 180)]
    assert keys[0].key_id == keys[1].key_id != keys[2].key_id
    assert keys[0].not_after == first + timedelta(days=179 + 30)
    assert keys[0].purpose == f"pair/news/{first}"


def test_every_partner_has_a_key_of_its_own(ring):
    one, other = (find_own_key(ring, name, DAY, may_make=True) for name in ("news", "news-de"))
    assert one.secret != other.secret


def test_a_key_that_must_be_there_is_not_made(ring):
    with pytest.raises(KeyRingError, match="has no key for pair/news/"):
        find_own_key(ring, "news", DAY, may_make=False)
    assert ring.entries() == ()


def test_a_shared_secret_holds_for_30_days(ring):
    entry = put_shared_secret(ring, "news", SECRET, DAY)
    assert entry.not_after == DAY + timedelta(days=29)
    for number in (0, 29):
        assert find_shared_secret(ring, "news", DAY + timedelta(days=number)).secret == SECRET
    for number in (-1, 30):
        with pytest.raises(KeyRingError, match=r"There is no secret shared with news .*one holds for 30 days"):
            find_shared_secret(ring, "news", DAY + timedelta(days=number))


def test_the_latest_secret_that_has_begun_is_used(ring):
    for number in (0, 10, 20):
        put_shared_secret(ring, "news", bytes([number] * 32), DAY + timedelta(days=number))
    put_shared_secret(ring, "news-de", SECRET, DAY + timedelta(days=14))
    found = {number: find_shared_secret(ring, "news", DAY + timedelta(days=number)).secret[0] for number in (9, 15, 45)}
    assert found == {9: 0, 15: 10, 45: 20}


def test_a_destroyed_secret_is_not_replaced_by_an_older_one(ring):
    put_shared_secret(ring, "news", SECRET, DAY)
    put_shared_secret(ring, "news", bytes(32), DAY + timedelta(days=1))
    ring.destroy(f"pair/news/shared-{DAY + timedelta(days=1)}")
    with pytest.raises(KeyRingError, match="was destroyed"):
        find_shared_secret(ring, "news", DAY + timedelta(days=2))


def test_another_secret_for_the_same_days_is_refused(ring):
    put_shared_secret(ring, "news", SECRET, DAY)
    put_shared_secret(ring, "news", SECRET, DAY)
    with pytest.raises(KeyRingError, match="has another key"):
        put_shared_secret(ring, "news", bytes(32), DAY)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_of_another_length_is_refused(ring, length):
    with pytest.raises(KeyRingError, match=f"A key has 32 bytes, got {length}"):
        put_shared_secret(ring, "news", bytes(length), DAY)


def test_lists_are_matched_within_the_days_of_their_shared_secret(ring):
    put_shared_secret(ring, "news", SECRET, DAY)
    assert find_scope(ring, "news", DAY + timedelta(days=29)) == DAY
    assert find_scope(ring, "neutral", DAY) == find_window(DAY, 30).first


@given(secret=st.binary(min_size=32, max_size=32))
def test_a_secret_is_read_from_base64_and_from_hex(secret):
    for text in (secret.hex(), secret.hex().upper(), base64.b64encode(secret).decode()):
        assert read_secret(f" {text}\n") == secret


@pytest.mark.parametrize("text", ["", "hunter22", "ab" * 31, "zz" * 32, base64.b64encode(bytes(33)).decode(), "?" * 44])
def test_what_is_no_secret_is_refused_and_not_repeated(text):
    with pytest.raises(UsageError, match="this file holds something else") as caught:
        read_secret(text)
    assert not text or text not in str(caught.value)
