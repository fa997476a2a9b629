"""A number that stands for the rows of a table in any order: the sum of a 64-bit hash of each row.

Two tables of the same rows have the same sum, whatever order, row groups or encodings they are in; adding or removing
rows adds or subtracts theirs. It guards against mistakes, not against somebody who chooses rows with care, and it says
nothing about any row.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
import xxhash
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Hashes = NDArray[np.uint64]
STEP: Final = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
NULL: Final = np.uint64(0xD6E8FEB86659FD93)
SIXTY_FOUR_BITS: Final = 2**64
BLOCK_BYTES: Final = 1 << 18
LONG: Final = 256
"""Bytes of a text above which it is hashed on its own."""
MASKS: Final = np.array([2 ** (8 * count) - 1 for count in range(9)], np.uint64)
"""What is left of a word that has so many bytes of a text."""
SPREAD: Final = np.random.Generator(np.random.PCG64(0)).integers(0, 2**64, 256, np.uint64)
"""A number for each byte, so that texts of few letters are spread."""


def hash_multiset(rows: "pa.Table") -> int:
    """The sum over all rows; 0 for none."""
    return sum_up(hash_rows(rows))


def sum_up(hashes: Hashes) -> int:
    """The sum of some rows, of :func:`hash_rows`."""
    return int(hashes.sum(dtype=np.uint64))


def add(one: int, other: int) -> int:
    """The sum of two sums."""
    return (one + other) % SIXTY_FOUR_BITS


def hash_rows(rows: "pa.Table") -> Hashes:
    """A hash of each row, over all columns in order; null is a value of its own."""
    hashes = np.full(rows.num_rows, STEP)  # else a row of zeros would add nothing
    with np.errstate(over="ignore"):
        for column in rows.columns:
            _fold(hashes, _read_column(column))
    return mix(hashes)


def _fold(hashes: Hashes, words: Hashes | np.uint64) -> None:
    """Take a word for each row into its hash; it is shifted first, because no product spreads the highest bit."""
    hashes ^= words
    hashes ^= hashes >> np.uint64(32)
    hashes *= FIRST
    hashes ^= hashes >> np.uint64(29)


def mix(numbers: Hashes) -> Hashes:
    """The finaliser of SplitMix64: every bit of the result depends on every bit."""
    mixed = numbers ^ (numbers >> np.uint64(30))
    mixed *= FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _read_column(column: "pa.ChunkedArray") -> Hashes:
    """A word for each row."""
    words = [_read_chunk(chunk) for chunk in column.chunks]
    return words[0] if len(words) == 1 else np.concatenate([np.zeros(0, np.uint64), *words])


def _read_chunk(column: "pa.Array") -> Hashes:
    if column.null_count == len(column):
        return np.full(len(column), NULL)
    words = _read_values(column)
    return np.where(np.asarray(column.is_null()), NULL, words) if column.null_count else words


def _read_values(column: "pa.Array") -> Hashes:
    import pyarrow as pa

    if isinstance(column.type, pa.BaseExtensionType):
        return _read_values(column.storage)
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _read_coded(column)
    if pa.types.is_boolean(kind):
        return np.asarray(column.cast(pa.uint8()).fill_null(0), np.uint64)
    if pa.types.is_primitive(kind):
        return _read_numbers(column)
    if pa.types.is_decimal(kind):
        return _hash_parts(column)
    return _hash_texts(column)


def _read_coded(column: "pa.DictionaryArray") -> Hashes:
    """Each value of the dictionary once; null in it is null."""
    words = np.append(_read_chunk(column.dictionary), NULL)
    return words.take(np.asarray(column.indices.fill_null(len(words) - 1)))


def _read_numbers(column: "pa.Array") -> Hashes:
    """The bits of numbers and times, as they lie in memory."""
    width = column.type.bit_width // 8
    data = np.frombuffer(column.buffers()[1], f"<u{width}") if len(column) else np.zeros(0, f"<u{width}")
    return data[column.offset : column.offset + len(column)].astype(np.uint64, copy=False)


def _hash_parts(column: "pa.Array") -> Hashes:
    """Decimals, in words of 32 bits."""
    parts = column.type.bit_width // 32
    data = np.frombuffer(column.buffers()[1], "<u4") if len(column) else np.zeros(0, "<u4")
    words = data[column.offset * parts : (column.offset + len(column)) * parts].reshape(-1, parts)
    hashes = np.zeros(len(column), np.uint64)
    for place in range(parts):
        _fold(hashes, words[:, place])
    return hashes


def _hash_texts(column: "pa.Array") -> Hashes:
    """Texts and bytes; anything nested as it is written down."""
    import pyarrow as pa

    kind = column.type
    is_text = any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_binary, pa.types.is_fixed_size_binary))
    is_large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    if not (is_text or is_large or pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)):
        written = [repr(value).encode() for value in column.to_pylist()]
        return _hash_texts(pa.array(written, pa.large_binary()))
    texts = column.cast(pa.large_binary())
    return _hash_bytes(texts.fill_null(b"") if texts.null_count else texts)


def _hash_bytes(column: "pa.Array") -> Hashes:
    """Texts, eight bytes of each at a time; long ones each on its own."""
    _, ends, data = column.buffers()
    bounds = np.frombuffer(ends, "<i8")[column.offset : column.offset + len(column) + 1]
    text = np.zeros(bounds[-1] - bounds[0] + 8, np.uint8)
    if data is not None:
        text[:-8] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    starts, lengths = bounds[:-1] - bounds[0], np.diff(bounds)
    words = np.ndarray(len(text) - 7, "<u8", text, strides=(1,))
    hashes = lengths.astype(np.uint64) * STEP
    _fold(hashes, words[starts] & MASKS.take(lengths, mode="clip"))
    shortest = lengths.min(initial=LONG)
    rows, done = np.flatnonzero((lengths > 8) & (lengths <= LONG)), 8
    while len(rows):
        chosen = rows if len(rows) < len(hashes) else slice(None)
        folded = hashes[chosen]
        _fold(folded, words[starts[chosen] + done] & MASKS.take(lengths[chosen] - done, mode="clip"))
        hashes[chosen] = folded
        done += 8
        rows = rows if done < shortest else rows[lengths[rows] > done]
    for row in np.flatnonzero(lengths > LONG).tolist():
        hashes[row] = xxhash.xxh3_64_intdigest(text[starts[row] : starts[row] + lengths[row]].tobytes())
    return hashes


class SpanHashes:
    """Hashes of any stretches of a block, each at the cost of a subtraction."""

    def __init__(self, block: NDArray[np.uint8]) -> None:
        self._powers, self._inverses = _list_powers(len(block))
        self._sums = np.zeros(len(block) + 1, np.uint64)
        np.cumsum(SPREAD[block] * self._powers[: len(block)], out=self._sums[1:])

    def read(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Hashes:
        """The hash of what stands between each start and end; the same bytes give the same number in any block."""
        with np.errstate(over="ignore"):
            sums = (self._sums[ends] - self._sums[starts]) * self._inverses[starts]
            return sums + (ends - starts).astype(np.uint64)


def _list_powers(count: int) -> tuple[Hashes, Hashes]:
    """Powers of ``STEP``, by which the bytes of a block are multiplied, and what undoes each."""
    global _powers  # noqa: PLW0603
    if len(_powers[0]) <= count:
        size = max(count + 1, BLOCK_BYTES)
        inverse = np.uint64(pow(int(STEP), -1, SIXTY_FOUR_BITS))
        _powers = (_raise_to(STEP, size), _raise_to(inverse, size))
    return _powers


def _raise_to(base: np.uint64, count: int) -> Hashes:
    steps = np.full(count, base, np.uint64)
    steps[:1] = 1
    powers: Hashes = np.cumprod(steps, dtype=np.uint64)
    return powers


_powers: tuple[Hashes, Hashes] = (np.zeros(0, np.uint64), np.zeros(0, np.uint64))
