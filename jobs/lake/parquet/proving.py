"""Hold the rows that an edit was to leave alone against what is written, and count them.

Of each row group written anew the rows are hashed as they were read, less those that were found; this is what the edit
must have left, and with the edited rows in their places, it is what the new file must give when it is read back, in
the same order. Row groups that were copied must have the same bytes in the new file, wherever its footer says they are.
The sum of the hashes (:mod:`jobs.lake.parquet.multisets`) is for the certificate.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xxhash

from jobs.errors import SophiluxError
from jobs.lake import storage
from jobs.lake.parquet.decoding import RowGroups, Source, cut_rows
from jobs.lake.parquet.multisets import Hashes, add, hash_rows, sum_up

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

BLOCK_BYTES: Final = 256 * 1024


class Proof:
    """The proof of one file.

    Attributes:
        kept: rows of the row groups written anew that were not to be changed.
        kept_hash: the sum of their hashes, before and after.
    """

    def __init__(self) -> None:
        self.kept = self.kept_hash = 0
        self._expected: dict[int, tuple[int, pa.Schema]] = {}
        self._emptied: set[int] = set()

    def check_edit(self, number: int, rows: "pa.Table", marks: "pa.ChunkedArray", edited: "pa.Table") -> None:
        """Take in a row group that was edited.

        Args:
            number: its number in the old file.
            rows: all its rows, as they were.
            marks: true for those that were to be changed.
            edited: the rows that are to be written: all, or those that were not to be changed.

        Raises:
            SophiluxError: other rows would change, or one that was found would not.
        """
        hashes, is_kept = hash_rows(rows), ~np.asarray(marks)
        kept = hashes[is_kept]
        expected = kept
        if edited.num_rows == rows.num_rows:
            expected = hash_rows(edited)
            if not np.array_equal(expected[is_kept], kept):
                raise _changed_others()
            if (expected == hashes)[~is_kept].any():
                message = "Rows that were to be changed would have stayed; nothing was written. Please report this."
                raise SophiluxError(message)
        elif edited.num_rows != len(kept):
            raise _changed_others()
        self.kept += len(kept)
        self.kept_hash = add(self.kept_hash, sum_up(kept))
        if edited.num_rows:
            self._expected[number] = _digest_order(expected), edited.schema
        else:
            self._emptied.add(number)

    def read_back(self, target: str, source: Source, rows: int) -> None:
        """Hold the new file against what was to be written, row group by row group.

        Args:
            target: the new file.
            source: the old one.
            rows: that the new one must have.

        Raises:
            SophiluxError: it says something else.
        """
        numbers = [number for number in range(source.count) if number not in self._emptied]
        system, path = storage.filesystem(target)
        with system.open_input_file(path) as file:
            written = RowGroups(file, has_int96=source.has_int96)
            groups = range(written.parquet.num_row_groups)
            if len(groups) != len(numbers) or sum(map(written.count_rows, groups)) != rows:
                raise _changed_others()
            self._read_encoded(written, numbers)
            for place, number in enumerate(numbers):
                if number not in self._expected and _describe(source, number) != _describe(written, place):
                    raise _changed_others()

    def _read_encoded(self, written: RowGroups, numbers: Sequence[int]) -> None:
        """Decode what was encoded; ``numbers`` are those of the old file, in the order of the new one."""
        encoded = (place for place, number in enumerate(numbers) if number in self._expected)
        for places in written.plan_batches(encoded):
            pieces = cut_rows(written.read(places), map(written.count_rows, places))
            for place, piece in zip(places, pieces, strict=True):
                expected, schema = self._expected[numbers[place]]
                # times of 96 bits are finer once the year that nanoseconds do not hold is gone
                if _digest_order(hash_rows(piece.cast(schema) if written.has_int96 else piece)) != expected:
                    raise _changed_others()


def _digest_order(hashes: Hashes) -> int:
    """A number that stands for rows in their order."""
    return xxhash.xxh3_64_intdigest(hashes.tobytes())


def _describe(file: RowGroups, number: int) -> tuple[Any, ...]:
    """What a row group that is copied keeps: rows, values, and a hash of all pages."""
    group = file.parquet.metadata.row_group(number)
    chunks = [group.column(place) for place in range(group.num_columns)]
    digest = xxhash.xxh3_64()
    for start, end in _join_neighbours(chunks):
        for at in range(start, end, BLOCK_BYTES):
            digest.update(file.file.read_at(min(BLOCK_BYTES, end - at), at))
    sizes = [(chunk.num_values, chunk.total_compressed_size) for chunk in chunks]
    return group.num_rows, sizes, digest.intdigest()


def _join_neighbours(chunks: "Sequence[pq.ColumnChunkMetaData]") -> list[tuple[int, int]]:
    """Where the pages of chunks lie, in the chunks' order; those that follow each other are one stretch."""
    stretches: list[tuple[int, int]] = []
    for chunk in chunks:
        start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)), default=0)
        end = start + chunk.total_compressed_size
        if stretches and stretches[-1][1] == start:
            start, _ = stretches.pop()
        stretches.append((start, end))
    return stretches


def _changed_others() -> SophiluxError:
    message = "Rows that were not to be changed would have changed; nothing was written. Please report this."
    return SophiluxError(message)
