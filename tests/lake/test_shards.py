"""Files of packages: what is written is what is read, and a spreadsheet finds nothing to calculate."""

import csv
import io

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.lake.packages import _plan_slices
from jobs.lake.shards import CSV, PARQUET, SUFFIXES, ShardWriter, disarm_formulas, read_shard, restore_formulas

SCHEMA = pa.schema([("ad_id", pa.string()), ("app_id", pa.string()), ("day", pa.date32()), ("revenue", pa.int64())])
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "'=1"]
TEXTS = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(FORMULAS))


def table(texts):
    rows = [{"ad_id": f"id-{n}", "app_id": text, "day": None, "revenue": -n} for n, text in enumerate(texts)]
    return pa.Table.from_pylist(rows, SCHEMA)


def write(path, format_, *tables):
    with ShardWriter(path, SCHEMA, format_) as writer:
        for each in tables:
            writer.write(each)
    return path


def read(path, format_):
    return pa.concat_tables(read_shard(path, SCHEMA, format_)).combine_chunks()


@settings(deadline=None)
@given(texts=st.lists(TEXTS))
def test_no_cell_of_a_csv_file_begins_like_a_formula_and_nothing_is_lost(texts):
    rows = table(texts)
    disarmed = disarm_formulas(rows)
    cells = [cell for cell in disarmed["app_id"].to_pylist() if cell]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r\n"]
    assert restore_formulas(disarmed).equals(rows)


@pytest.mark.parametrize("format_", [PARQUET, CSV])
def test_what_is_written_is_what_is_read(tmp_path, format_):
    rows = table(["plain", None, "", "with, comma", 'with "quote"', "two\nlines", "日本", *FORMULAS])
    path = write(tmp_path / f"rows{SUFFIXES[format_]}", format_, rows, rows)
    assert read(path, format_).to_pylist() == [*rows.to_pylist(), *rows.to_pylist()]


def test_a_spreadsheet_sees_text(tmp_path):
    content = write(tmp_path / "rows.csv.zst", CSV, table(FORMULAS)).read_bytes()
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(content).decode()
    cells = [row["app_id"] for row in csv.DictReader(io.StringIO(plain, newline=""))]
    assert cells == [f"'{formula}" for formula in FORMULAS]


@pytest.mark.parametrize("format_", [PARQUET, CSV])
def test_a_file_without_rows_shows_its_columns(tmp_path, format_):
    found = read(write(tmp_path / "none", format_), format_)
    assert found.num_rows == 0
    assert found.schema.names == SCHEMA.names


@pytest.mark.parametrize("format_", [PARQUET, CSV])
def test_what_is_no_such_file_is_refused(tmp_path, format_):
    path = tmp_path / "broken"
    path.write_bytes(b"neither")
    with pytest.raises((ValueError, OSError)):
        read(path, format_)


@given(rows=st.integers(0, 10**9), shards=st.integers(1, 256))
def test_slices_cover_every_shard_once_and_stay_small(rows, shards):
    slices = list(_plan_slices(rows, shards))
    covered = [number for part in slices if part.starts in ("", "0" * len(part.starts)) for number in
               range(part.first, part.last + 1)]  # fmt: skip
    assert covered == list(range(shards))
    assert all(rows / shards * (part.last - part.first + 1) / 16 ** len(part.starts) <= 2_000_000 for part in slices)
