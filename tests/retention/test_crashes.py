"""A run that is killed at any point is finished by the next; one that may not remove files says so and is finished too."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jobs.errors import PlanError, SophiluxError
from jobs.lake import Days, Lake, pending
from jobs.retention import ages, shelf
from jobs.retention.applying import apply_plan
from jobs.retention.approvals import approve_plan
from jobs.retention.planning import make_plan

from .conftest import DAY, ROWS, fill, list_data_files

KILLED = """
import os, signal, sys
from jobs.lake import Lake, commits
from jobs.retention import applying, tidying
from jobs.settings import load_settings

home, name, point, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
calls = []

def die_at(original, before):
    def call(*args, **kwargs):
        if before and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        done = original(*args, **kwargs)
        calls.append(1)
        if not before and len(calls) > number:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call

if point == "commit":
    commits.swap = die_at(commits.swap, before=False)
elif point == "record":
    applying._run_row = die_at(applying._run_row, before=True)
else:
    Lake.vacuum = die_at(Lake.vacuum, before=point == "vacuum")
applying.apply_plan(Lake.open(load_settings(home)), name)
"""
LEFT = {"landing.clickstream": 2, "marts.bestsellers": 1, "lake.subjects": 3, "lake.parcels": 1}


@pytest.fixture
def planned(aged):
    name = shelf.keep_plan(aged, make_plan(aged, DAY))
    approve_plan(aged, name, by="the tests")
    return name


def check_finished(lake, name):
    assert {table: lake.count(table) for table in ROWS} == LEFT
    for table in ROWS:
        current = sorted(path.rpartition("/")[2] for path in lake.current_files(table))
        assert list_data_files(lake, table) == current
    assert pending.list_pending(lake.home) == []
    assert shelf.find_entry(lake, name)["state"] == "applied"


@pytest.mark.parametrize(
    ("point", "number"),
    [("commit", 0), ("record", 3), ("vacuum", 2), ("vacuumed", 1)],
)
def test_a_killed_run_is_finished_by_the_same_plan(aged, planned, point, number):
    command = [sys.executable, "-c", KILLED, aged.home, planned, point, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr[-2000:]
    assert shelf.find_entry(aged, planned)["state"] == "applying"
    assert apply_plan(aged, planned).rows == 5
    check_finished(aged, planned)


def test_a_killed_run_is_finished_by_the_next_one_too(aged, planned):
    command = [sys.executable, "-c", KILLED, aged.home, planned, "commit", "1"]
    subprocess.run(command, capture_output=True, timeout=120, check=False)
    later = shelf.keep_plan(aged, make_plan(aged, DAY))
    approve_plan(aged, later, by="the tests")
    apply_plan(aged, later)
    check_finished(aged, later)
    with pytest.raises(PlanError):
        apply_plan(aged, planned)


UNWRITABLE = """
import os, pathlib, sys
from jobs.lake import Lake
from jobs.retention import applying
from jobs.settings import load_settings

home, name, folder, user = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4])
lake = Lake.open(load_settings(home))
import deltalake, pyarrow.fs, pyarrow.parquet, cryptography.hazmat.primitives.hashes
if user:
    for path in (pathlib.Path(home), *pathlib.Path(home).rglob("*")):
        os.chown(path, user, user)
os.chmod(folder, 0o555)
if user:
    os.setuid(user)
try:
    applying.apply_plan(lake, name)
except Exception as error:
    print(type(error).__name__, error)
"""
NOBODY = 65_534


def test_a_folder_that_may_not_be_written_is_told_and_the_next_run_finishes(settings, engine, contracts):
    """Files of the old day cannot be removed; as root the process becomes nobody, whom permissions bind."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        lake = Lake(settings.model_copy(update={"home": f"{place}/shop"}), engine, contracts)
        fill(lake, "landing.clickstream", ROWS["landing.clickstream"])
        name = shelf.keep_plan(lake, make_plan(lake, DAY))
        approve_plan(lake, name, by="the tests")
        (file,) = [f for f in lake.list_files("landing.clickstream") if f.partition == "2024-05-29"]
        folder = Path(lake.location("landing.clickstream"), file.path).parent
        user = NOBODY if os.geteuid() == 0 else 0
        command = [sys.executable, "-c", UNWRITABLE, lake.home, name, str(folder), str(user)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        folder.chmod(0o755)
        assert "SophiluxError Removed rows are in no table any more" in done.stdout, done.stderr[-2000:]
        assert "landing.clickstream: Permission denied" in done.stdout
        entry = shelf.find_entry(lake, name)
        assert (entry["state"], lake.count("landing.clickstream")) == ("cleaning", 2)
        assert "Permission denied" in entry["reason"]
        assert folder.exists()
        assert pending.list_pending(lake.home) == ["landing.clickstream"]
        ages.run(lake, Days.single(DAY))
        assert len(list_data_files(lake, "landing.clickstream")) == 2
        assert pending.list_pending(lake.home) == []
        assert {row["state"] for row in shelf.list_entries(lake)} == {"applied"}


def test_one_table_that_cannot_be_cleaned_stops_no_other(aged, planned, monkeypatch):
    original = Lake.vacuum

    def fail(self, table, **options):
        if table == "lake.parcels":
            message = "Generic LocalFileSystem error\n  Permission denied (os error 13)\n"
            raise OSError(message)
        return original(self, table, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "vacuum", fail)
        with pytest.raises(SophiluxError, match=r"\(lake\.parcels: Permission denied \(os error 13\)\)"):
            apply_plan(aged, planned)
    assert pending.list_pending(aged.home) == ["lake.parcels"]
    assert len(list_data_files(aged, "landing.clickstream")) == 2
