"""Encode row groups of a Parquet file again, in the physical types, codecs and encodings they had."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import SophiluxError
from jobs.lake.parquet.decoding import (
    CHUNK_DEPTH,
    CHUNKS,
    PRECISION,
    REPETITION,
    ROW_GROUPS,
    TYPE,
    Leaf,
    Source,
    list_leaves,
    spell_out,
)
from jobs.lake.parquet.footers import TAIL_BYTES, Struct, get, put, read_struct

if TYPE_CHECKING:
    import pyarrow as pa

TYPE_BYTES, CONVERTED, SCALE, LOGICAL = 2, 6, 7, 10
SHAPE: Final = (TYPE, TYPE_BYTES, REPETITION, SCALE, PRECISION)
EXACT_LOGICAL: Final = (5, 7, 8, 10)
"""Decimal, time, timestamp and integer of the union of logical types: those that say how to read a number."""
GROUP_BYTES, ROWS, GROUP_COMPRESSED = 2, 3, 6
CHUNK_META, COLUMN_INDEX = 3, 6
PATH, CODEC, BYTES, COMPRESSED_BYTES, KEY_VALUES, ENCODING_STATS = 3, 4, 6, 7, 8, 13
PAGE_KIND, PAGE_ENCODING, PAGE_COUNT = 1, 2, 3
DATA_PAGE_V2: Final = 3
DATA_PAGES: Final = (0, DATA_PAGE_V2)
DICTIONARY_ENCODINGS: Final = (2, 8)


@dataclass
class Chunk:
    """A column's part of a row group, and the file that its offsets point into."""

    fields: Struct
    source: Any
    moved_by: int = 0


Group = tuple[Struct, list[Chunk]]
"""The description of a row group, and its chunks in order."""


class Encoder:
    """Encodes row groups of one file; all that are written alike go through one writer."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._writers: dict[tuple[_Style, pa.Schema], _Writer] = {}
        self._rows: dict[int, int] = {}

    def add(self, number: int, rows: "pa.Table") -> None:
        """Take in the rows that a row group is to have, in the schema it had; with none it will be gone.

        Raises:
            SophiluxError: its types cannot be written again exactly.
        """
        import pyarrow as pa

        self._rows[number] = rows.num_rows
        if not rows.num_rows:
            return
        _check_times(self._source.leaves)
        if self._source.has_dictionaries:  # Arrow would write them whole, with what no row has any more
            rows = rows.cast(pa.schema([field.with_type(spell_out(field.type)) for field in rows.schema]))
        for tops in _split_columns(self._source.leaves):
            style, part = _find_style(self._source, number, tops), rows.select(sorted(tops))
            key = style, part.schema.remove_metadata()
            if key not in self._writers:
                self._writers[key] = _Writer(self._source, *key)
            self._writers[key].add(number, part)

    def finish(self) -> dict[int, Group | None]:
        """What became of each row group, by its number.

        Raises:
            SophiluxError: the types or codecs cannot be written again exactly.
        """
        chunks: dict[int, dict[int, Chunk]] = {number: {} for number in self._rows}
        for writer in self._writers.values():
            for number, place, chunk in writer.finish():
                chunks[number][place] = chunk
        return {number: self._describe(number, rows, chunks[number]) for number, rows in self._rows.items()}

    def _describe(self, number: int, rows: int, by_place: dict[int, Chunk]) -> Group | None:
        chunks = [by_place[place] for place in sorted(by_place)]
        return (_describe(self._source.read_group(number), rows, chunks), chunks) if rows else None


@dataclass(frozen=True)
class _Style:
    """How the columns of a row group are written; row groups of one style can share a writer."""

    places: tuple[int, ...]
    codecs: tuple[tuple[str, str], ...]
    dictionaries: tuple[str, ...]
    statistics: tuple[str, ...]
    has_page_index: bool
    is_v2: bool

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.codecs]


def _find_style(source: Source, number: int, tops: Collection[int]) -> _Style:
    places = tuple(place for place, leaf in enumerate(source.leaves) if leaf.top in tops)
    chunks = get(source.read_group(number), CHUNKS)[1]
    own = [chunks[place] for place in places]
    group = source.parquet.metadata.row_group(number)
    columns = [group.column(place) for place in places]
    return _Style(
        places=places,
        codecs=tuple((column.path_in_schema, column.compression.lower()) for column in columns),
        dictionaries=tuple(
            column.path_in_schema
            for column, chunk in zip(columns, own, strict=True)
            if column.physical_type != "BOOLEAN" and column.has_dictionary_page and not _gave_dictionary_up(chunk)
        ),
        statistics=tuple(column.path_in_schema for column in columns if column.is_stats_set),
        has_page_index=any(COLUMN_INDEX in chunk for chunk in own),
        is_v2=any(kind == DATA_PAGE_V2 for chunk in own for kind, _, _ in _list_encodings(chunk)),
    )


def _list_encodings(chunk: Struct) -> list[tuple[int, int, int]]:
    """Kinds and encodings of a chunk's pages, and how many are so; nothing where the old writer did not tell."""
    return list(map(_read_encoding, get(get(chunk, CHUNK_META), ENCODING_STATS, (0, []))[1]))


@lru_cache(maxsize=1024)
def _read_encoding(described: bytes) -> tuple[int, int, int]:
    fields, _ = read_struct(described)
    return get(fields, PAGE_KIND), get(fields, PAGE_ENCODING), get(fields, PAGE_COUNT)


def _gave_dictionary_up(chunk: Struct) -> bool:
    """True where the dictionary grew too long for the old writer before half of the pages were written.

    To begin with one again would cost as much as all else, for a chunk that is no smaller.
    """
    pages = [(encoding, count) for kind, encoding, count in _list_encodings(chunk) if kind in DATA_PAGES]
    plain = sum(count for encoding, count in pages if encoding not in DICTIONARY_ENCODINGS)
    return plain > 0 and 2 * plain >= sum(count for _, count in pages)


class _Writer:
    """One Parquet file in memory, which row groups are taken from."""

    def __init__(self, source: Source, style: _Style, schema: "pa.Schema") -> None:
        import pyarrow as pa
        from pyarrow import parquet as pq

        self._source, self._style = source, style
        self._numbers: list[int] = []
        self._sink = pa.BufferOutputStream()
        leaves = [source.leaves[place] for place in style.places]
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            version="2.6",
            compression=_one_or_all(style.codecs),
            use_dictionary=_all_or_some(style.dictionaries, style.paths),
            use_compliant_nested_type=not any(".list.item" in path for path in style.paths),
            write_statistics=_all_or_some(style.statistics, style.paths),
            write_page_index=style.has_page_index,
            data_page_version="2.0" if style.is_v2 else "1.0",
            use_deprecated_int96_timestamps=any(leaf.is_int96 for leaf in leaves),
            store_decimal_as_integer=any(leaf.is_integer_decimal for leaf in leaves),
            store_schema=False,
        )

    def add(self, number: int, rows: "pa.Table") -> None:
        """Encode some columns of a row group."""
        self._writer.write_table(rows, row_group_size=rows.num_rows)
        self._numbers.append(number)

    def finish(self) -> Iterator[tuple[int, int, Chunk]]:
        """Number of the row group, place of the column, and the chunk."""
        import pyarrow as pa

        self._writer.close()
        data = self._sink.getvalue()
        file = pa.BufferReader(data)
        fresh = _read_footer(data)
        _check_same_types([self._source.leaves[place] for place in self._style.places], list_leaves(fresh))
        for number, group in zip(self._numbers, get(fresh, ROW_GROUPS)[1], strict=True):
            old = get(self._source.read_group(number), CHUNKS)[1]
            for place, chunk in zip(self._style.places, get(group, CHUNKS)[1], strict=True):
                yield number, place, Chunk(_adopt(old[place], chunk), file)


def _check_times(leaves: Sequence[Leaf]) -> None:
    """Refuse timestamps of 96 bits in lists and structs, which Arrow reads as nanoseconds whatever their year.

    Raises:
        SophiluxError: there are some.
    """
    if any(leaf.is_int96 and len(leaf.levels) > 1 for leaf in leaves):
        message = (
            "A Parquet file has times of 96 bits inside of other columns, which are not safe to write; it was left."
        )
        raise SophiluxError(message)


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


def _one_or_all(codecs: Sequence[tuple[str, str]]) -> Any:  # noqa: ANN401
    """One codec for all columns, or one for each."""
    translated = {path: {"uncompressed": "none", "lz4_raw": "lz4"}.get(codec, codec) for path, codec in codecs}
    chosen = set(translated.values())
    return chosen.pop() if len(chosen) == 1 else translated


def _all_or_some(chosen: Sequence[str], paths: Sequence[str]) -> Any:  # noqa: ANN401
    """True or false for all columns, or the names of those it is true for."""
    return list(chosen) if 0 < len(chosen) < len(paths) else bool(chosen)


def _read_footer(data: "pa.Buffer") -> Struct:
    tail = memoryview(data)[-TAIL_BYTES:]
    end = len(memoryview(data)) - TAIL_BYTES
    footer = bytes(memoryview(data)[end - int.from_bytes(tail[:4], "little") : end])
    return read_struct(footer, depths={ROW_GROUPS: 1 + CHUNK_DEPTH})[0]


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
