"""``sophilux audit leaks``: what it prints, and how it ends."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from jobs.cli.commands import app
from jobs.lake.storage import join

CANARY = "canary-Zq81-Xw40"


def call(home, *args):
    return CliRunner().invoke(app, ["audit", "leaks", "--home", str(home), *map(str, args)])


@pytest.fixture
def home(lake) -> Path:
    """A lake with one empty table: two commits and no row."""
    lake.drop_partitions("lake.orders", [])
    return Path(lake.home)


@pytest.fixture
def canaries(tmp_path) -> Path:
    file = tmp_path / "canaries.txt"
    file.write_text(f"{CANARY}\n\ncanary-Aa00-Bb11\n")
    return file


def test_a_clean_lake_ends_with_0_and_says_what_was_read(home, canaries):
    done = call(home, "--canary", canaries)
    assert done.exit_code == 0, done.output
    assert "Nothing was found. 2 files" in done.stdout
    assert "Searched for 2 × canary" in done.stdout
    assert "0 files in zones for personal data" in done.stdout


def test_a_leak_ends_with_1_and_is_told_without_being_shown(home, canaries):
    parquet.write_table(pa.table({"note": [f"x {CANARY} x"]}), home / "lake/orders/part-0.parquet")
    done = call(home, "--canary", canaries)
    assert done.exit_code == 1
    (line,) = [line for line in done.stdout.splitlines() if "column note, row group 0" in line]
    assert line.split()[:3] == ["lake/orders/part-0.parquet", "old", "or"]
    assert CANARY.lower() not in done.output.lower()


def test_json_holds_the_findings_and_what_was_read(home, canaries):
    (home / "exports").mkdir()
    (home / "exports" / "list.csv").write_text("a\nsomebody@example.com\n")
    done = call(home, "--canary", canaries, "--format", "json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["findings"] == [
        {"file": "exports/list.csv", "part": "line 2", "kind": "e-mail address", "times": 1, "version": ""}
    ]
    assert report["summary"]["files"] == 3
    assert report["summary"]["searched"] == {"canary": 2}


def test_zones_for_personal_data_are_counted_and_not_read(home):
    folder = Path(join(str(home), "landing", "clickstream"))
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("somebody@example.com")
    done = call(home)
    assert done.exit_code == 0
    assert "1 files in zones for personal data" in done.stdout


def test_what_may_stand_anywhere_is_listed_in_a_file(home, tmp_path, canaries):
    parquet.write_table(pa.table({"note": [CANARY]}), home / "lake/orders/part-0.parquet")
    allowed = tmp_path / "allowed.txt"
    allowed.write_text(CANARY.lower())
    assert call(home, "--canary", canaries).exit_code == 1
    assert call(home, "--canary", canaries, "--allow", allowed).exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"canary-4711-4712\nabc\n", "too short is number 2"),
        (b"\xff\xfe\x00", "cannot be read as UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_canary_file_that_is_none_ends_with_2(home, tmp_path, content, said):
    file = tmp_path / "bad.txt"
    if content is not None:
        file.write_bytes(content)
    done = call(home, "--canary", file)
    assert done.exit_code == 2
    assert said in done.output


def test_a_home_that_is_not_there_ends_with_2(tmp_path):
    done = call(tmp_path / "nothing")
    assert done.exit_code == 2
    assert "There is no lake" in done.output


def test_the_group_has_help():
    done = CliRunner().invoke(app, ["audit", "--help"])
    assert done.exit_code == 0
    assert "leaks" in done.stdout
