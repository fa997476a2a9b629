import json
import os
import stat
import threading

import pytest

from jobs.errors import KeyRingError
from jobs.privacy.keyring import SUBJECT, KeyRing, partner_purpose


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "keyring.json"


def test_a_key_is_made_once_and_only_its_owner_may_read_it(path):
    key = KeyRing(path).key(SUBJECT)
    assert len(key.secret) == 32
    assert KeyRing(path).key(SUBJECT) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_purpose_has_a_key_of_its_own(path):
    ring = KeyRing(path)
    purposes = [SUBJECT, partner_purpose("a", "2026Q1"), partner_purpose("a", "2026Q2"), partner_purpose("b", "2026Q1")]
    assert len({ring.key(purpose).secret for purpose in purposes}) == len(purposes)


def test_printing_a_key_shows_no_secret(path):
    key = KeyRing(path).key(SUBJECT)
    assert repr(key) == str(key) == f"Key(purpose='subject', key_id='{key.key_id}')"


def test_a_ring_that_others_may_read_is_refused(path):
    KeyRing(path).key(SUBJECT)
    path.chmod(0o640)
    with pytest.raises(KeyRingError, match=r"may be read by others \(mode 0640\); run 'chmod 600' on it"):
        KeyRing(path).key(SUBJECT)


@pytest.mark.parametrize("content", ["", "[]", '{"keys": 3}', "{"])
def test_a_file_that_is_no_ring_is_never_overwritten(path, content):
    path.parent.mkdir()
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyRingError, match="is not a key ring"):
        KeyRing(path).key(SUBJECT)
    assert path.read_text() == content


def test_a_destroyed_key_stays_destroyed(path):
    KeyRing(path).key(SUBJECT)
    ring = json.loads(path.read_text())
    ring["keys"][0].update(destroyed_at="2026-03-02T00:00:00+00:00", secret="")
    path.write_text(json.dumps(ring))
    with pytest.raises(KeyRingError, match="was destroyed on 2026-03-02; that is final"):
        KeyRing(path).key(SUBJECT)


def test_first_uses_at_once_agree_on_one_key(path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(KeyRing(path).key(SUBJECT).secret)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert sorted(os.listdir(path.parent)) == ["keyring.json", "keyring.lock"]
