"""Files of identifiers: every form is read back as it was written, and what is none is told."""

import base64
import gzip
import stat

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from jobs.errors import SourceError, UsageError
from jobs.exports.pair import files as pair_files
from jobs.exports.pair.files import IdentifierFile, check_list, gather, intersect, write_identifiers

NAMES = ("a.csv", "a.txt", "a.csv.zst", "a.csv.gz", "a.parquet")
points = st.sets(st.binary(min_size=32, max_size=32), max_size=20)


def as_points(values):
    return gather([pa.array(list(values), pa.binary())])[0]


def read(path):
    source = IdentifierFile(str(path))
    return [point for array in source.read() for point in array.to_pylist()], source.rejects


@settings(deadline=None, max_examples=30)
@given(values=points, name=st.sampled_from(NAMES), chunk=st.integers(1, 7))
def test_what_is_written_is_read_sorted_and_once(tmp_path_factory, values, name, chunk):
    path = tmp_path_factory.mktemp("files") / name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_files, "CHUNK_LINES", chunk)
        write_identifiers(str(path), as_points(values))
        assert read(path) == (sorted(values), {})
    assert [left.name for left in path.parent.iterdir()] == [name]


@settings(deadline=None)
@given(some=points, others=points)
def test_points_of_both_are_found(some, others):
    assert [bytes(point) for point in intersect(as_points(some), as_points(others)).tolist()] == sorted(some & others)


@settings(deadline=None)
@given(values=st.lists(st.sampled_from([bytes([n] * 32) for n in range(4)])))
def test_repeated_points_are_counted(values):
    unique, repeated = gather([pa.array(values[:3], pa.binary()), pa.array(values[3:], pa.binary())])
    assert len(unique) == len(set(values))
    assert repeated == len(values) - len(set(values))


def test_a_file_is_its_owners_alone(tmp_path):
    write_identifiers(str(tmp_path / "new" / "a.csv"), as_points([bytes(32)]))
    assert stat.S_IMODE((tmp_path / "new" / "a.csv").stat().st_mode) == 0o600


def test_windows_line_ends_a_header_and_a_missing_last_line_end_are_taken(tmp_path):
    line = base64.b64encode(bytes(32))
    (tmp_path / "a.csv").write_bytes(b"identifier\r\n" + line + b"\r\n" + line)
    assert read(tmp_path / "a.csv") == ([bytes(32), bytes(32)], {})


def test_a_header_elsewhere_is_no_identifier(tmp_path):
    line = base64.b64encode(bytes(32))
    (tmp_path / "a.csv").write_bytes(line + b"\nidentifier\n")
    assert read(tmp_path / "a.csv") == ([bytes(32)], {"not_base64": 1})


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"?" * 1_000_000))
    found, rejects = read(tmp_path / "a.csv.gz")
    assert found == []
    assert rejects.total() == -(-1_000_000 // pair_files.LONGEST_LINE)


@pytest.mark.parametrize("name", ["a.json", "a", "a.csv.age", "csv"])
def test_a_name_that_says_no_form_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="A file of identifiers ends in"):
        IdentifierFile(str(tmp_path / name))
    with pytest.raises(UsageError, match="A file of identifiers ends in"):
        write_identifiers(str(tmp_path / name), as_points([]))


def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    pq.write_table(pa.table({"id": ["x"]}), tmp_path / "b.parquet")
    for name, reason in [
        ("a.parquet", "cannot be read"),
        ("a.csv.gz", "cannot be read"),
        ("b.parquet", "has no column identifier"),
        ("none.csv", "cannot be read"),
    ]:
        with pytest.raises(SourceError, match=reason):
            read(tmp_path / name)


def test_a_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    write_identifiers(str(path), as_points([bytes(32)]))
    before = path.read_bytes()
    monkeypatch.setattr(pair_files, "encode", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_identifiers(str(path), as_points([bytes([1] * 32)]))
    assert path.read_bytes() == before
    assert [left.name for left in tmp_path.iterdir()] == ["a.csv"]


def test_a_handed_over_list_is_checked_line_by_line(tmp_path):
    path = tmp_path / "a.csv"
    write_identifiers(str(path), as_points([bytes(32), bytes([1] * 32)]))
    assert list(check_list("a.csv", path, 2)) == []
    assert list(check_list("a.csv", path, 3)) == ["a.csv has 2 rows, the manifest says 3."]
    path.write_text(path.read_text() + "?\nAAAA\n")
    assert list(check_list("a.csv", path, 4)) == ["a.csv has 2 lines that are no identifiers."]
    assert list(check_list("b.csv", tmp_path / "b.csv", 4)) == ["b.csv cannot be read as identifiers."]


def test_points_are_compared_by_all_their_bytes():
    low, high = bytes(31) + b"\1", bytes(31) + b"\2"
    assert as_points([high, low, bytes(32)]).tolist() == [bytes(32), low, high]
    assert as_points([low]).dtype == np.dtype("V32")
