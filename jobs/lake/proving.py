"""Hold the rows that an edit was to leave alone against what is written, and count them.

The proof is a sum over hashes of rows (:mod:`jobs.lake.multisets`), taken of the rows as they were read and again of
the file as it was written; between them, the edit itself must have left the other rows as they were, value by value.
"""

from typing import TYPE_CHECKING

from jobs.errors import SophiluxError
from jobs.lake import multisets, storage
from jobs.lake.encoding import Source, read_rows

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
        self._expected: dict[int, int] = {}

    def check_edit(self, place: int, kept: "pa.Table", marks: "pa.ChunkedArray", edited: "pa.Table") -> None:
        """Take in a row group that was edited.

        Args:
            place: its number in the new file.
            kept: the rows that were not to be changed, as they were.
            marks: true for the others among all rows.
            edited: the rows that are to be written.

        Raises:
            SophiluxError: other rows would change.
        """
        import pyarrow.compute as pc

        is_filtered = edited.num_rows == kept.num_rows
        kept_hash = multisets.hash_multiset(kept)
        others = edited if is_filtered else edited.filter(pc.invert(marks))
        if others is not kept and not _are_same(kept, others, kept_hash):
            raise _changed_others()
        self.kept += kept.num_rows
        self.kept_hash = multisets.add(self.kept_hash, kept_hash)
        if edited.num_rows:
            self._expected[place] = kept_hash if is_filtered else multisets.hash_multiset(edited)

    def read_back(self, target: str, source: Source) -> None:
        """Hold what the new file says of the row groups written anew against what was to be written.

        Raises:
            SophiluxError: it says something else.
        """
        from pyarrow import parquet as pq

        system, path = storage.filesystem(target)
        with system.open_input_file(path) as file:
            written = pq.ParquetFile(file, read_dictionary=_list_texts(source))
            for place, expected in self._expected.items():
                rows = read_rows(written, file, place, has_int96=source.has_int96)
                if multisets.hash_multiset(rows) != expected:
                    raise _changed_others()


def _list_texts(source: Source) -> list[str]:
    """Columns of texts, whose hashes cost less where each text is read once."""
    import pyarrow as pa

    return [field.name for field in source.parquet.schema_arrow if field.type in (pa.string(), pa.binary())]


def _are_same(kept: "pa.Table", others: "pa.Table", kept_hash: int) -> bool:
    """Compare by values, which is quick, and by hashes where values such as NaN are not equal to themselves."""
    return kept.equals(others) or multisets.hash_multiset(others) == kept_hash


def _changed_others() -> SophiluxError:
    message = "Rows that were not to be changed would have changed; nothing was written. Please report this."
    return SophiluxError(message)
