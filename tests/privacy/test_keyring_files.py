"""The ring's file: nobody else reads it, it is there as a whole, and a crash leaves no second copy of a secret."""

import os
import stat

import pytest

from jobs.errors import KeyRingError
from jobs.privacy.keyring import SUBJECT, KeyRing


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "keyring.json"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o601, 0o777])
def test_any_right_of_others_is_refused(path, mode):
    KeyRing(path).key(SUBJECT)
    path.chmod(mode)
    with pytest.raises(KeyRingError, match=rf"may be read by others \(mode 0{mode:o}\); run 'chmod 600' on it"):
        KeyRing(path).entries()


def test_a_ring_that_cannot_be_read_is_told_and_not_made_anew(path):
    path.mkdir(parents=True)
    with pytest.raises(
        KeyRingError, match=r"keyring.json cannot be read \(Is a directory\); check SOPHILUX_KEYRING_FILE"
    ):
        KeyRing(path).key(SUBJECT)
    assert path.is_dir()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "keys").write_text("a file where the folder should be")
    with pytest.raises(KeyRingError, match=r"keyring.json cannot be (read|changed) \(Not a directory\)"):
        KeyRing(tmp_path / "keys" / "keyring.json").key(SUBJECT)


def test_drafts_that_a_crash_left_go_with_the_next_change(path):
    KeyRing(path).key(SUBJECT)
    draft, other = path.with_suffix(".0123abcd"), path.with_suffix(".backup")
    for file in (draft, other):
        file.write_text(path.read_text())
    KeyRing(path).destroy(SUBJECT)
    assert sorted(os.listdir(path.parent)) == ["keyring.backup", "keyring.json", "keyring.lock"]


def test_a_crash_before_the_rename_leaves_the_ring_as_it_was(path, monkeypatch):
    key = KeyRing(path).key(SUBJECT)
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="no power"):
        KeyRing(path).destroy(SUBJECT)
    monkeypatch.undo()
    assert KeyRing(path).find(SUBJECT) == key


def fail(*_):
    message = "no power"
    raise OSError(message)


def test_a_link_stays_a_link(path, tmp_path):
    KeyRing(path).key(SUBJECT)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    KeyRing(link).key("partner/a/2026Q4")
    assert link.is_symlink()
    assert len(KeyRing(path).entries()) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
