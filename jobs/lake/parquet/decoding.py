"""Open a Parquet file: its bytes, its footer as a tree, and its rows, some row groups at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import SophiluxError
from jobs.lake.parquet.footers import MAGIC, TAIL_BYTES, Struct, get, read_struct

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA: Final = 2
TYPE, REPETITION, CHILDREN, PRECISION = 1, 3, 5, 8
INT32, INT64, INT96 = 1, 2, 3
ROW_GROUPS: Final = 4
CHUNKS: Final = 1
CHUNK_DEPTH: Final = 2
"""What a row group says of its chunks is read so deep: their statistics and the like stay bytes."""
ENCRYPTION: Final = (8, 9)
FURTHEST: Final = (2**63 - 1) // 1000
"""Microseconds to or from 1970 that can be told in nanoseconds."""
BATCH_ROWS: Final = 64 * 1024
BATCH_BYTES: Final = 64 * 1024**2
"""Rows, and bytes once unpacked, that are read at once, unless a row group has more."""


@dataclass(frozen=True)
class Leaf:
    """One column of a file as Parquet stores it: its schema element, and the place of its top-level column."""

    element: Struct
    levels: tuple[int, ...]
    top: int

    @property
    def is_int96(self) -> bool:
        """A timestamp as Impala and old Spark wrote it."""
        return bool(get(self.element, TYPE) == INT96)

    @property
    def is_integer_decimal(self) -> bool:
        """A decimal stored as an integer, as Spark and Rust write it."""
        is_decimal = get(self.element, PRECISION) is not None
        return is_decimal and get(self.element, TYPE) in (INT32, INT64)


class RowGroups:
    """The rows of an open Parquet file.

    Attributes:
        file: its bytes.
        parquet: Arrow's reader of it.
        has_int96: true where a column is a timestamp of 96 bits.
        has_dictionaries: true where Arrow wrote dictionaries of its own, which hold values of any row.
    """

    def __init__(self, file: Any, *, has_int96: bool) -> None:  # noqa: ANN401
        from pyarrow import parquet as pq

        self.file, self.has_int96 = file, has_int96
        self.parquet = pq.ParquetFile(file)
        self.has_dictionaries = any(spell_out(kind) != kind for kind in self.parquet.schema_arrow.types)

    def count_rows(self, number: int) -> int:
        """Rows of a row group."""
        return int(self.parquet.metadata.row_group(number).num_rows)

    def plan_batches(self, numbers: Iterable[int]) -> Iterator[list[int]]:
        """Row groups that are read together; one by one where each may have timestamps or dictionaries of its own."""
        batch: list[int] = []
        rows = size = 0
        for number in numbers:
            group = self.parquet.metadata.row_group(number)
            rows, size = rows + group.num_rows, size + group.total_byte_size
            is_full = rows > BATCH_ROWS or size > BATCH_BYTES
            if batch and (is_full or self.has_int96 or self.has_dictionaries):
                yield batch
                batch, rows, size = [], group.num_rows, group.total_byte_size
            batch.append(number)
        if batch:
            yield batch

    def read(self, numbers: Sequence[int]) -> "pa.Table":
        """Row groups one after another; timestamps of 96 bits in microseconds where nanoseconds would not hold them.

        Raises:
            SophiluxError: neither would hold all of them.
        """
        from pyarrow import parquet as pq

        rows = self.parquet.read_row_groups(list(numbers))
        if not self.has_int96:
            return rows
        coarse = pq.ParquetFile(self.file, coerce_int96_timestamp_unit="us").read_row_groups(list(numbers))
        for place, column in enumerate(coarse.columns):
            if column.type != rows[place].type and _is_beyond(column, rows[place]):
                rows = rows.set_column(place, coarse.schema.field(place), column)
        return rows

    def complete(self, numbers: Sequence[int], known: "pa.Table") -> "pa.Table":
        """What :meth:`read` gives, where some columns were read before."""
        names = self.parquet.schema_arrow.names
        others = [name for name in names if name not in known.column_names]
        if self.has_int96 or not known.num_columns or len(others) + known.num_columns != len(names):
            return self.read(numbers)
        rows = self.parquet.read_row_groups(list(numbers), columns=others)
        if rows.column_names != others:  # a name with a dot in it can stand for a part of a column, too
            return self.read(numbers)
        for place, name in enumerate(names):
            if name in known.column_names:
                rows = rows.add_column(place, known.schema.field(name), known[name])
        return rows


class Source(RowGroups):
    """An open Parquet file whose row groups are to be written anew.

    Attributes:
        footer: its row groups are bytes, which :meth:`read_group` reads.
        footer_start: where it begins in the file.
        count: row groups.
        leaves: its stored columns in order.

    Raises:
        SophiluxError: the file is none of Parquet, or has encrypted columns.
    """

    def __init__(self, file: Any, name: str) -> None:  # noqa: ANN401
        self.footer, self.footer_start = _open_footer(file, name)
        self.count = len(get(self.footer, ROW_GROUPS)[1])
        self._groups: dict[int, Struct] = {}
        self.leaves = list_leaves(self.footer)
        super().__init__(file, has_int96=any(leaf.is_int96 for leaf in self.leaves))

    def read_group(self, number: int) -> Struct:
        """The description of a row group; the same tree whenever it is asked for."""
        if number not in self._groups:
            self._groups[number], _ = read_struct(get(self.footer, ROW_GROUPS)[1][number], depths={CHUNKS: CHUNK_DEPTH})
        return self._groups[number]


def cut_rows(rows: "pa.Table", counts: Iterable[int]) -> "Iterator[pa.Table]":
    """Rows in pieces of so many each.

    Raises:
        SophiluxError: there are more rows, or fewer.
    """
    ends = list(accumulate(counts, initial=0))
    if ends[-1] != rows.num_rows:
        message = f"A Parquet file tells of {ends[-1]:,} rows, but {rows.num_rows:,} were read or marked; it was left."
        raise SophiluxError(message)
    for start, end in pairwise(ends):
        yield rows.slice(start, end - start)


def spell_out(kind: "pa.DataType") -> "pa.DataType":
    """A type without dictionaries, in its parts either."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return spell_out(kind.value_type)
    is_nested = pa.types.is_nested(kind) and not isinstance(kind, pa.BaseExtensionType)
    parts = [kind.field(place) for place in range(kind.num_fields)] if is_nested else []
    plain = [part.with_type(spell_out(part.type)) for part in parts]
    if plain == parts:
        return kind
    if pa.types.is_map(kind):
        return pa.map_(*plain[0].type, keys_sorted=kind.keys_sorted)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain[0], kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct(plain)
    return pa.large_list(plain[0]) if pa.types.is_large_list(kind) else pa.list_(plain[0])


def _is_beyond(coarse: "pa.ChunkedArray", fine: "pa.ChunkedArray") -> bool:
    """True where nanoseconds do not hold all of a column, and microseconds do.

    Raises:
        SophiluxError: microseconds do not either, because some times are finer.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(coarse.type):
        return False
    fits = pc.less_equal(pc.abs(coarse.cast(pa.int64())), FURTHEST)
    if pc.all(fits).as_py() is not False:
        return False
    if not coarse.filter(fits).cast(fine.type).equals(fine.filter(fits)):
        message = "A Parquet file has times of 96 bits that are too fine beside others too far; it was left as it is."
        raise SophiluxError(message)
    return True


def list_leaves(footer: Struct) -> list[Leaf]:
    """The stored columns of a file in order."""
    elements = get(footer, SCHEMA)[1]
    leaves: list[Leaf] = []

    def walk(place: int, levels: tuple[int, ...], top: int) -> int:
        element = elements[place]
        repeated = (*levels, get(element, REPETITION, 0))
        children = get(element, CHILDREN, 0)
        if not children:
            leaves.append(Leaf(element, repeated, top))
        following = place + 1
        for _ in range(children):
            following = walk(following, repeated, top)
        return following

    following = 1
    for top in range(get(elements[0], CHILDREN, 0)):
        following = walk(following, (), top)
    return leaves


def _open_footer(file: Any, name: str) -> tuple[Struct, int]:  # noqa: ANN401
    size = file.size()
    tail = file.read_at(TAIL_BYTES, size - TAIL_BYTES) if size > TAIL_BYTES else b""
    if tail[4:] != MAGIC:
        message = f"{name} is not a Parquet file, or an encrypted one; it was left as it is."
        raise SophiluxError(message)
    length = int.from_bytes(tail[:4], "little")
    start = size - TAIL_BYTES - length
    footer, _ = read_struct(file.read_at(length, max(start, 0)), depths={ROW_GROUPS: 0})
    if any(number in footer for number in ENCRYPTION):
        message = f"{name} has encrypted columns; it was left as it is."
        raise SophiluxError(message)
    return footer, start
