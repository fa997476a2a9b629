"""A run that is killed leaves no half package, and the next run puts everything right."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.exports import contents as package_contents
from jobs.exports import delivery, packages
from jobs.exports.acknowledgements import acknowledge
from jobs.exports.verification import verify_package
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import open_signer
from tests.conftest import PROJECT

from .conftest import DAY
from .reading import EUROPE, contents, export, folder, ids

CHILD = """
import importlib, sys, time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from jobs.lake import Lake
from jobs.settings import load_settings
from tests.exports.reading import EUROPE, export

home, module, name, marker, out = sys.argv[1:]

def stop(*_, **__):
    Path(marker).touch()
    time.sleep(600)

setattr(importlib.import_module(module), name, stop)
lake = Lake.open(load_settings(home))
with lake.engine:
    export(lake, replace(EUROPE, deliver_to=f"file://{out}"))
"""
BEFORE_ITS_PLACE = [
    ("jobs.exports.packages", "_write_manifest"),
    ("jobs.exports.members", "record_changes"),
    ("jobs.exports.delivery", "put_in_place"),
]
AFTER_ITS_PLACE = [
    ("jobs.exports.delivery", "_rename"),
    ("jobs.exports.register", "record_sent"),
]


def kill_at(lake, tmp_path, module, name):
    """Run an export in a process of its own and kill it when it gets to a function."""
    marker = tmp_path / f"reached-{name}"
    args = [lake.home, module, name, str(marker), str(tmp_path / "out")]
    process = subprocess.Popen([sys.executable, "-c", CHILD, *args], cwd=PROJECT)
    try:
        end = time.monotonic() + 180
        while not marker.exists():
            assert process.poll() is None, "the export ended before it got there"
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def is_genuine(lake, place):
    return verify_package(place, open_signer(open_keyring(lake.settings)).public_key).failures == []


def check_healed(lake, out):
    """After one more run everything is as if nothing had happened."""
    export(lake, replace(EUROPE, deliver_to=f"file://{out}"), DAY)
    assert is_genuine(lake, folder(lake))
    assert contents(out / str(DAY)) == contents(folder(lake))
    assert [path.name for path in folder(lake).parent.iterdir()] == [str(DAY)]
    (entry,) = lake.read_records("ledger.exports")
    assert entry["state"] == "sent"
    assert acknowledge(lake, EUROPE.name, DAY)
    assert {row["ad_id"] for row in lake.read_records("ledger.audience_members")} == ids(lake)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), BEFORE_ITS_PLACE)
def test_killed_before_its_place_there_is_no_package(shop, tmp_path, module, name):
    kill_at(shop, tmp_path, module, name)
    assert not folder(shop).exists()
    assert not (tmp_path / "out" / str(DAY)).exists()
    assert shop.count("ledger.exports") == 0
    check_healed(shop, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), AFTER_ITS_PLACE)
def test_killed_on_the_way_the_package_is_whole_or_absent(shop, tmp_path, module, name):
    kill_at(shop, tmp_path, module, name)
    assert is_genuine(shop, folder(shop))
    delivered = tmp_path / "out" / str(DAY)
    if name == "_rename":
        assert "manifest.json" not in contents(delivered)
    else:
        assert is_genuine(shop, delivered)
    assert shop.count("ledger.exports") == 0
    check_healed(shop, tmp_path / "out")


@pytest.mark.slow
def test_a_killed_second_run_leaves_the_first_package(shop, tmp_path):
    export(shop, EUROPE, DAY)
    before = contents(folder(shop))
    kill_at(shop, tmp_path, "jobs.exports.delivery", "put_in_place")
    assert contents(folder(shop)) == before
    check_healed(shop, tmp_path / "out")


@pytest.mark.slow
def test_the_draft_of_a_killed_run_does_not_outlive_the_next_days_run(shop, tmp_path):
    """Its shards are in the clear also where the package is to be encrypted."""
    kill_at(shop, tmp_path, "jobs.exports.packages", "_write_manifest")
    (left,) = folder(shop).parent.iterdir()
    assert list(left.glob("additions-*"))
    export(shop, EUROPE, DAY + timedelta(days=1))
    assert [path.name for path in folder(shop).parent.iterdir()] == [str(DAY + timedelta(days=1))]


@pytest.mark.parametrize(
    ("module", "name"), [(package_contents, "measure_file"), (packages, "digest_manifest"), (delivery, "put_in_place")]
)
def test_a_failure_anywhere_leaves_nothing_half_written(shop, monkeypatch, module, name):
    monkeypatch.setattr(module, name, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(shop, EUROPE, DAY)
    assert list(folder(shop).parent.iterdir()) == []
    assert not list(Path(shop.home, ".scratch").iterdir())
    assert shop.count("ledger.exports") == 0
