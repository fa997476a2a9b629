"""Hold the rows that an edit was to leave alone against what is written, and count them.

The proof is a sum over hashes of rows (:mod:`jobs.lake.parquet.multisets`). Of each row group written anew it is taken
of the rows as they were read, less those that were found; this is what the edit must have left, and with the edited
rows added, it is what the new file must give when it is read back.
"""

from typing import TYPE_CHECKING

import numpy as np

from jobs.errors import SophiluxError
from jobs.lake import storage
from jobs.lake.parquet.decoding import RowGroups, Source, cut_rows
from jobs.lake.parquet.multisets import add, hash_multiset, hash_rows, sum_up

if TYPE_CHECKING:
    import pyarrow as pa


class Proof:
    """The proof of one file.

    Attributes:
        kept: rows of the row groups written anew that were not to be changed.
        kept_hash: the sum of their hashes, before and after.
    """

    def __init__(self) -> None:
        self.kept = self.kept_hash = 0
        self._expected: dict[int, tuple[int, pa.Schema]] = {}

    def check_edit(self, place: int, rows: "pa.Table", marks: "pa.ChunkedArray", edited: "pa.Table") -> None:
        """Take in a row group that was edited.

        Args:
            place: its number in the new file.
            rows: all its rows, as they were.
            marks: true for those that were to be changed.
            edited: the rows that are to be written: all, or those that were not to be changed.

        Raises:
            SophiluxError: other rows would change.
        """
        hashes, is_kept = hash_rows(rows), ~np.asarray(marks)
        kept, kept_hash = int(is_kept.sum()), sum_up(hashes[is_kept])
        expected = kept_hash
        if edited.num_rows == rows.num_rows:
            changed = hash_rows(edited)
            if not np.array_equal(changed[is_kept], hashes[is_kept]):
                raise _changed_others()
            expected = sum_up(changed)
        elif edited.num_rows != kept:
            raise _changed_others()
        self.kept += kept
        self.kept_hash = add(self.kept_hash, kept_hash)
        if edited.num_rows:
            self._expected[place] = expected, edited.schema

    def read_back(self, target: str, source: Source, rows: int) -> None:
        """Hold what the new file says of the row groups written anew against what was to be written.

        Args:
            target: the new file.
            source: the old one.
            rows: that the new one must have.

        Raises:
            SophiluxError: it says something else.
        """
        system, path = storage.filesystem(target)
        with system.open_input_file(path) as file:
            written = RowGroups(file, has_int96=source.has_int96)
            if sum(map(written.count_rows, range(written.parquet.num_row_groups))) != rows:
                raise _changed_others()
            for places in written.plan_batches(self._expected):
                pieces = cut_rows(written.read(places), map(written.count_rows, places))
                for place, piece in zip(places, pieces, strict=True):
                    expected, schema = self._expected[place]
                    # times of 96 bits are finer once the year that nanoseconds do not hold is gone
                    if hash_multiset(piece.cast(schema) if source.has_int96 else piece) != expected:
                        raise _changed_others()


def _changed_others() -> SophiluxError:
    message = "Rows that were not to be changed would have changed; nothing was written. Please report this."
    return SophiluxError(message)
