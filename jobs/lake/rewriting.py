"""Change some rows of a Parquet file and leave everything else of it as it is, byte for byte.

Only the row groups that hold one of the rows are decoded and encoded again; all others are copied as they lie. The
description of the file stays what it was: schema with every logical type, key-value metadata, writer, sorting columns,
codecs, dictionaries, page indexes and Bloom filters of what was copied. A file whose types cannot be written again
exactly is refused, and nothing is written.

What was encoded is read back: the rows that were not to be changed must be the same ones as before, by the sum of
their hashes, or the new file is thrown away.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from jobs.lake import proving, storage
from jobs.lake.encoding import CHUNK_META, COMPRESSED_BYTES, ROWS, Source, encode_group
from jobs.lake.footers import get
from jobs.lake.splicing import Group, Output, write_file

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

Find = Callable[["pa.Table"], "pa.ChunkedArray"]
"""Gets some columns of a row group; true where a row is to be changed."""
Edit = Callable[["pa.Table", "pa.ChunkedArray"], "pa.Table"]
"""Gets all columns of a row group and the rows found; returns those to write, in the same schema."""
MayHold = Callable[["pq.RowGroupMetaData"], bool]
"""Tells from a row group's statistics whether it can hold a row that is looked for."""


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
    system, path = storage.filesystem(source)
    with system.open_input_file(path) as file:
        opened = Source(file, source)
        found = _find_rows(opened.parquet, columns, find, may_hold)
        return _Rewriting(opened, found, edit).write(target) if found else None


def drop_found(rows: "pa.Table", found: "pa.ChunkedArray") -> "pa.Table":
    """The edit that removes rows."""
    import pyarrow.compute as pc

    return rows.filter(pc.invert(found))


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


class _Rewriting:
    """One file, of which some row groups are written anew."""

    def __init__(self, source: Source, found: Mapping[int, "pa.ChunkedArray"], edit: Edit) -> None:
        self._source, self._found, self._edit = source, found, edit
        self._proof = proving.Proof()

    def write(self, target: str) -> Edited:
        """Write the file, unless no row is left."""
        import pyarrow.compute as pc

        encoded = self._encode()
        groups = [group for group in encoded.values() if group is not None]
        rows = self._count_copied() + sum(get(fields, ROWS) for fields, _ in groups)
        size = self._write_file(target, encoded, rows) if rows else 0
        return Edited(
            rows_found=sum(pc.sum(marks).as_py() for marks in self._found.values()),
            rows=rows,
            groups_encoded=len(encoded),
            groups_copied=self._source.count - len(encoded),
            bytes_encoded=sum(get(get(c.fields, CHUNK_META), COMPRESSED_BYTES) for _, chunks in groups for c in chunks),
            size=size,
            kept=self._proof.kept,
            kept_hash=self._proof.kept_hash,
        )

    def _encode(self) -> dict[int, Group | None]:
        encoded: dict[int, Group | None] = {}
        gone = 0
        for number, marks in self._found.items():
            place = number - gone
            encoded[number] = encode_group(self._source, number, partial(self._edit_rows, marks=marks, place=place))
            gone += encoded[number] is None
        return encoded

    def _edit_rows(self, rows: "pa.Table", *, marks: "pa.ChunkedArray", place: int) -> "pa.Table":
        kept = drop_found(rows, marks)
        edited = kept if self._edit is drop_found else self._edit(rows, marks)
        self._proof.check_edit(place, kept, marks, edited)
        return edited

    def _count_copied(self) -> int:
        metadata = self._source.parquet.metadata
        return sum(metadata.row_group(n).num_rows for n in range(self._source.count) if n not in self._found)

    def _write_file(self, target: str, encoded: Mapping[int, Group | None], rows: int) -> int:
        system, path = storage.filesystem(target)
        system.create_dir(path.rpartition("/")[0], recursive=True)
        with system.open_output_stream(path) as sink:
            out = Output(sink)
            write_file(self._source, encoded, out, rows)
        self._proof.read_back(target, self._source)
        return out.position
