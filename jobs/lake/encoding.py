"""Encode one row group of a Parquet file again, in the physical types, codecs and encodings it had."""

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import SophiluxError
from jobs.lake.footers import MAGIC, TAIL_BYTES, Struct, get, put, read_struct

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

SCHEMA: Final = 2
TYPE, TYPE_BYTES, REPETITION, CHILDREN, CONVERTED, SCALE, PRECISION, LOGICAL = 1, 2, 3, 5, 6, 7, 8, 10
SHAPE: Final = (TYPE, TYPE_BYTES, REPETITION, SCALE, PRECISION)
EXACT_LOGICAL: Final = (5, 7, 8, 10)
"""Decimal, time, timestamp and integer of the union of logical types: those that say how to read a number."""
INT32, INT64, INT96 = 1, 2, 3
ROW_GROUPS: Final = 4
ENCRYPTION: Final = (8, 9)
CHUNKS, GROUP_BYTES, ROWS, GROUP_COMPRESSED = 1, 2, 3, 6
CHUNK_META, COLUMN_INDEX = 3, 6
PATH, CODEC, BYTES, COMPRESSED_BYTES, KEY_VALUES, ENCODING_STATS = 3, 4, 6, 7, 8, 13
PAGE_KIND, PAGE_ENCODING, DATA_PAGE_V2 = 1, 2, 3
DATA_PAGES: Final = (0, DATA_PAGE_V2)
DICTIONARY_ENCODINGS: Final = (2, 8)
DICTIONARY_PAGE: Final = 11
PAGE_BYTES: Final = 2
PAGE_HEADER_BYTES: Final = 64
DICTIONARY_BYTES: Final = 1024**2
NANOSECOND_YEARS: Final = (1678, 2261)


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


@dataclass
class Chunk:
    """A column's part of a row group, and the file that its offsets point into."""

    fields: Struct
    source: Any
    moved_by: int = 0


class Source:
    """An open Parquet file: its bytes, its footer as a tree, and its rows.

    Attributes:
        footer: its row groups are bytes, which :meth:`read_group` reads.
        footer_start: where it begins in the file.
        count: row groups.

    Raises:
        SophiluxError: the file is none of Parquet, or has encrypted columns.
    """

    def __init__(self, file: Any, name: str) -> None:  # noqa: ANN401
        from pyarrow import parquet as pq

        self.file = file
        self.footer, self.footer_start = _open_footer(file, name)
        self.count = len(get(self.footer, ROW_GROUPS)[1])
        self._groups: dict[int, Struct] = {}
        self.leaves = list_leaves(self.footer)
        self.parquet = pq.ParquetFile(file)

    def read_group(self, number: int) -> Struct:
        """The description of a row group; the same tree whenever it is asked for."""
        if number not in self._groups:
            self._groups[number], _ = read_struct(get(self.footer, ROW_GROUPS)[1][number])
        return self._groups[number]

    def read(self, number: int) -> "pa.Table":
        """All columns of a row group; timestamps of 96 bits in microseconds where nanoseconds would not hold them."""
        return read_rows(self.parquet, self.file, number, has_int96=self.has_int96)

    @property
    def has_int96(self) -> bool:
        """True where a column is a timestamp of 96 bits."""
        return any(leaf.is_int96 for leaf in self.leaves)


def read_rows(parquet: "pq.ParquetFile", file: Any, number: int, *, has_int96: bool) -> "pa.Table":  # noqa: ANN401
    """What :meth:`Source.read` gives, of a file of which nothing else is to be known."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet as pq

    rows = parquet.read_row_group(number)
    if not has_int96:
        return rows
    coarse = pq.ParquetFile(file, coerce_int96_timestamp_unit="us").read_row_group(number)
    for place, column in enumerate(coarse.columns):
        if pa.types.is_timestamp(column.type) and len(column) > column.null_count:
            years = pc.min_max(pc.year(column)).as_py()
            if years["min"] < NANOSECOND_YEARS[0] or years["max"] > NANOSECOND_YEARS[1]:
                rows = rows.set_column(place, coarse.schema.field(place), column)
    return rows


def encode_group(
    source: Source, number: int, edit: "Callable[[pa.Table], pa.Table]"
) -> tuple[Struct, list[Chunk]] | None:
    """A row group with its rows edited.

    Args:
        source: the file.
        number: of the row group.
        edit: gets the rows and returns those to write, in the same schema.

    Returns:
        The new description, and the chunks in order; none when no row is left.

    Raises:
        SophiluxError: the types or codecs cannot be written again exactly.
    """
    import pyarrow as pa

    rows = edit(source.read(number))
    if rows.num_rows == 0:
        return None
    leaves, group = source.leaves, source.read_group(number)
    old = get(group, CHUNKS)[1]
    limit = _find_dictionary_limit(source, old)
    chunks: dict[int, Chunk] = {}
    for tops in _split_columns(leaves):
        own = [place for place, leaf in enumerate(leaves) if leaf.top in tops]
        data = _write(rows.select(sorted(tops)), source.parquet.metadata.row_group(number), own, leaves, old, limit)
        fresh = _read_footer(data)
        _check_same_types([leaves[place] for place in own], list_leaves(fresh))
        encoded = get(get(fresh, ROW_GROUPS)[1][0], CHUNKS)[1]
        chunks |= {p: Chunk(_adopt(old[p], c), pa.BufferReader(data)) for p, c in zip(own, encoded, strict=True)}
    ordered = [chunks[place] for place in range(len(leaves))]
    return _describe(group, rows.num_rows, ordered), ordered


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
    footer, _ = read_struct(file.read_at(length, max(start, 0)), folded={ROW_GROUPS})
    if any(number in footer for number in ENCRYPTION):
        message = f"{name} has encrypted columns; it was left as it is."
        raise SophiluxError(message)
    return footer, start


def _split_columns(leaves: Sequence[Leaf]) -> Iterator[set[int]]:
    """Places of top-level columns that one writer can write together."""
    kinds: dict[int, set[tuple[bool, bool]]] = {}
    for leaf in leaves:
        kinds.setdefault(leaf.top, set()).add((leaf.is_int96, leaf.is_integer_decimal))
    int96 = {top for top, found in kinds.items() if any(is_int96 for is_int96, _ in found)}
    integer = {top for top, found in kinds.items() if any(is_integer for _, is_integer in found)}
    for tops in (int96 & integer, int96 - integer, integer - int96, kinds.keys() - int96 - integer):
        if tops:
            yield set(tops)


def _find_dictionary_limit(source: Source, chunks: Sequence[Struct]) -> int:
    """Bytes of a dictionary over which the old writer gave it up, as far as a chunk shows where it did."""
    limits = []
    for meta in (get(chunk, CHUNK_META) for chunk in chunks):
        start = get(meta, DICTIONARY_PAGE)
        pages = get(meta, ENCODING_STATS, (0, []))[1]
        data_pages = [get(page, PAGE_ENCODING) for page in pages if get(page, PAGE_KIND) in DATA_PAGES]
        if start and not all(encoding in DICTIONARY_ENCODINGS for encoding in data_pages):
            header, _ = read_struct(source.file.read_at(PAGE_HEADER_BYTES, start))
            limits.append(get(header, PAGE_BYTES))
    return min(limits, default=DICTIONARY_BYTES)


def _write(
    rows: "pa.Table",
    group: "pq.RowGroupMetaData",
    own: Sequence[int],
    leaves: Sequence[Leaf],
    old: Sequence[Struct],
    dictionary_limit: int,
) -> bytes:
    from pyarrow import parquet as pq

    columns = [group.column(place) for place in own]
    codecs = {column.path_in_schema: column.compression.lower() for column in columns}
    is_v2 = any(
        get(stats, PAGE_KIND) == DATA_PAGE_V2
        for place in own
        for stats in get(get(old[place], CHUNK_META), ENCODING_STATS, (0, []))[1]
    )
    out = io.BytesIO()
    with pq.ParquetWriter(
        out,
        rows.schema.remove_metadata(),
        version="2.6",
        compression=_one_or_all(codecs),
        use_dictionary=_all_or_some(
            {c.path_in_schema: c.has_dictionary_page for c in columns if c.physical_type != "BOOLEAN"}
        ),
        dictionary_pagesize_limit=dictionary_limit,
        use_compliant_nested_type=not any(".list.item" in path for path in codecs),
        write_statistics=_all_or_some({c.path_in_schema: c.is_stats_set for c in columns}),
        write_page_index=any(COLUMN_INDEX in old[place] for place in own),
        data_page_version="2.0" if is_v2 else "1.0",
        use_deprecated_int96_timestamps=any(leaves[place].is_int96 for place in own),
        store_decimal_as_integer=any(leaves[place].is_integer_decimal for place in own),
        store_schema=False,
    ) as writer:
        writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    return out.getvalue()


def _one_or_all(codecs: dict[str, str]) -> Any:  # noqa: ANN401
    """One codec for all columns, or one for each."""
    translated = {path: {"uncompressed": "none", "lz4_raw": "lz4"}.get(c, c) for path, c in codecs.items()}
    chosen = set(translated.values())
    return chosen.pop() if len(chosen) == 1 else translated


def _all_or_some(flags: dict[str, bool]) -> Any:  # noqa: ANN401
    """True or false for all columns, or the names of those it is true for."""
    chosen = set(flags.values()) or {False}
    return chosen.pop() if len(chosen) == 1 else [path for path, flag in flags.items() if flag]


def _read_footer(data: bytes) -> Struct:
    length = int.from_bytes(data[-TAIL_BYTES:-4], "little")
    return read_struct(data[-TAIL_BYTES - length : -TAIL_BYTES])[0]


def _check_same_types(old: Sequence[Leaf], fresh: Sequence[Leaf]) -> None:
    """Hold stored types against each other.

    Raises:
        SophiluxError: one of them would be another.
    """
    same = len(old) == len(fresh) and all(
        a.levels == b.levels and _shape(a.element) == _shape(b.element) and _is_read_alike(a.element, b.element)
        for a, b in zip(old, fresh, strict=False)
    )
    if not same:
        message = "A Parquet file has types that cannot be written again exactly; it was left as it is."
        raise SophiluxError(message)


def _shape(element: Struct) -> tuple[Any, ...]:
    return tuple(get(element, number) or 0 for number in SHAPE)


def _is_read_alike(old: Struct, fresh: Struct) -> bool:
    both = get(old, LOGICAL), get(fresh, LOGICAL)
    if all(both):
        exact = [{number: union[number] for number in EXACT_LOGICAL if number in union} for union in both]
        return exact[0] == exact[1]
    converted = get(old, CONVERTED), get(fresh, CONVERTED)
    return None in converted or converted[0] == converted[1]


def _adopt(old: Struct, fresh: Struct) -> Struct:
    """A chunk encoded anew, under the name and with the notes of the one it replaces."""
    before, meta = get(old, CHUNK_META), get(fresh, CHUNK_META)
    if get(before, CODEC) != get(meta, CODEC):
        message = "A Parquet file has a codec that cannot be written again; it was left as it is."
        raise SophiluxError(message)
    kept = {PATH: before[PATH]} | {number: before[number] for number in (KEY_VALUES,) if number in before}
    adopted = dict(sorted({**meta, **kept}.items()))
    return {**fresh, CHUNK_META: (fresh[CHUNK_META][0], adopted)}


def _describe(group: Struct, rows: int, chunks: Collection[Chunk]) -> Struct:
    metas = [get(chunk.fields, CHUNK_META) for chunk in chunks]
    described = dict(group)
    put(described, CHUNKS, (get(group, CHUNKS)[0], [chunk.fields for chunk in chunks]))
    put(described, GROUP_BYTES, sum(get(meta, BYTES) for meta in metas))
    put(described, ROWS, rows)
    if GROUP_COMPRESSED in described:
        put(described, GROUP_COMPRESSED, sum(get(meta, COMPRESSED_BYTES) for meta in metas))
    return described
