import gzip
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.samples.drops import TABLES, clear_generated, text_times, write_database, write_file
from tests.samples.reading import read_bytes, read_table


def test_every_table_is_there_with_an_index_on_updated_at(tmp_path: Path):
    write_database(tmp_path, {})
    with sqlite3.connect(tmp_path / "shop.db") as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        indexed = {name for (name,) in database.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'index'")}
    assert names == indexed == set(TABLES)


def test_a_table_takes_its_columns_in_any_order(tmp_path: Path):
    rows = pa.table(
        {"updated_at": ["2024-01-01 00:00:00"], "is_primary": [1], "email": ["A@b.co"], "customer_id": ["C1"]}
    )
    assert write_database(tmp_path, {"customer_emails": rows}) == {"customer_emails": 1}
    expected = {"customer_id": "C1", "email": "A@b.co", "is_primary": 1, "updated_at": "2024-01-01 00:00:00"}
    assert read_table(tmp_path, "customer_emails") == [expected]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_is_compressed_by_its_name_and_always_the_same(tmp_path: Path, name: str):
    write_file(tmp_path / name, [b"one\n", b"two\n"])
    first = (tmp_path / name).read_bytes()
    write_file(tmp_path / name, [b"one\n", b"two\n"])
    assert (tmp_path / name).read_bytes() == first
    assert read_bytes(tmp_path / name) == b"one\ntwo\n"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path):
    def broken():
        yield b"half"
        raise OSError

    write_file(tmp_path / "a.gz", [b"whole"])
    with pytest.raises(OSError):  # noqa: PT011
        write_file(tmp_path / "a.gz", broken())
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"whole"
    assert [file.name for file in tmp_path.iterdir()] == ["a.gz"]


def test_clears_only_what_was_generated(tmp_path: Path):
    click = tmp_path / "clickstream" / "2024-01-01" / "own.jsonl"
    write_file(click, [b"{}\n"])
    clear_generated(tmp_path)
    assert click.exists()
    write_file(tmp_path / "planted.json", [b"{}"])
    clear_generated(tmp_path)
    assert not click.exists()


def test_writes_times_as_the_database_does():
    assert text_times(pa.array([86_399, None])).to_pylist() == ["1970-01-01 23:59:59", None]
