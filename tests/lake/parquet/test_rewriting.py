"""Parquet files of several writers, with some rows changed; everything else must be as it was."""

from collections import Counter
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from jobs.errors import SophiluxError
from jobs.lake.parquet import decoding
from jobs.lake.parquet.decoding import Source
from jobs.lake.parquet.footers import get, read_struct, write_struct
from jobs.lake.parquet.rewriting import drop_found, edit_file

from .samples import drop, sample, sever_who, write


def describe(path):
    """Everything a reader can know of a file but its sizes and row groups."""
    metadata = pq.read_metadata(path)
    chunks = {
        (chunk.path_in_schema, chunk.physical_type, chunk.compression, chunk.has_dictionary_page, chunk.is_stats_set)
        for number in range(metadata.num_row_groups)
        for chunk in (metadata.row_group(number).column(place) for place in range(metadata.num_columns))
    }
    kept = metadata.created_by, metadata.format_version, metadata.metadata, metadata.schema.to_arrow_schema()
    return *kept, show_schema(path), chunks


def show_schema(path):
    """The stored types, without the address that PyArrow prints first."""
    return str(pq.read_metadata(path).schema).partition("\n")[2]


def rows_of(path):
    return Counter(map(repr, pq.read_table(path).to_pylist()))


WRITERS = {
    "plain": {},
    "spark of old": {"use_deprecated_int96_timestamps": True, "compression": "snappy"},
    "rust": {"store_decimal_as_integer": True, "write_page_index": True},
    "both": {"store_decimal_as_integer": True, "use_deprecated_int96_timestamps": True},
    "no dictionary": {"use_dictionary": False, "compression": "gzip"},
    "some dictionaries": {"use_dictionary": ["who", "note"], "write_statistics": ["bucket"]},
    "mixed codecs": {"compression": {"who": "zstd", "note": "snappy", "at": "none"}},
    "second pages": {"data_page_version": "2.0", "data_page_size": 512},
    "no arrow schema": {"store_schema": False, "use_compliant_nested_type": False},
    "version one": {"version": "1.0"},
    "sorted": {"sorting_columns": [pq.SortingColumn(1)], "compression": "lz4"},
    "bloom": {"bloom_filter_options": {"who": {"ndv": 50}}},
}


def write_or_skip(path, rows, options):
    try:
        write(path, rows, **options)
    except TypeError as error:
        pytest.skip(f"this PyArrow cannot write that: {error}")


@pytest.mark.parametrize("writer", WRITERS)
def test_only_the_rows_change(tmp_path, writer):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write_or_skip(source, sample(), WRITERS[writer])
    edited = drop(source, target, {"s07", "s30"})
    gone = pc.is_in(sample()["who"], pa.array(["s07", "s30"]))
    survivors = pq.read_table(source).filter(pc.invert(gone))
    assert edited.rows_found == pc.sum(gone).as_py()
    assert edited.rows == survivors.num_rows == pq.read_metadata(target).num_rows
    assert pq.read_table(target).equals(survivors, check_metadata=True)
    assert describe(target) == describe(source)
    assert edited.groups_copied > edited.groups_encoded > 0
    assert target.stat().st_size == edited.size


def test_what_is_copied_is_the_same_bytes(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(), write_page_index=True)
    drop(source, target, {"s07"})
    old, new = pq.read_metadata(source), pq.read_metadata(target)
    before, after = source.read_bytes(), target.read_bytes()
    last_old, last_new = old.row_group(old.num_row_groups - 1), new.row_group(new.num_row_groups - 1)
    for place in range(old.num_columns):
        one, other = last_old.column(place), last_new.column(place)
        at = [c.dictionary_page_offset or c.data_page_offset for c in (one, other)]
        assert before[at[0] : at[0] + one.total_compressed_size] == after[at[1] : at[1] + other.total_compressed_size]


def test_other_readers_agree(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(), store_decimal_as_integer=True, write_page_index=True, data_page_size=512)
    drop(source, target, {"s07", "s49"})
    survivors = duckdb.sql(f"from '{source}' where who not in ('s07', 's49')").fetchall()
    assert duckdb.sql(f"from '{target}'").fetchall() == survivors
    assert duckdb.sql(f"select count(*) from '{target}' where who = 's30'").fetchall()[0][0] > 0


def find_starts(path):
    metadata = pq.read_metadata(path)
    first = [metadata.row_group(number).column(0) for number in range(metadata.num_row_groups)]
    return [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in first]


@pytest.mark.parametrize("options", [{}, {"write_page_index": True}, {"bloom_filter_options": {"who": {"ndv": 50}}}])
def test_what_took_less_place_leaves_zeros_and_nobody(tmp_path, options):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    plain = {"compression": "none", "use_dictionary": False, "row_group_size": 50}
    write_or_skip(source, sample(), plain | options)
    drop(source, target, {"s07"})
    assert find_starts(target) == find_starts(source)
    assert source.read_bytes().count(b"s07") > target.read_bytes().count(b"s07") == 0
    assert source.read_bytes().count(b"s30") == target.read_bytes().count(b"s30") > 0
    assert target.stat().st_size < 1.1 * source.stat().st_size


def test_zeros_of_many_edits_are_no_more_than_of_one(tmp_path):
    """Each edit alone would leave few; together they would leave most of the file."""
    path, target = tmp_path / "file.parquet", tmp_path / "edited.parquet"
    write(path, sample(2_000), compression="none", use_dictionary=False, row_group_size=50)
    for number in range(40):
        drop(path, target, {f"s{number:02}"})
        target.replace(path) if target.exists() else None
        metadata = pq.read_metadata(path)
        groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
        live = sum(group.column(n).total_compressed_size for group in groups for n in range(group.num_columns))
        assert path.stat().st_size - metadata.serialized_size - live <= 0.12 * path.stat().st_size, number


def test_what_takes_more_place_comes_last(tmp_path):
    """Rows that were packed harder than they are now: their group's place is left, and their order stays."""
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    rows = sample(4_000)
    write(source, rows, use_dictionary=False, compression_level=19, row_group_size=200)

    def find(group):
        return pc.equal(group["wide"], 1234)

    edited = edit_file(str(source), str(target), columns=["wide"], find=find, edit=drop_found)
    assert (edited.rows_found, edited.groups_encoded) == (1, 1)
    before, after = find_starts(source), find_starts(target)
    assert [number for number, pair in enumerate(zip(before, after, strict=True)) if len(set(pair)) == 2] == [6]
    assert after[6] > max(before)
    survivors = rows.filter(pc.not_equal(rows["wide"], 1234))
    assert pq.read_table(target).equals(survivors)
    assert duckdb.sql(f"from '{target}'").fetchall() == duckdb.sql(f"from '{source}' where wide <> 1234").fetchall()
    assert target.read_bytes()[before[6] : before[7]] == bytes(before[7] - before[6])


def test_a_file_that_loses_much_becomes_smaller(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(10_000), use_dictionary=False, row_group_size=2_000)
    edited = drop(source, target, {f"s{n:02}" for n in range(1, 50, 2)})
    assert edited.size < 0.8 * source.stat().st_size
    assert bytes(64) not in target.read_bytes()


def test_a_file_of_duckdb_keeps_its_types(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    duckdb.sql(
        f"""copy (select 's' || (range // 100) as who, range::decimal(12, 2) as amount, [range, null] as list,
                  {{'a': range, 'b': {{'c': 'x'}}}} as nested, timestamp '2024-01-01' + to_seconds(range) as at,
                  (range % 24 || ':00:00')::time as clock, uuid() as id
           from range(5000)) to '{source}' (format parquet, row_group_size 2048)"""
    )
    drop(source, target, {"s3"})
    survivors = duckdb.sql(f"from '{source}' where who <> 's3'").fetchall()
    assert duckdb.sql(f"from '{target}'").fetchall() == survivors
    assert str(pq.read_schema(target)) == str(pq.read_schema(source))
    assert show_schema(target) == show_schema(source)


def test_years_beyond_nanoseconds_survive_in_96_bits(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    far = list(map(datetime.fromisoformat, ("0001-01-01", "9999-12-31T23:59:59.999999", "2024-01-01T00:00:00.123456")))
    rows = pa.table({"who": ["s1", "s2", "s3"], "at": pa.array(far, pa.timestamp("us"))})
    write(source, rows, use_deprecated_int96_timestamps=True)
    drop(source, target, {"s1"})
    back = pq.ParquetFile(target, coerce_int96_timestamp_unit="us").read()
    assert back["at"].to_pylist() == far[1:]
    assert pq.read_metadata(target).row_group(0).column(1).physical_type == "INT96"


def test_the_last_year_beyond_nanoseconds_may_go(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    times = list(map(datetime.fromisoformat, ("0001-01-01", "2024-01-01T00:00:00.123456")))
    rows = pa.table({"who": ["s1", "s2"], "at": pa.array(times, pa.timestamp("us"))})
    write(source, rows, use_deprecated_int96_timestamps=True)
    assert drop(source, target, {"s1"}).rows == 1
    assert pq.ParquetFile(target, coerce_int96_timestamp_unit="us").read()["at"].to_pylist() == times[1:]


def test_times_finer_and_further_than_one_unit_are_refused(tmp_path):
    """The row that makes microseconds necessary goes; those that stay would lose their nanoseconds."""
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    times = list(map(datetime.fromisoformat, ("0001-01-01", "2024-01-01T00:00:00.123456")))
    rows = pa.table({"who": ["s1", "s2"], "at": pa.array(times, pa.timestamp("us"))})
    write(source, rows, use_deprecated_int96_timestamps=True, use_dictionary=False, compression="none")
    coarse, fine = (nanoseconds.to_bytes(8, "little") for nanoseconds in (123_456_000, 123_456_789))
    assert source.read_bytes().count(coarse) == 1
    source.write_bytes(source.read_bytes().replace(coarse, fine))
    with pytest.raises(SophiluxError, match="too fine beside others too far"):
        drop(source, target, {"s1"})


@pytest.mark.parametrize("nest", [lambda at: [at], lambda at: {"at": at}], ids=["list", "struct"])
def test_times_of_96_bits_inside_of_columns_are_refused(tmp_path, nest):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    far = datetime.fromisoformat("9999-12-31")
    write(source, pa.table({"who": ["s1", "s2"], "at": [nest(far)] * 2}), use_deprecated_int96_timestamps=True)
    with pytest.raises(SophiluxError, match="96 bits inside"):
        drop(source, target, {"s1"})
    assert not target.exists()


def nest_in_lists(values):
    return pa.ListArray.from_arrays(list(range(len(values) + 1)), values)


def nest_in_maps(values):
    return pa.MapArray.from_arrays(list(range(len(values) + 1)), pa.array(["key"] * len(values)), values)


def nest_in_structs(values):
    return pa.StructArray.from_arrays([nest_in_lists(values)], ["inside"])


NESTS = {"flat": lambda values: values, "list": nest_in_lists, "map": nest_in_maps, "struct": nest_in_structs}


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS)
def test_no_dictionary_of_arrow_keeps_who_is_gone(tmp_path, nest):
    """Each row group has the dictionary of all, those that hold nobody who goes among them."""
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    names = [f"name-{n // 10:02}" for n in range(400)]
    nested = nest(pa.array(names).dictionary_encode())
    who = [f"s{n // 10:02}" for n in range(400)]
    write(source, pa.table({"who": who, "name": nested}), compression="none", write_statistics=False)
    assert source.read_bytes().count(b"name-07") == 4
    edited = drop(source, target, {"s07"})
    assert target.read_bytes().count(b"name-07") == 0 < target.read_bytes().count(b"name-08")
    assert (edited.groups_encoded, edited.groups_copied, edited.kept) == (4, 0, 390)
    assert pq.read_schema(target).equals(pq.read_schema(source), check_metadata=True)
    kept = [row for row in pa.table({"who": who, "name": nested}).to_pylist() if row["who"] != "s07"]
    groups = range(4)  # Arrow cannot read several of them at once
    assert [row for n in groups for row in pq.ParquetFile(target).read_row_group(n).to_pylist()] == kept


@pytest.mark.parametrize("harm", [lambda marks: marks[:-1], lambda marks: pa.concat_arrays([marks, marks[:1]])])
def test_marks_for_other_rows_than_were_read_are_refused(tmp_path, harm):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample())

    def find(rows):
        return pa.chunked_array([harm(pc.equal(rows["who"], "s49").combine_chunks())])

    with pytest.raises(SophiluxError, match="tells of 1,000 rows"):
        edit_file(str(source), str(target), columns=["who"], find=find, edit=drop_found)
    assert not target.exists()


def test_row_groups_of_many_bytes_are_read_in_several_batches(tmp_path, monkeypatch):
    source = tmp_path / "source.parquet"
    write(source, sample(500))
    with pa.OSFile(str(source)) as file:
        opened = Source(file, "")
        sizes = [opened.parquet.metadata.row_group(number).total_byte_size for number in range(5)]
        assert list(opened.plan_batches(range(5))) == [[0, 1, 2, 3, 4]]
        monkeypatch.setattr(decoding, "BATCH_BYTES", sum(sizes[:2]))
        assert [0, 1] in list(opened.plan_batches(range(5)))
        monkeypatch.setattr(decoding, "BATCH_BYTES", 1)
        assert list(opened.plan_batches(range(5))) == [[0], [1], [2], [3], [4]]


def test_a_file_that_loses_its_last_row_is_not_written(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample().filter(pc.equal(sample()["who"], "s07")))
    edited = drop(source, target, {"s07"})
    assert edited.rows == 0
    assert not target.exists()


def test_a_file_without_the_person_is_not_touched(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample())
    assert drop(source, target, {"nobody"}) is None
    assert not target.exists()


def test_row_groups_that_cannot_hold_the_person_are_not_read(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample())
    looked = []

    def may_hold(group):
        bounds = group.column(1).statistics
        looked.append(bounds.min <= 7 <= bounds.max)
        return looked[-1]

    edited = drop(source, target, {"s07"}, may_hold=may_hold)
    assert edited.groups_encoded == sum(looked) < len(looked)
    assert edited.rows_found == pc.sum(pc.equal(sample()["who"], "s07")).as_py()


def test_values_can_be_severed_instead(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample())

    mine = pa.array(["s07"])
    edit_file(str(source), str(target), columns=["who"], find=lambda rows: pc.is_in(rows["who"], mine), edit=sever_who)
    after = pq.read_table(target)
    assert after.num_rows == 1_000
    assert after["who"].null_count == pc.sum(pc.equal(sample()["who"], "s07")).as_py()
    assert after.drop_columns("who").equals(sample().drop_columns("who"))


@pytest.mark.parametrize("place", [0, 1])
def test_a_row_group_without_rows_is_copied(tmp_path, place):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    rows = sample(200)
    pieces = [rows.slice(0, 100), rows.slice(100)]
    pieces.insert(place, rows.slice(0, 0))
    with pq.ParquetWriter(source, rows.schema) as writer:
        for piece in pieces:
            writer.write_table(piece)
    assert pq.read_metadata(source).num_row_groups == 3
    drop(source, target, {"s03"})
    assert pq.read_table(target).equals(rows.filter(pc.not_equal(rows["who"], "s03")))
    source.unlink()
    drop(target.rename(source), target, set(rows["who"].to_pylist()[:100]))  # the file is moved together
    assert pq.read_table(target).equals(rows.filter(pc.greater(rows["who"], rows["who"][99])))


def test_a_dictionary_that_was_given_up_is_not_begun_again(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    write(source, sample(5_000), row_group_size=5_000, dictionary_pagesize_limit=2_000, compression="none")
    drop(source, target, {"s07"})
    old, new = (pq.read_metadata(path).row_group(0) for path in (source, target))
    chunks = [(old.column(place), new.column(place)) for place in range(old.num_columns)]
    given_up = {one.path_in_schema for one, other in chunks if one.has_dictionary_page > other.has_dictionary_page}
    assert {"at", "wide", "score"} <= given_up
    assert not given_up & {"who", "bucket", "note", "flag"}
    assert new.total_byte_size < old.total_byte_size


def test_a_dictionary_that_was_given_up_late_is_begun_again(tmp_path):
    source, target = tmp_path / "source.parquet", tmp_path / "target.parquet"
    names = [f"a name that repeats itself {n % 9}" if n < 9_000 else f"a name of its own {n}" for n in range(9_500)]
    rows = pa.table({"who": [f"s{n // 100}" for n in range(9_500)], "name": names})
    pages = {"data_page_size": 512, "write_batch_size": 64, "dictionary_pagesize_limit": 2_000}
    write(source, rows, row_group_size=9_500, compression="none", **pages)
    drop(source, target, {"s7"})
    old, new = (pq.read_metadata(path).row_group(0).column(1) for path in (source, target))
    assert "PLAIN" in old.encodings
    assert new.has_dictionary_page
    assert new.total_compressed_size < 1.5 * old.total_compressed_size


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", b"PAR1" + b"\xff" * 20 + b"\x08\0\0\0PAR1"])
def test_a_file_that_is_none_is_told(tmp_path, content):
    source = tmp_path / "source.parquet"
    source.write_bytes(content)
    with pytest.raises(SophiluxError, match=r"Parquet"):
        drop(source, tmp_path / "target.parquet", {"s1"})
    assert not (tmp_path / "target.parquet").exists()


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 400),
    subjects=st.sets(st.integers(0, 49).map(lambda n: f"s{n:02}"), max_size=12),
    writer=st.sampled_from([name for name in WRITERS if name != "bloom"]),
    seed=st.integers(0, 99),
)
def test_whoever_is_not_named_stays(tmp_path_factory, rows, subjects, writer, seed):
    folder = tmp_path_factory.mktemp("property")
    source, target = folder / "source.parquet", folder / "target.parquet"
    write(source, sample(rows, seed).slice(0), **WRITERS[writer])
    edited = drop(source, target, subjects)
    expected = Counter(repr(row) for row in pq.read_table(source).to_pylist() if row["who"] not in subjects)
    left = rows_of(target) if target.exists() else rows_of(source) if edited is None else Counter()
    assert left == expected
    if target.exists():
        assert describe(target)[:5] == describe(source)[:5]
        size = int.from_bytes(target.read_bytes()[-8:-4], "little")
        footer = target.read_bytes()[-8 - size : -8]
        assert write_struct(read_struct(footer)[0]) == footer
        assert get(read_struct(footer)[0], 3) == sum(expected.values())
