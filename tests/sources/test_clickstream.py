import gzip
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import fsspec
import pytest

from jobs.errors import SourceError
from jobs.lake import Days
from jobs.settings import Settings
from jobs.sources import clickstream
from tests.sources.landed import PACKINGS, landed, write

TABLE = "landing.clickstream"
DAYS = Days(date(2024, 1, 30), date(2024, 2, 1))
CLICKS = b'{"visitor": "v1"}\n{"visitor": "v2"}\n'


@pytest.fixture
def drops(settings):
    folder = Path(settings.clickstream)
    for day in DAYS:
        (folder / str(day)).mkdir(parents=True)
        write(folder, f"{day}/a.jsonl", CLICKS)
    return folder


@pytest.mark.parametrize("packing", PACKINGS)
def test_lands_every_line_with_its_place(lake, drops, packing):
    source = write(drops, "2024-01-30/10/b.jsonl", CLICKS, packing=packing)
    report = clickstream.run(lake, Days.single(date(2024, 1, 30)))
    assert (report.rows_in, report.rows_out, report.warnings) == (4, 4, [])
    assert landed(lake, TABLE)[0] == {
        "pull_day": date(2024, 1, 30),
        "source": source,
        "line_no": 1,
        "raw": '{"visitor": "v1"}',
        "defect": None,
    }


def test_a_second_run_leaves_the_same_rows(lake, drops):
    clickstream.run(lake, DAYS)
    once = landed(lake, TABLE)
    assert clickstream.run(lake, DAYS).rows_out == len(once) == 6
    assert landed(lake, TABLE) == once


def test_a_file_that_came_late_or_changed_replaces_its_day_only(lake, drops):
    clickstream.run(lake, DAYS)
    others = [file for file in lake.list_files(TABLE) if file.partition != "2024-01-31"]
    write(drops, "2024-01-31/late.jsonl", CLICKS)
    write(drops, "2024-01-31/a.jsonl", b"{}\n")
    clickstream.run(lake, Days.single(date(2024, 1, 31)))
    assert [file for file in lake.list_files(TABLE) if file.partition != "2024-01-31"] == others
    raws = [row["raw"] for row in landed(lake, TABLE) if row["pull_day"] == date(2024, 1, 31)]
    assert raws == ["{}", '{"visitor": "v1"}', '{"visitor": "v2"}']


def test_reads_no_day_outside_the_range(lake, drops):
    os.mkfifo(drops / "2024-01-30" / "would-block.jsonl")
    assert clickstream.run(lake, Days.single(date(2024, 1, 31))).rows_in == 2


def test_a_day_without_files_is_an_empty_partition_and_a_warning(lake, drops):
    clickstream.run(lake, DAYS)
    (drops / "2024-01-31" / "a.jsonl").unlink()
    assert clickstream.run(lake, DAYS).warnings == ["no files for 2024-01-31"]
    assert {row["pull_day"] for row in landed(lake, TABLE)} == {date(2024, 1, 30), date(2024, 2, 1)}


def test_a_location_that_is_not_there_is_a_warning(lake):
    report = clickstream.run(lake, DAYS)
    assert report.rows_out == 0
    assert report.warnings == ["SOPHILUX_CLICKSTREAM_URL: there is no such location; the range is empty"]


def test_files_of_other_kinds_are_named_and_markers_are_not(lake, drops):
    for name in ("_SUCCESS", ".a.jsonl.swp", "notes.xlsx"):
        write(drops, f"2024-01-30/{name}", b"x")
    report = clickstream.run(lake, DAYS)
    assert [warning.partition(":")[0] for warning in report.warnings] == ["2024-01-30/notes.xlsx"]
    assert report.rows_out == 6


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_truncated_file_lands_what_could_be_read_and_warns(lake, drops, packing):
    lines = b"".join(b'{"visitor": "%d"}\n' % (number * 7919) for number in range(50_000))
    (drops / "2024-01-31" / f"a.jsonl{packing}").write_bytes(PACKINGS[packing](lines)[:-2000])
    report = clickstream.run(lake, Days.single(date(2024, 1, 31)))
    rows = [row for row in landed(lake, TABLE) if row["source"].endswith(packing)]
    assert [row["defect"] for row in rows] == [None] * (len(rows) - 1) + ["file ends too early"]
    assert lines.decode().startswith("\n".join(row["raw"] for row in rows))
    assert report.rows_in == report.rows_out == len(rows) + 2
    assert report.warnings == [f"2024-01-31/a.jsonl{packing}: file ends too early; the lines before that were kept"]


def test_a_file_that_is_no_gzip_is_one_row_and_a_warning(lake, drops):
    write(drops, "2024-01-31/a.jsonl.gz", b"never packed")
    report = clickstream.run(lake, Days.single(date(2024, 1, 31)))
    assert [row["defect"] for row in landed(lake, TABLE)] == [None, None, "cannot be decompressed"]
    assert len(report.warnings) == 1


def test_a_file_that_cannot_be_read_fails_the_pull_and_leaves_the_table(lake, drops, monkeypatch):
    clickstream.run(lake, DAYS)
    once = landed(lake, TABLE)

    def break_off(*_):
        yield b"new\n" * 5_000_000
        message = "planted-host refused"
        raise OSError(message)

    monkeypatch.setattr("jobs.sources.drops.read_chunks", break_off)
    with pytest.raises(SourceError) as caught:
        clickstream.run(lake, DAYS)
    assert str(caught.value) == "2024-01-30/a.jsonl: cannot be read (OSError); nothing was published."
    assert landed(lake, TABLE) == once
    assert len(list(Path(lake.location(TABLE)).glob("w-*"))) == 1


def test_reads_any_location_that_fsspec_knows(lake, engine, contracts):
    memory = fsspec.filesystem("memory")
    memory.pipe("/shop-drops/2024-01-31/a.jsonl.gz", gzip.compress(CLICKS))
    elsewhere = Settings(home=lake.home, clickstream_url="memory://shop-drops")
    lake = type(lake)(elsewhere, engine, contracts)
    assert clickstream.run(lake, Days.single(date(2024, 1, 31))).rows_out == 2
    assert landed(lake, TABLE, "source")[0] == {"source": "2024-01-31/a.jsonl.gz"}


def test_an_unknown_kind_of_location_is_refused_without_naming_it(lake, engine, contracts):
    settings = Settings(home=lake.home, clickstream_url="gopher://me:planted-password@host/x")
    with pytest.raises(SourceError, match="SOPHILUX_CLICKSTREAM_URL") as caught:
        clickstream.run(type(lake)(settings, engine, contracts), DAYS)
    assert "planted" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.slow
def test_memory_stays_bounded_whatever_the_size(tmp_path):
    folder = tmp_path / "drops" / "2024-01-31"
    folder.mkdir(parents=True)
    line = b'{"visitor": "v%07d", "user_agent": "' + b"x" * 240 + b'"}\n'
    with (folder / "a.jsonl").open("wb") as file:
        for start in range(0, 1_000_000, 10_000):
            file.write(b"".join(line % number for number in range(start, start + 10_000)))
    program = (
        "import re, sys; from datetime import date; from jobs.lake import Days, Lake\n"
        "from pathlib import Path; from jobs.settings import Settings; from jobs.sources import clickstream\n"
        "settings = Settings(home=sys.argv[1], clickstream_url=sys.argv[2])\n"
        "report = clickstream.run(Lake.open(settings), Days.single(date(2024, 1, 31)))\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())\n"
        "print(report.rows_out, int(peak[1]) // 1024)"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "shop"), str(tmp_path / "drops")]
    rows, mebibytes = subprocess.run(arguments, capture_output=True, check=True, text=True).stdout.split()
    assert rows == "1000000"
    assert int(mebibytes) < 500
