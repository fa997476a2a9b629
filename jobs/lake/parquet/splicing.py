"""Put a Parquet file together from row groups of an old one, as they lie, and row groups encoded anew.

A new row group takes the place of the old one, or comes behind all others where it is longer. All others stay where
they are, and with them what the footer says of them, so that the file is copied in one go. What is left of the places
is zeros, and so is all that the old row groups had elsewhere. Where that would waste too much, the row groups are moved
together, and every offset is told anew.

References:
    Apache Parquet, file format, ``parquet.thrift``; its own writer for Java leaves zeros between row groups, too.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.lake.parquet.decoding import CHUNKS, ROW_GROUPS, Source
from jobs.lake.parquet.encoding import CHUNK_META, COMPRESSED_BYTES, Chunk, Group
from jobs.lake.parquet.footers import MAGIC, Struct, get, put, read_struct, write_struct

ROWS_OF_FILE: Final = 3
GROUP_OFFSET, ORDINAL = 5, 7
CHUNK_OFFSET: Final = 2
OFFSET_INDEX, OFFSET_INDEX_BYTES, COLUMN_INDEX, COLUMN_INDEX_BYTES = 4, 5, 6, 7
DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, BLOOM_FILTER, BLOOM_FILTER_BYTES = 9, 10, 11, 14, 15
PAGE_LOCATIONS, PAGE_OFFSET = 1, 1
BLOCK_BYTES: Final = 4 * 1024**2
WASTE: Final = 0.1
"""Part of a file that may be zeros."""

Encoded = Mapping[int, Group | None]
"""Row groups encoded anew by their numbers; none for one of which no row is left."""
Patch = tuple[int, int, bytes]
"""Bytes that take the place from one offset to another; zeros follow them up to its end."""


@dataclass
class Output:
    """A stream that knows where it is."""

    sink: Any = field(default_factory=io.BytesIO)
    position: int = 0

    def write(self, data: bytes) -> int:
        """Append bytes; returns where they start."""
        start = self.position
        self.sink.write(data)
        self.position += len(data)
        return start


def write_file(source: Source, encoded: Encoded, out: Output, rows: int) -> None:
    """Write the file anew.

    Args:
        source: the old file.
        encoded: row groups that take the place of those of the same number.
        out: the new file, at its beginning.
        rows: of the new file.
    """
    places = _plan_in_place(source, encoded)
    groups = _write_in_order(source, encoded, out) if places is None else _write_in_place(source, encoded, places, out)
    footer = dict(source.footer)
    put(footer, ROWS_OF_FILE, rows)
    put(footer, ROW_GROUPS, (get(source.footer, ROW_GROUPS)[0], groups))
    description = write_struct(footer)
    out.write(description + len(description).to_bytes(4, "little") + MAGIC)


@dataclass(frozen=True)
class _Place:
    """Where a row group lies that is written anew, and what takes its place."""

    new: Group
    old: list[Struct]
    start: int
    end: int

    @property
    def fits(self) -> bool:
        """True where the new one is no longer than the old."""
        return self.size <= self.end - self.start

    @property
    def size(self) -> int:
        """Bytes of the new one."""
        return sum(get(get(chunk.fields, CHUNK_META), COMPRESSED_BYTES) for chunk in self.new[1])


def _plan_in_place(source: Source, encoded: Encoded) -> list[_Place] | None:
    """The places of the row groups written anew; none where too much would be zeros, or one cannot be told."""
    places = []
    for number, group in sorted(encoded.items()):
        old = get(source.read_group(number), CHUNKS)[1]
        ranges = sorted(_find_pages(chunk) for chunk in old)
        start, end = ranges[0][0], ranges[-1][1]
        is_whole = end - start == sum(last - first for first, last in ranges)
        if group is None or not is_whole or any(map(_has_endless_filter, old)):
            return None
        places.append(_Place(group, old, start, end))
    return places if _is_dense(source, encoded, places) else None


def _is_dense(source: Source, encoded: Encoded, places: Sequence[_Place]) -> bool:
    """True when few bytes will be zeros, those that earlier edits left among them."""
    metadata = source.parquet.metadata
    others = [number for number in range(source.count) if number not in encoded]
    live = sum(
        group.column(place).total_compressed_size
        for group in map(metadata.row_group, others)
        for place in range(group.num_columns)
    )
    live += sum(place.size for place in places if place.fits)
    most = WASTE * source.footer_start
    if source.footer_start - live > most and any(True for place in places for _ in _erase_extras(place.old)):
        # Indexes and filters count as well, but where they lie costs the reading of every description.
        chunks = [chunk for number in others for chunk in get(source.read_group(number), CHUNKS)[1]]
        live += sum(end - start for start, end, _ in _erase_extras(chunks))
    return bool(source.footer_start - live <= most)


def _find_pages(chunk: Struct) -> tuple[int, int]:
    """Where the pages of a chunk lie; the chunks of a row group without rows may have none, and no place."""
    meta = get(chunk, CHUNK_META)
    start = min((offset for offset in (get(meta, DICTIONARY_PAGE), get(meta, DATA_PAGE)) if offset), default=0)
    return start, start + get(meta, COMPRESSED_BYTES)


def _has_endless_filter(chunk: Struct) -> bool:
    """True for a Bloom filter whose end is not told."""
    meta = get(chunk, CHUNK_META)
    return bool(get(meta, BLOOM_FILTER)) and not get(meta, BLOOM_FILTER_BYTES)


def _erase_extras(chunks: Sequence[Struct]) -> Iterator[Patch]:
    """Zeros over the indexes and filters of chunks, which tell values of their rows."""
    for chunk in chunks:
        meta = get(chunk, CHUNK_META)
        for fields, offset, size in (
            (chunk, COLUMN_INDEX, COLUMN_INDEX_BYTES),
            (chunk, OFFSET_INDEX, OFFSET_INDEX_BYTES),
            (meta, BLOOM_FILTER, BLOOM_FILTER_BYTES),
        ):
            if get(fields, offset) and get(fields, size):
                yield get(fields, offset), get(fields, offset) + get(fields, size), b""


def _write_in_place(source: Source, encoded: Encoded, places: list[_Place], out: Output) -> list[Struct | bytes]:
    """Copy the file with patches, then what found no place; the chunks' fields are set to where they are."""
    patches = [patch for place in places for patch in (_fill(place), *_erase_extras(place.old))]
    for start, end, data in sorted(patches):
        _copy(source, out, start)
        out.write(data.ljust(end - start, b"\0"))
    _copy(source, out, source.footer_start)
    for place in places:
        if not place.fits:
            _write_group(place.new, out)
    _write_extras([place.new for place in places], out)
    groups: list[Struct | bytes] = list(get(source.footer, ROW_GROUPS)[1])
    for number, group in encoded.items():
        groups[number] = group[0] if group is not None else groups[number]
    return groups


def _fill(place: _Place) -> Patch:
    pages = Output(position=place.start)
    if place.fits:
        _write_group(place.new, pages)
    return place.start, place.end, pages.sink.getvalue()


def _write_group(group: Group, out: Output) -> None:
    fields, chunks = group
    start = out.position
    for chunk in chunks:
        _move_pages(chunk, out)
    if GROUP_OFFSET in fields:
        put(fields, GROUP_OFFSET, start)


def _copy(source: Source, out: Output, end: int) -> None:
    while out.position < end:
        out.write(source.file.read_at(min(BLOCK_BYTES, end - out.position), out.position))


def _write_in_order(source: Source, encoded: Encoded, out: Output) -> list[Struct | bytes]:
    groups = []
    for number in range(source.count):
        group = encoded[number] if number in encoded else _take_over(source, number)
        if group is not None:
            groups.append(group)
    out.write(MAGIC)
    for ordinal, group in enumerate(groups):
        _write_group(group, out)
        if ORDINAL in group[0]:
            put(group[0], ORDINAL, ordinal)
    _write_extras(groups, out)
    return [fields for fields, _ in groups]


def _take_over(source: Source, number: int) -> Group:
    fields = source.read_group(number)
    return fields, [Chunk(chunk, source.file) for chunk in get(fields, CHUNKS)[1]]


def _write_extras(groups: Sequence[Group], out: Output) -> None:
    for move in (_move_bloom_filter, _move_column_index, _move_offset_index):
        for _, chunks in groups:
            for chunk in chunks:
                move(chunk, out)


def _move_pages(chunk: Chunk, out: Output) -> None:
    meta = get(chunk.fields, CHUNK_META)
    first, last = _find_pages(chunk.fields)
    chunk.moved_by = out.write(chunk.source.read_at(last - first, first)) - first
    for fields, numbers in ((meta, (DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE)), (chunk.fields, (CHUNK_OFFSET,))):
        for number in numbers:
            if get(fields, number):
                put(fields, number, get(fields, number) + chunk.moved_by)


def _move_bloom_filter(chunk: Chunk, out: Output) -> None:
    meta = get(chunk.fields, CHUNK_META)
    offset, length = get(meta, BLOOM_FILTER), get(meta, BLOOM_FILTER_BYTES)
    if offset and length:
        put(meta, BLOOM_FILTER, out.write(chunk.source.read_at(length, offset)))
    else:
        meta.pop(BLOOM_FILTER, None)


def _move_column_index(chunk: Chunk, out: Output) -> None:
    if get(chunk.fields, COLUMN_INDEX):
        blob = chunk.source.read_at(get(chunk.fields, COLUMN_INDEX_BYTES), get(chunk.fields, COLUMN_INDEX))
        put(chunk.fields, COLUMN_INDEX, out.write(blob))


def _move_offset_index(chunk: Chunk, out: Output) -> None:
    fields = chunk.fields
    if not get(fields, OFFSET_INDEX):
        return
    index, _ = read_struct(chunk.source.read_at(get(fields, OFFSET_INDEX_BYTES), get(fields, OFFSET_INDEX)))
    for page in get(index, PAGE_LOCATIONS)[1]:
        put(page, PAGE_OFFSET, get(page, PAGE_OFFSET) + chunk.moved_by)
    blob = write_struct(index)
    put(fields, OFFSET_INDEX, out.write(blob))
    put(fields, OFFSET_INDEX_BYTES, len(blob))
