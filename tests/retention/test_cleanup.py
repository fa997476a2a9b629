"""What crashes leave behind goes after a day."""

import os
import time
from pathlib import Path

from jobs.lake import pending
from jobs.retention import cleanup


def make_folder(path, age_seconds):
    path.mkdir(parents=True)
    (path / "part.parquet").write_bytes(b"x")
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path


def test_old_leftovers_go_and_those_of_running_work_stay(tmp_path):
    home = tmp_path / "shop"
    old = make_folder(home / ".scratch" / "old", 90_000)
    running = make_folder(home / ".scratch" / "running", 60)
    half = make_folder(home / "exports" / "adnet" / ".2024-01-01.ab", 90_000)
    package = make_folder(home / "exports" / "adnet" / "2024-01-01", 90_000)
    assert sorted(cleanup.remove_leftovers(str(home))) == sorted(map(str, (old, half)))
    assert [path.exists() for path in (old, running, half, package)] == [False, True, False, True]


def test_a_home_without_folders_has_no_leftovers(tmp_path):
    assert cleanup.remove_leftovers(str(tmp_path / "none")) == []


def test_packages_without_a_manifest_are_found_too(tmp_path):
    make_folder(tmp_path / "exports" / "adnet" / "2024-01-01", 0)
    make_folder(tmp_path / "exports" / "adnet" / "notes", 0)
    found = cleanup.list_packages(str(tmp_path))
    assert [(Path(package.location).name, package.rows, package.bytes) for package in found] == [("2024-01-01", 0, 1)]


def test_a_note_lasts_until_it_is_cleared(tmp_path):
    home = str(tmp_path)
    assert pending.list_pending(home) == []
    pending.mark_pending(home, "lake.clicks")
    assert pending.list_pending(home) == ["lake.clicks"]
    pending.clear_pending(home, "lake.clicks")
    assert pending.list_pending(home) == []
