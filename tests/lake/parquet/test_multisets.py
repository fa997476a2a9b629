"""The sum of a table's rows: the same for the same rows in any order and form, another for any other rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.lake.parquet.multisets import add, hash_multiset, hash_rows

SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "number": pa.int64(),
        "small": pa.int32(),
        "share": pa.float64(),
        "price": pa.decimal128(12, 2),
        "flag": pa.bool_(),
        "day": pa.date32(),
        "at": pa.timestamp("us", "UTC"),
        "raw": pa.binary(),
        "tags": pa.list_(pa.string()),
    }
)
VALUES = {
    "text": st.text(max_size=4),
    "number": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(-(2**31), 2**31 - 1),
    "share": st.floats(allow_nan=False),
    "price": st.decimals(-9999, 9999, places=2),
    "flag": st.booleans(),
    "day": st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    "at": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "raw": st.binary(max_size=4),
    "tags": st.lists(st.text(max_size=2), max_size=2),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), max_size=12)


def table(rows):
    return pa.Table.from_pylist(rows, SCHEMA)


@settings(deadline=None, max_examples=50)
@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_neither_order_nor_pieces_matter(rows, random, cut):
    mixed = random.sample(rows, len(rows))
    pieces = pa.concat_tables([table(mixed[:cut]), table(mixed[cut:])])
    assert hash_multiset(pieces) == hash_multiset(table(rows))


@settings(deadline=None, max_examples=50)
@given(ROWS, st.integers(0, 12))
def test_the_parts_sum_up_to_the_whole(rows, cut):
    whole = table(rows)
    assert add(hash_multiset(whole.slice(0, cut)), hash_multiset(whole.slice(cut))) == hash_multiset(whole)


@settings(deadline=None, max_examples=50)
@given(ROWS.filter(bool), st.data())
def test_a_change_of_any_value_shows(rows, data):
    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(sorted(VALUES)))
    other = data.draw((st.none() | VALUES[name]).filter(lambda value: repr(value) != repr(rows[place][name])))
    changed = [*rows[:place], {**rows[place], name: other}, *rows[place + 1 :]]
    if not table(changed).equals(table(rows)):
        assert hash_multiset(table(changed)) != hash_multiset(table(rows))


def test_values_that_change_places_show():
    one = pa.table({"a": ["x", None, "y"], "b": ["y", "z", None]})
    other = pa.table({"a": ["y", "z", "y"], "b": ["x", None, None]})
    assert hash_multiset(one) != hash_multiset(other)
    assert hash_multiset(pa.table({"a": [0, 0]})) != hash_multiset(pa.table({"a": [0]})) != 0
    assert hash_multiset(pa.table({"a": [0], "b": [1]})) != hash_multiset(pa.table({"a": [1], "b": [0]}))
    assert hash_multiset(pa.table({"a": ["x", "x"]})) != 2 * hash_multiset(pa.table({"a": ["x"]})) + 1


def test_a_dictionary_is_its_values():
    plain = pa.table({"a": ["x", None, "y", "x"]})
    coded = pa.table({"a": plain["a"].combine_chunks().dictionary_encode()})
    assert hash_multiset(plain) == hash_multiset(coded)


def test_null_is_no_zero_and_no_empty_text():
    for value in ("", 0, 0.0, False, Decimal("0.00"), b""):
        rows = pa.table({"a": [value, None]})
        assert len(set(hash_rows(rows).tolist())) == 2


def test_a_byte_anywhere_in_a_text_shows():
    """Texts are read eight bytes at a time, and long ones at once."""
    for length in (1, 7, 8, 9, 16, 31, 255, 256, 257, 1_000):
        text = "a" * length
        changed = [text[:place] + "b" + text[place + 1 :] for place in range(length)]
        texts = [text, *changed, text + "a", text + "\0", text[:-1]]
        assert len(set(hash_rows(pa.table({"a": texts})).tolist())) == len(texts)
        around = pa.table({"a": ["x", *texts, "yz"]}).slice(1, len(texts))
        assert hash_rows(around).tolist() == hash_rows(pa.table({"a": pa.array(texts, pa.large_string())})).tolist()


def test_the_highest_bit_of_one_value_does_not_undo_that_of_the_next():
    highest, bits = np.uint64(2**63), np.uint64(1) << np.arange(64, dtype=np.uint64)
    rows = {"a": np.append(np.full(64, highest), np.uint64(0)), "b": np.append(bits | highest, np.uint64(0))}
    assert len(set(hash_rows(pa.table(rows)).tolist())) == 65


def test_bytes_of_one_length_and_views_are_texts():
    texts = ["abcd", None, "efgh"]
    kinds = (pa.string(), pa.string_view(), pa.binary(), pa.binary_view(), pa.binary(4))
    binary = pa.array(texts).cast(pa.binary()).to_pylist()
    columns = [pa.array(texts if "string" in str(kind) else binary, kind) for kind in kinds]
    assert len({tuple(hash_rows(pa.table({"a": column})).tolist()) for column in columns}) == 1


def test_hashes_are_spread():
    numbers = hash_rows(pa.table({"a": np.arange(100_000), "b": np.arange(100_000) // 7}))
    assert len(np.unique(numbers)) == 100_000
    bits = (numbers[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 0.01)
