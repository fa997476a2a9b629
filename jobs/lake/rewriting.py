"""Change some rows of a Parquet file and leave everything else of it as it is, byte for byte.

Only the row groups that hold one of the rows are decoded and encoded again; all others are copied as they lie. The
description of the file stays what it was: schema with every logical type, key-value metadata, writer, sorting columns,
codecs, dictionaries, page indexes and Bloom filters of what was copied. A file whose types cannot be written again
exactly is refused, and nothing is written.

What was encoded is read back: the rows that were not to be changed must be the same ones as before, by the sum of
their hashes, or the new file is thrown away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import SophiluxError
from jobs.lake import multisets, storage
from jobs.lake.encoding import Chunk, Source, encode_group
from jobs.lake.footers import MAGIC, Struct, get, put, read_struct, write_struct

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

Find = Callable[["pa.Table"], "pa.ChunkedArray"]
"""Gets some columns of a row group; true where a row is to be changed."""
Edit = Callable[["pa.Table", "pa.ChunkedArray"], "pa.Table"]
"""Gets all columns of a row group and the rows found; returns those to write, in the same schema."""
MayHold = Callable[["pq.RowGroupMetaData"], bool]
"""Tells from a row group's statistics whether it can hold a row that is looked for."""

ROW_GROUPS: Final = 4
ROWS_OF_FILE: Final = 3
CHUNKS, ROWS, GROUP_OFFSET, ORDINAL = 1, 3, 5, 7
CHUNK_OFFSET, CHUNK_META = 2, 3
OFFSET_INDEX, OFFSET_INDEX_BYTES, COLUMN_INDEX, COLUMN_INDEX_BYTES = 4, 5, 6, 7
COMPRESSED_BYTES, DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, BLOOM_FILTER, BLOOM_FILTER_BYTES = 7, 9, 10, 11, 14, 15
PAGE_LOCATIONS, PAGE_OFFSET = 1, 1


@dataclass(frozen=True)
class Edited:
    """What became of a file.

    Attributes:
        rows_found: rows that were to be changed.
        rows: rows of the new file; none means that nothing was left and no file was written.
        groups_encoded: row groups that were written anew.
        groups_copied: row groups that were copied as they were.
        bytes_encoded: compressed bytes of the row groups written anew.
        size: of the new file.
        kept: rows of the row groups written anew that were not to be changed.
        kept_hash: the sum of their hashes, before and after.
    """

    rows_found: int
    rows: int
    groups_encoded: int
    groups_copied: int
    bytes_encoded: int
    size: int
    kept: int = 0
    kept_hash: int = 0


def edit_file(
    source: str, target: str, *, columns: Sequence[str], find: Find, edit: Edit, may_hold: MayHold | None = None
) -> Edited | None:
    """Write a file anew with some of its rows changed or gone.

    Args:
        source: Parquet file to read.
        target: file to write; there is none when no row was found, or none is left.
        columns: columns that ``find`` needs.
        find: marks the rows to change.
        edit: changes or drops them.
        may_hold: spares row groups by their statistics; none looks into all.

    Returns:
        What was done; none when no row was found.

    Raises:
        SophiluxError: the file is encrypted, damaged, or of types that cannot be written again exactly; or other rows
            than those found would have changed.
    """
    import pyarrow.compute as pc

    system, path = storage.filesystem(source)
    with system.open_input_file(path) as file:
        opened = Source(file, source)
        found = _find_rows(opened.parquet, columns, find, may_hold)
        if not found:
            return None
        splice = _Splice(opened)
        for number in range(len(opened.groups)):
            if number in found:
                splice.encode(number, edit, found[number])
            else:
                splice.copy(number)
        return splice.write(target, sum(pc.sum(marks).as_py() for marks in found.values()))


def _find_rows(
    parquet: "pq.ParquetFile", columns: Sequence[str], find: Find, may_hold: MayHold | None
) -> dict[int, "pa.ChunkedArray"]:
    import pyarrow.compute as pc

    found = {}
    for number in range(parquet.num_row_groups):
        if may_hold is not None and not may_hold(parquet.metadata.row_group(number)):
            continue
        marks = pc.fill_null(find(parquet.read_row_group(number, columns=list(columns))), fill_value=False)
        if pc.any(marks).as_py():
            found[number] = marks
    return found


class _Splice:
    """A new file, put together from row groups of the old one and row groups encoded anew."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._groups: list[tuple[Struct, list[Chunk]]] = []
        self._encoded = self._copied = self._bytes_encoded = self._kept = self._kept_hash = 0
        self._expected: dict[int, int] = {}

    def copy(self, number: int) -> None:
        """Take over a row group as it lies."""
        group = self._source.groups[number]
        self._groups.append((group, [Chunk(fields, self._source.file) for fields in get(group, CHUNKS)[1]]))
        self._copied += 1

    def encode(self, number: int, edit: Edit, marks: "pa.ChunkedArray") -> None:
        """Write a row group anew, with its rows edited."""
        encoded = encode_group(self._source, number, lambda rows: self._edit(edit, rows, marks))
        self._encoded += 1
        if encoded is not None:
            self._groups.append(encoded)
            self._bytes_encoded += sum(get(get(c.fields, CHUNK_META), COMPRESSED_BYTES) for c in encoded[1])

    def write(self, target: str, rows_found: int) -> Edited:
        """Write the file, unless no row is left."""
        rows = sum(get(group, ROWS) for group, _ in self._groups)
        size = self._write_file(target, rows) if rows else 0
        if rows:
            self._read_back(target)
        counts = (self._encoded, self._copied, self._bytes_encoded, size, self._kept, self._kept_hash)
        return Edited(rows_found, rows, *counts)

    def _edit(self, edit: Edit, rows: "pa.Table", marks: "pa.ChunkedArray") -> "pa.Table":
        """The edited rows of the group that comes next, of which all but those found are as they were."""
        import pyarrow.compute as pc

        others = pc.invert(marks)
        kept = rows.filter(others)
        before, edited = multisets.hash_multiset(kept), edit(rows, marks)
        is_filtered = edited.num_rows == kept.num_rows
        after = multisets.hash_multiset(edited if is_filtered else edited.filter(others))
        if before != after:
            raise _changed_others()
        self._kept += kept.num_rows
        self._kept_hash = multisets.add(self._kept_hash, before)
        if edited.num_rows:
            self._expected[len(self._groups)] = after if is_filtered else multisets.hash_multiset(edited)
        return edited

    def _read_back(self, target: str) -> None:
        """Hold what the new file says of the groups written anew against what was to be written.

        Raises:
            SophiluxError: it says something else.
        """
        system, path = storage.filesystem(target)
        with system.open_input_file(path) as file:
            written = Source(file, target)
            for number, expected in self._expected.items():
                if multisets.hash_multiset(written.read(number)) != expected:
                    raise _changed_others()

    def _write_file(self, target: str, rows: int) -> int:
        system, path = storage.filesystem(target)
        system.create_dir(path.rpartition("/")[0], recursive=True)
        with system.open_output_stream(path) as sink:
            out = _Output(sink)
            out.write(MAGIC)
            for ordinal, (group, chunks) in enumerate(self._groups):
                _move_group(group, chunks, out, ordinal)
            for move in (_move_bloom_filter, _move_column_index, _move_offset_index):
                for _, chunks in self._groups:
                    for chunk in chunks:
                        move(chunk, out)
            footer = dict(self._source.footer)
            put(footer, ROWS_OF_FILE, rows)
            put(footer, ROW_GROUPS, (get(self._source.footer, ROW_GROUPS)[0], [group for group, _ in self._groups]))
            description = write_struct(footer)
            out.write(description + len(description).to_bytes(4, "little") + MAGIC)
            return out.position


def _changed_others() -> SophiluxError:
    message = "Rows that were not to be changed would have changed; nothing was written. Please report this."
    return SophiluxError(message)


class _Output:
    """A stream that knows where it is."""

    def __init__(self, sink: Any) -> None:  # noqa: ANN401
        self._sink = sink
        self.position = 0

    def write(self, data: bytes) -> int:
        """Append bytes; returns where they start."""
        start = self.position
        self._sink.write(data)
        self.position += len(data)
        return start


def _move_group(group: Struct, chunks: list[Chunk], out: _Output, ordinal: int) -> None:
    start = out.position
    for chunk in chunks:
        _move_pages(chunk, out)
    for number, value in ((GROUP_OFFSET, start), (ORDINAL, ordinal)):
        if number in group:
            put(group, number, value)


def _move_pages(chunk: Chunk, out: _Output) -> None:
    meta = get(chunk.fields, CHUNK_META)
    first = min(offset for offset in (get(meta, DICTIONARY_PAGE), get(meta, DATA_PAGE)) if offset)
    chunk.moved_by = out.write(chunk.source.read_at(get(meta, COMPRESSED_BYTES), first)) - first
    for fields, numbers in ((meta, (DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE)), (chunk.fields, (CHUNK_OFFSET,))):
        for number in numbers:
            if get(fields, number):
                put(fields, number, get(fields, number) + chunk.moved_by)


def _move_bloom_filter(chunk: Chunk, out: _Output) -> None:
    meta = get(chunk.fields, CHUNK_META)
    offset, length = get(meta, BLOOM_FILTER), get(meta, BLOOM_FILTER_BYTES)
    if offset and length:
        put(meta, BLOOM_FILTER, out.write(chunk.source.read_at(length, offset)))
    else:
        meta.pop(BLOOM_FILTER, None)


def _move_column_index(chunk: Chunk, out: _Output) -> None:
    if get(chunk.fields, COLUMN_INDEX):
        blob = chunk.source.read_at(get(chunk.fields, COLUMN_INDEX_BYTES), get(chunk.fields, COLUMN_INDEX))
        put(chunk.fields, COLUMN_INDEX, out.write(blob))


def _move_offset_index(chunk: Chunk, out: _Output) -> None:
    fields = chunk.fields
    if not get(fields, OFFSET_INDEX):
        return
    index, _ = read_struct(chunk.source.read_at(get(fields, OFFSET_INDEX_BYTES), get(fields, OFFSET_INDEX)))
    for page in get(index, PAGE_LOCATIONS)[1]:
        put(page, PAGE_OFFSET, get(page, PAGE_OFFSET) + chunk.moved_by)
    blob = write_struct(index)
    put(fields, OFFSET_INDEX, out.write(blob))
    put(fields, OFFSET_INDEX_BYTES, len(blob))
