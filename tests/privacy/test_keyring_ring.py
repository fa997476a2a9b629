"""What a ring promises whatever keeps it: keys are made once, replaced, limited, and destroyed for good."""

import base64
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.keyring import SHUFFLE, SIGNING, SUBJECT, KeyRing, pair_purpose, partner_purpose, shared_purpose
from jobs.privacy.keyring.content import Entry, read_ring, write_ring
from jobs.privacy.keyring.keys import KeyEntry

NOW = datetime(2026, 11, 23, 12, 30, 15, 999, tzinfo=UTC)
PARTNER = partner_purpose("adnet-eu", "2026Q4")
LAST = date(2027, 1, 30)
SECRET = bytes(range(100, 132))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "keyring.json"


@pytest.fixture
def ring(path):
    return KeyRing(path, clock=lambda: NOW)


def written(path):
    return {entry["purpose"]: entry for entry in json.loads(path.read_text())["keys"]}


def rewrite(path, of, changes):
    document = json.loads(path.read_text())
    for entry in document["keys"]:
        if entry["purpose"] == of:
            entry.update(changes)
    path.write_text(json.dumps(document))


def test_an_entry_tells_all_but_the_secret(ring):
    key = ring.key(PARTNER, not_after=LAST)
    (entry,) = ring.entries()
    assert entry == KeyEntry(PARTNER, key.key_id, NOW.replace(microsecond=0), LAST, None)
    assert (key.created, key.not_after) == (entry.created, LAST)


def test_a_ring_of_the_first_version_is_read(ring, path):
    path.parent.mkdir(mode=0o700)
    old = {
        "purpose": PARTNER,
        "id": "0a1b2c3d",
        "created": "2026-01-02T03:04:05+00:00",
        "not_after": None,
        "destroyed_at": None,
        "secret": base64.b64encode(SECRET).decode(),
    }
    path.write_text(json.dumps({"version": 1, "keys": [old]}))
    path.chmod(0o600)
    assert ring.key(PARTNER).secret == SECRET
    assert ring.key(PARTNER, not_after=LAST).not_after == LAST
    assert ring.find(PARTNER).secret == SECRET
    assert ring.key(PARTNER, not_after=date(2030, 1, 1)).not_after == LAST


def test_a_key_is_refused_after_its_last_day(ring):
    ring.key(PARTNER, not_after=LAST)
    assert ring.key(PARTNER, on=LAST)
    for use in (ring.key, ring.find):
        with pytest.raises(
            KeyRingError,
            match=r"partner/adnet-eu/2026Q4 was for use until 2027-01-30, not on 2027-01-31; use the key of",
        ):
            use(PARTNER, on=date(2027, 1, 31))


def test_finding_a_key_makes_none(ring, path):
    assert ring.find(SUBJECT) is None
    assert not path.exists()


def test_a_destroyed_key_is_gone_and_its_purpose_never_gets_another(ring, path):
    key = ring.key(PARTNER, not_after=LAST)
    ring.key(SUBJECT)
    gone = ring.destroy(PARTNER)
    assert gone.destroyed_at == NOW.replace(microsecond=0)
    assert base64.b64encode(key.secret).decode() not in path.read_text()
    assert written(path)[PARTNER]["secret"] == ""
    assert written(path)[PARTNER]["check"] is None
    assert ring.find(PARTNER) is None
    assert ring.find(SUBJECT) is not None
    for attempt in (ring.key, lambda purpose: ring.put(purpose, SECRET)):
        with pytest.raises(KeyRingError, match="partner/adnet-eu/2026Q4 was destroyed on 2026-11-23; that is final"):
            attempt(PARTNER)
    assert ring.entries()[0] == gone


def test_destroying_twice_changes_nothing(path):
    ring = KeyRing(path, clock=lambda: NOW)
    ring.key(PARTNER)
    first = ring.destroy(PARTNER)
    before = path.read_bytes()
    assert KeyRing(path).destroy(PARTNER) == first
    assert path.read_bytes() == before


def test_there_is_nothing_to_destroy_where_there_is_no_key(ring, path):
    with pytest.raises(UsageError, match="has no key for partner/other/2026Q4; 'sophilux keys list' lists the keys"):
        ring.destroy("partner/other/2026Q4")
    assert not path.exists()


@pytest.mark.parametrize("purpose", [SIGNING, SHUFFLE])
def test_rotating_makes_a_new_key_and_destroys_the_former(ring, path, purpose):
    former = ring.key(purpose)
    new = ring.rotate(purpose)
    assert ring.find(purpose).key_id == new.key_id != former.key_id
    assert base64.b64encode(former.secret).decode() not in path.read_text()
    assert {entry.key_id: entry.destroyed_at is None for entry in ring.entries()} == {
        former.key_id: False,
        new.key_id: True,
    }
    assert ring.rotate(purpose).key_id == ring.key(purpose).key_id


def test_rotating_what_has_no_key_yet_makes_one(ring):
    assert ring.rotate(SIGNING).key_id == ring.key(SIGNING).key_id


@pytest.mark.parametrize("purpose", [SUBJECT, PARTNER, shared_purpose("x"), pair_purpose("x", "2026Q4"), "budget"])
def test_other_keys_are_not_replaced(ring, purpose):
    key = ring.key(purpose)
    with pytest.raises(UsageError, match="Only the keys for signing and shuffle are replaced"):
        ring.rotate(purpose)
    assert ring.key(purpose) == key


def test_a_destroyed_signing_key_is_not_rotated_back(ring):
    ring.key(SIGNING)
    ring.destroy(SIGNING)
    with pytest.raises(KeyRingError, match="that is final"):
        ring.rotate(SIGNING)


def test_a_shared_key_is_taken_in_once_and_replaced_only_when_asked(ring, path):
    purpose = shared_purpose("loyalty")
    entry = ring.put(purpose, SECRET)
    assert ring.put(purpose, SECRET) == entry
    other = SECRET[::-1]
    with pytest.raises(KeyRingError, match="has another key for shared/loyalty; nothing was changed"):
        ring.put(purpose, other)
    assert ring.find(purpose).secret == SECRET
    new = ring.put(purpose, other, may_replace=True)
    assert ring.find(purpose).secret == other
    assert new.key_id != entry.key_id
    assert base64.b64encode(SECRET).decode() not in path.read_text()


def test_only_shared_keys_are_replaced_by_another(ring):
    ring.put(SUBJECT, SECRET)
    with pytest.raises(KeyRingError, match="has another key for subject"):
        ring.put(SUBJECT, SECRET[::-1], may_replace=True)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(ring, length):
    with pytest.raises(KeyRingError, match=f"A key has 32 bytes, got {length} for shared/x"):
        ring.put(shared_purpose("x"), bytes(length))


@pytest.mark.parametrize("purpose", ["", "/", "partner//2026Q4", "../subject", "a\nb", "partner/a/b/c", "ключ"])
def test_a_purpose_is_a_plain_name(ring, path, purpose):
    with pytest.raises(KeyRingError, match="purpose looks like partner/name/2026Q4"):
        ring.key(purpose)
    assert not path.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "ffffffff"}, "is not as it was made"),
        ({"not_after": "2030-01-01"}, "is not as it was made"),
        ({"created": "2020-01-01T00:00:00+00:00"}, "is not as it was made"),
        ({"secret": base64.b64encode(bytes(32)).decode()}, "is not as it was made"),
        ({"secret": base64.b64encode(bytes(31)).decode()}, "is not as it was made"),
        ({"secret": "not Base64"}, "is not as it was made"),
        ({"secret": ""}, "is alive without a secret"),
        ({"secret": 7}, "key 1 is incomplete"),
        ({"purpose": ["subject"]}, "key 1 is incomplete"),
        ({"purpose": "line\nbreak"}, "key 1 is incomplete"),
        ({"id": "0A1B2C3D"}, "key 1 is incomplete"),
        ({"created": "yesterday"}, "key 1 is incomplete"),
        ({"created": None}, "key 1 is incomplete"),
        ({"not_after": 3}, "key 1 is incomplete"),
        ({"destroyed_at": "2026-01-01T00:00:00+00:00"}, "is destroyed but has a secret"),
    ],
)
def test_a_ring_that_was_changed_is_refused(ring, path, changes, said):
    ring.key(PARTNER, not_after=LAST)
    rewrite(path, PARTNER, changes)
    before = path.read_bytes()
    with pytest.raises(KeyRingError, match=said) as error:
        ring.key(PARTNER)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before


def test_a_key_put_in_anothers_place_is_refused(ring, path):
    ring.key(SUBJECT)
    ring.key(PARTNER)
    secrets = {purpose: (entry["secret"], entry["check"]) for purpose, entry in written(path).items()}
    for taken, (secret, check) in ((SUBJECT, secrets[PARTNER]), (PARTNER, secrets[SUBJECT])):
        rewrite(path, taken, {"secret": secret, "check": check})
    for purpose in (SUBJECT, PARTNER):
        with pytest.raises(KeyRingError, match=f"for {purpose} is not as it was made; restore it from your backup"):
            ring.key(purpose)


def test_two_keys_for_one_purpose_or_under_one_id_are_refused(ring, path):
    ring.key(SUBJECT)
    document = json.loads(path.read_text())
    document["keys"] *= 2
    path.write_text(json.dumps(document))
    with pytest.raises(KeyRingError, match=r"subject has 2 keys; 2 keys have the id [0-9a-f]{8}; restore"):
        ring.key(SUBJECT)


def test_a_ring_of_a_newer_program_is_left_alone(ring, path):
    ring.key(SUBJECT)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "version": 2}))
    with pytest.raises(KeyRingError, match="of version 2, this program reads 1"):
        ring.key(SUBJECT)


def test_no_error_holds_a_secret_in_its_arguments_causes_or_frames(ring, path):
    """A debugger or an error reporter shows the local variables of every frame, and what an error was caused by."""
    secret = ring.key(PARTNER, not_after=LAST).secret
    text = base64.b64encode(secret).decode()
    good = path.read_text()
    broken = (good[:-2], good.replace('"version": 1', '"version": 9'), good.replace('"id"', '"no"'),
              good.replace("2027-01-30", "2027-01-31"), good.replace(PARTNER, SUBJECT))  # fmt: skip
    for content in broken:
        path.write_text(content)
        with pytest.raises(KeyRingError) as caught:
            ring.key(SUBJECT if SUBJECT in content else PARTNER)
        seen = list(everything_in(caught.value))
        assert len(seen) > 5
        assert not [part for part in seen if text in part or repr(secret) in part]


def everything_in(error):
    """Arguments, attributes and local variables of an error and of all that it is chained to, as text."""
    while error is not None:
        yield repr(error.args)
        yield repr(vars(error))
        trace = error.__traceback__.tb_next
        while trace is not None:
            yield from (repr(value) for value in trace.tb_frame.f_locals.values())
            trace = trace.tb_next
        error = error.__cause__ or error.__context__


entries = st.builds(
    Entry,
    st.builds(
        KeyEntry,
        st.sampled_from([SUBJECT, SIGNING, PARTNER, "pair/x/2026-03-01"]),
        st.text("0123456789abcdef", min_size=8, max_size=8),
        st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)),
        st.none() | st.dates(),
        st.none(),
    ),
    st.binary(min_size=1).map(lambda secret: base64.b64encode(secret).decode()),
    st.none() | st.text("0123456789abcdef"),
)


@settings(max_examples=50)
@given(st.lists(entries, max_size=4, unique_by=(lambda e: e.public.purpose, lambda e: e.public.key_id)))
def test_what_is_written_is_what_is_read(listed):
    assert read_ring(lambda: write_ring(listed), "The ring") == tuple(listed)


@settings(max_examples=200)
@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["keys", "version", "purpose", "id", "secret", "created", "x"]), inner)).map(json.dumps))  # fmt: skip
def test_any_other_text_is_an_empty_ring_or_one_line_of_error(text):
    found = try_to_read(text)
    assert found == () or "\n" not in str(found)


def try_to_read(text):
    try:
        return read_ring(lambda: text, "The ring")
    except KeyRingError as error:
        return error
