"""All that a Parquet file holds comes out: dictionaries, values, statistics, metadata, of every type."""

import io
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.audit.parquet_parts import read_parquet
from jobs.audit.parts import Form

SECRET = "ada.birkenfeld@example.com"


def read(table, **options):
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    file.seek(0)
    return list(read_parquet(file, ""))


def places(table, **options):
    return {part.name for part in read(table, **options) if SECRET.encode() in part.content}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([SECRET], pa.string()),
        ([SECRET], pa.large_string()),
        ([SECRET], pa.string_view()),
        ([SECRET.encode()], pa.binary()),
        ([SECRET.encode()], pa.large_binary()),
        ([SECRET.encode()], pa.binary(len(SECRET))),
        ([SECRET], pa.dictionary(pa.int32(), pa.string())),
        ([[None, SECRET]], pa.list_(pa.string())),
        ([[SECRET]], pa.large_list(pa.string())),
        ([[SECRET]], pa.list_(pa.string(), 1)),
        ([{"a": {"b": [SECRET]}}], pa.struct([("a", pa.struct([("b", pa.list_(pa.string()))]))])),
        ([[("k", SECRET)]], pa.map_(pa.string(), pa.string())),
        ([[(SECRET, 1)]], pa.map_(pa.string(), pa.int64())),
    ],
    ids=str,
)
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_a_value_is_found_in_columns_of_every_type(values, kind, use_dictionary):
    table = pa.table({"n": pa.array([1, 2]), "odd.name": pa.array([None, *values], kind)})
    found = places(table, use_dictionary=use_dictionary, write_statistics=False)
    assert found
    assert all(name.startswith("column odd.name") and name.endswith(", row group 0") for name in found)


def test_a_dictionary_entry_that_no_row_uses_is_found():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array(["x", SECRET]))
    table = pa.table({"note": column})
    assert places(table, write_statistics=False) == {"column note, row group 0"}


def test_every_row_group_is_read():
    table = pa.table({"note": ["a", "b", "c", SECRET]})
    assert places(table, row_group_size=1, write_statistics=False) == {"column note, row group 3"}


def test_statistics_are_read():
    assert "statistics of column note" in places(pa.table({"note": [SECRET]}))


def test_metadata_of_the_file_and_of_fields_is_read():
    field = pa.field("n", pa.int64(), metadata={"owner": SECRET})
    assert places(pa.table({"n": [1]}, pa.schema([field]))) == {"schema"}
    whole = pa.table({"n": [1]}, pa.schema([("n", pa.int64())], {"note": SECRET, SECRET: "x"}))
    assert {f"footer, metadata {SECRET}", "footer, metadata note"} <= places(whole)


def test_numbers_are_text_where_they_are_long_enough():
    table = pa.table({
        "whole": pa.array([4111111111111111, 7, -3]),
        "unsigned": pa.array([493023125001, 1, 2], pa.uint64()),
        "double": [493023125001.0, 0.5, float("nan")],
        "decimal": pa.array([Decimal("493023125001")] * 3, pa.decimal128(18, 0)),
        "small": pa.array([1, 2, 3], pa.int8()),
        "time": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 3),
    })  # fmt: skip
    found = {part.name: part.content for part in read(table, write_statistics=False) if part.form is Form.NUMBERS}
    assert found == {
        "column whole, row group 0": b"4111111111111111",
        "column unsigned, row group 0": b"493023125001",
        "column double, row group 0": b"493023125001",
        "column decimal, row group 0": b"493023125001",
    }


def test_fingerprints_are_compared_with_hashes_and_not_read_as_numbers():
    table = pa.table({"event_id": pa.array([-4611686018427387904, 4222222222222222222, 4111111111111111])})
    parts = {part.form: part.content for part in read(table) if part.name.startswith("column")}
    assert parts == {Form.HASHES: b"c000000000000000\x003a9874b2b5c1c8e" + b"e"} or Form.NUMBERS not in parts
    assert len(parts[Form.HASHES]) == 33


def test_large_columns_come_in_parts():
    table = pa.table({"note": [f"{number:064d}" for number in range(50_000)]})
    sizes = [len(part.content) for part in read(table) if part.name.startswith("column")]
    assert sum(sizes) >= 50_000 * 64
    assert max(sizes) < 2**21
