"""What a Parquet file holds, decoded: dictionaries, values, statistics, and what its footer says.

Text and binary columns are read as dictionaries, so that each distinct value is searched once for each row group, and
also one that stands in a dictionary page although no row uses it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from jobs.audit.parts import BLOCK_BYTES, Form, Part, join_values

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH_BYTES: Final = 16 * BLOCK_BYTES
MOST_ROWS: Final = 1 << 17
PLAIN_TYPES: Final = ("DECIMAL", "DATE", "TIME", "TIMESTAMP")
"""Logical types of which a smallest and a largest value identify nobody."""
LEAST_NUMBER: Final = 10**7
"""Numbers of fewer than eight digits are no phone, card, identity number or hash."""
LEAST_CARD: Final = 10**13
LEAST_HASH: Final = 10**16
LEAST_NO_CARD: Final = 7 * 10**18
DIGEST_BYTES: Final = (8, 16, 20, 32)
SCHEMA_KEY: Final = b"ARROW:schema"


def read_parquet(file: BinaryIO, name: str) -> Iterator[Part]:
    """The parts of a Parquet file.

    Raises:
        pyarrow.ArrowException: the file is damaged.
    """
    footer = pq.read_metadata(file)
    yield from _read_footer(footer, name)
    leaves = [footer.schema.column(place) for place in range(len(footer.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    reader = pq.ParquetFile(file, metadata=footer, read_dictionary=texts, buffer_size=BLOCK_BYTES)
    yield from join_values(f"{name}schema", _list_field_texts(reader.schema_arrow))
    paths = [leaf.path for leaf in leaves]
    for place, path in enumerate(paths):
        if leaves[place].logical_type.type not in PLAIN_TYPES:
            yield from _read_statistics(footer, place, f"{name}statistics of column {path}")
    for group in range(footer.num_row_groups):
        yield from _read_group(reader, paths, group, name)


def _read_footer(footer: "pq.FileMetaData", name: str) -> Iterator[Part]:
    yield from join_values(f"{name}footer", [(footer.created_by or "").encode()])
    entries: Mapping[bytes, bytes] = footer.metadata or {}
    for key, value in entries.items():
        label = f"{name}footer, metadata {key.decode('utf-8', 'replace')}"
        yield from join_values(label, [key] if key == SCHEMA_KEY else [key, value])


def _list_field_texts(fields: Any) -> Iterator[bytes]:  # noqa: ANN401
    """Names and metadata of fields, also of those inside other fields."""
    for number in range(fields.num_fields if isinstance(fields, pa.DataType) else len(fields)):
        field = fields.field(number)
        yield field.name.encode()
        for key, value in (field.metadata or {}).items():
            yield from (key, value)
        if isinstance(field.type, pa.DataType) and field.type.num_fields:
            yield from _list_field_texts(field.type)


def _read_statistics(footer: "pq.FileMetaData", place: int, name: str) -> Iterator[Part]:
    chunks = (footer.row_group(group).column(place) for group in range(footer.num_row_groups))
    found = [chunk.statistics for chunk in chunks if chunk.is_stats_set]
    bounds = [bound for s in found if s is not None and s.has_min_max for bound in (s.min_raw, s.max_raw)]
    texts = [bound for bound in bounds if isinstance(bound, bytes)]
    yield from join_values(name, texts)
    if len(texts) < len(bounds):
        yield from read_array(pa.array(bounds), name)


def _read_group(reader: "pq.ParquetFile", paths: list[str], group: int, name: str) -> Iterator[Part]:
    """The columns of a row group in batches; a dictionary that a batch shares with the one before is not read again."""
    footer = reader.metadata.row_group(group)
    rows = footer.num_rows * BATCH_BYTES // max(footer.total_byte_size, 1)
    last: dict[int, pa.Array] = {}
    for batch in reader.iter_batches(min(max(rows, 1), MOST_ROWS), row_groups=[group], use_threads=False):
        leaves = (leaf for column in batch.columns for leaf in list_leaves(column))
        for place, (path, leaf) in enumerate(zip(paths, leaves, strict=True)):
            if place not in last or not leaf.equals(last[place]):
                yield from read_array(leaf, f"{name}column {path}, row group {group}")
            last[place] = leaf


def list_leaves(array: "pa.Array") -> Iterator["pa.Array"]:
    """The flat arrays inside an array, with all the values they hold."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        yield from list_leaves(array.storage)
    elif pa.types.is_dictionary(kind):
        yield from list_leaves(array.dictionary)
    elif pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from list_leaves(array.field(number))
    elif pa.types.is_map(kind):
        yield from list_leaves(array.keys)
        yield from list_leaves(array.items)
    elif pa.types.is_nested(kind):
        yield from list_leaves(array.values)
    else:
        yield array


def read_array(array: "pa.Array", name: str) -> Iterator[Part]:
    """The values of a flat array as parts; of types that hold no identifier (times, truth values) none."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        yield from _join_texts(array, name, Form.VALUES)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        values = array.drop_null().unique().to_pylist()
        yield from join_values(name, values)
        hashes = b"\0".join(value.hex().encode() for value in values if len(value) in DIGEST_BYTES)
        yield Part(name, hashes, Form.HASHES)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        yield from _read_numbers(_take_whole_numbers(array), name)


def _join_texts(texts: "pa.Array", name: str, form: Form) -> Iterator[Part]:
    texts = texts.drop_null().cast(pa.large_string())
    if not len(texts):
        return
    rows = max(1, len(texts) * BLOCK_BYTES // max(texts.nbytes, 1))
    for start in range(0, len(texts), rows):
        piece = texts.slice(start, rows)
        offsets = pa.array([0, len(piece)], pa.int64())
        joined = pc.binary_join(pa.LargeListArray.from_arrays(offsets, piece), pa.scalar("\0", pa.large_string()))
        yield Part(name, joined[0].as_buffer().to_pybytes(), form)


def _take_whole_numbers(array: "pa.Array") -> "pa.Array":
    """Distinct whole numbers; fractions identify nobody."""
    numbers = array.drop_null().unique()
    if pa.types.is_floating(numbers.type):
        doubles = numbers.cast(pa.float64())
        is_whole = pc.and_(pc.equal(pc.floor(doubles), doubles), pc.less(pc.abs(doubles), float(2**63)))
        numbers = doubles.filter(is_whole).cast(pa.int64())
    return numbers


def _read_numbers(numbers: "pa.Array", name: str) -> Iterator[Part]:
    """Numbers of eight digits or more as text; those that may be 64-bit hashes also in hex.

    A column with numbers below zero, or above all that begin like a payment card, is one of hashes: some of its many
    numbers would pass for a card, so those as long as one are not written as text.
    """
    if not pa.types.is_integer(numbers.type):
        yield from _join_texts(numbers.cast(pa.string()), name, Form.NUMBERS)
        return
    numbers = numbers.cast(pa.uint64() if numbers.type == pa.uint64() else pa.int64())
    values = numbers.to_numpy(zero_copy_only=False)
    long_values = values[(values >= LEAST_HASH) | (values <= -LEAST_HASH)]
    if len(long_values):
        written = long_values.astype(f">{long_values.dtype.str[1:]}").tobytes().hex("\n", 8).encode()
        yield Part(name, written.replace(b"\n", b"\0"), Form.HASHES)
    is_hash = len(long_values) and (long_values.min() < 0 or long_values.max() >= LEAST_NO_CARD)
    chosen = values[(values >= LEAST_NUMBER) & (values < (LEAST_CARD if is_hash else 2**64 - 1))]
    yield from _join_texts(pa.array(chosen).cast(pa.string()), name, Form.NUMBERS)
