"""Change some rows of a Parquet file and leave everything else of it as it is, byte for byte.

Only the row groups that hold one of the rows are decoded and encoded again; all others are copied as they lie, unless
Arrow wrote dictionaries of its own into the file: each of these has values of any row, so all are encoded again. The
description of the file stays what it was: schema with every logical type, key-value metadata, writer, sorting columns,
codecs, dictionaries, page indexes and Bloom filters of what was copied. A file whose types cannot be written again
exactly is refused, and nothing is written.

What was encoded is read back: the rows that were not to be changed must be the same ones as before, by their hashes,
and what was copied must be the same bytes, or the new file is thrown away.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from jobs.lake import storage
from jobs.lake.parquet import proving
from jobs.lake.parquet.decoding import Source, cut_rows
from jobs.lake.parquet.encoding import CHUNK_META, COMPRESSED_BYTES, ROWS, Encoder, Group
from jobs.lake.parquet.footers import get
from jobs.lake.parquet.splicing import Output, write_file

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

MARKS: Final = "marks"
FEW: Final = 16

Find = Callable[["pa.Table"], "pa.ChunkedArray"]
"""Gets some columns of one or more row groups; true where a row is to be changed."""
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
        rewriting = _Rewriting(opened, edit)
        for number, rows, marks in _find_rows(opened, columns, find, may_hold):
            rewriting.edit(number, rows, marks)
        if rewriting.rows_found and opened.has_dictionaries:
            rewriting.encode_others()
        return rewriting.write(target) if rewriting.rows_found else None


def drop_found(rows: "pa.Table", found: "pa.ChunkedArray") -> "pa.Table":
    """The edit that removes rows; what lies between few of them is not copied."""
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = np.flatnonzero(np.asarray(found))
    if len(gone) > FEW:
        return rows.filter(pc.invert(found))
    bounds = zip([0, *(gone + 1).tolist()], [*gone.tolist(), rows.num_rows], strict=True)
    return pa.concat_tables(rows.slice(first, last - first) for first, last in bounds if first < last or not first)


def _find_rows(
    source: Source, columns: Sequence[str], find: Find, may_hold: MayHold | None
) -> "Iterator[tuple[int, pa.Table, pa.ChunkedArray]]":
    """Row groups that hold rows to be changed: number, all columns, and true for those rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    look = may_hold or (lambda _: True)
    candidates = (number for number in range(source.count) if look(source.parquet.metadata.row_group(number)))
    for batch in source.plan_batches(candidates):
        known = source.parquet.read_row_groups(batch, columns=list(columns))
        found = pa.table({MARKS: pc.fill_null(find(known), fill_value=False)})
        counts = [source.count_rows(number) for number in batch]
        each = zip(batch, cut_rows(known, counts), cut_rows(found, counts), strict=True)
        hits = [hit for hit in each if pc.any(hit[2][MARKS]).as_py()]
        if hits:
            numbers = [number for number, _, _ in hits]
            rows = source.complete(numbers, pa.concat_tables(piece for _, piece, _ in hits))
            pieces = cut_rows(rows, map(source.count_rows, numbers))
            for (number, _, marks), piece in zip(hits, pieces, strict=True):
                yield number, piece, marks[MARKS]


class _Rewriting:
    """One file, of which some row groups are written anew."""

    def __init__(self, source: Source, edit: Edit) -> None:
        self._source, self._edit = source, edit
        self._encoder, self._proof = Encoder(source), proving.Proof()
        self._copied = set(range(source.count))
        self.rows_found = 0

    def edit(self, number: int, rows: "pa.Table", marks: "pa.ChunkedArray") -> None:
        """Take in a row group."""
        import pyarrow.compute as pc

        edited = self._edit(rows, marks)
        self._proof.check_edit(number, rows, marks, edited)
        self._encoder.add(number, edited)
        self._copied.remove(number)
        self.rows_found += pc.sum(marks).as_py() or 0

    def encode_others(self) -> None:
        """Take in all other row groups, because their dictionaries may hold what was found."""
        import pyarrow as pa

        for number in sorted(self._copied):
            rows = self._source.read([number])
            self.edit(number, rows, pa.chunked_array([pa.repeat(False, rows.num_rows)]))

    def write(self, target: str) -> Edited:
        """Write the file, unless no row is left."""
        encoded = self._encoder.finish()
        groups = [group for group in encoded.values() if group is not None]
        rows = sum(map(self._source.count_rows, self._copied)) + sum(get(fields, ROWS) for fields, _ in groups)
        size = self._write_file(target, encoded, rows) if rows else 0
        return Edited(
            rows_found=self.rows_found,
            rows=rows,
            groups_encoded=len(encoded),
            groups_copied=len(self._copied),
            bytes_encoded=sum(get(get(c.fields, CHUNK_META), COMPRESSED_BYTES) for _, chunks in groups for c in chunks),
            size=size,
            kept=self._proof.kept,
            kept_hash=self._proof.kept_hash,
        )

    def _write_file(self, target: str, encoded: Mapping[int, Group | None], rows: int) -> int:
        system, path = storage.filesystem(target)
        system.create_dir(path.rpartition("/")[0], recursive=True)
        with system.open_output_stream(path) as sink:
            out = Output(sink)
            write_file(self._source, encoded, out, rows)
        self._proof.read_back(target, self._source, rows)
        return out.position
