"""Lines of a file as Arrow arrays, built from buffers without a Python object per line.

What a line is: text up to a line feed, or up to the end of the file; one carriage return before the line feed
belongs to the line break, and a byte-order mark at the start of the file to no line. Lines are numbered from 1.
A line of nothing but white space is no line; it has a number and is left out.

A line that is not as it should be is kept and says so in ``defect``. A file that breaks off ends with one more
line that says so; its text is what could be read of it, possibly nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from jobs.sources.compression import BrokenFileError

BLOCK_BYTES = 8 * 1024**2
LONG_LINE = 1024**2
LONGEST_LINE = 128 * 1024**2
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_UTF8 = "not UTF-8"
TOO_LONG = "longer than 1 MiB"
CUT = f"longer than {LONGEST_LINE // 1024**2} MiB, the rest is cut"
WHITE_SPACE = np.isin(np.arange(256), list(b" \t\r\v\f"))


@dataclass(frozen=True)
class Lines:
    """Some lines of one file: their numbers (int64), texts and defects (strings; null where there is none)."""

    numbers: Any
    raw: Any
    defects: Any

    def __len__(self) -> int:
        return len(self.raw)

    def drop_blank(self) -> "Lines":
        """Without lines of nothing but white space, unless they have a defect."""
        lengths = pc.binary_length(self.raw).to_numpy(zero_copy_only=False)
        starts = np.frombuffer(self.raw.buffers()[1], np.int32, len(self), self.raw.offset * 4)
        stored = np.frombuffer(self.raw.buffers()[2] or b"", np.uint8)
        suspect = lengths == 0
        suspect[~suspect] = WHITE_SPACE[stored[starts[~suspect]]]
        if not suspect.any():
            return self
        places = np.flatnonzero(suspect)
        trimmed = pc.ascii_trim_whitespace(self.raw.take(pa.array(places)))
        is_blank = pc.equal(pc.binary_length(trimmed), 0).to_numpy(zero_copy_only=False)
        kept = np.ones(len(self), bool)
        kept[places[is_blank]] = False
        mask = pc.or_(pa.array(kept), self.defects.is_valid())
        return Lines(self.numbers.filter(mask), self.raw.filter(mask), self.defects.filter(mask))


class LineReader:
    """Iterate over the lines of one file, blank ones too, in blocks of some megabytes.

    Args:
        chunks: bytes of the file, which may end with a :class:`BrokenFileError`.

    Attributes:
        broken: after the last block, why the file could not be read to its end; none where it was.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.broken: str | None = None
        self._chunks = chunks
        self._next_number = 1

    def __iter__(self) -> Iterator[Lines]:
        for block in _cut_blocks(self._until_broken()):
            if block.endswith(b"\n"):
                yield self._split(block)
            elif self.broken is not None:
                yield self._last_of_broken(block)
            elif block:
                yield self._split(block + b"\n")

    def _until_broken(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        except BrokenFileError as error:
            self.broken = str(error)

    def _split(self, block: bytes) -> Lines:
        """Lines of a block that ends with a line feed."""
        if self._next_number == 1:
            block = block.removeprefix(BYTE_ORDER_MARK)
        if b"\r\n" in block:
            block = block.replace(b"\r\n", b"\n")
        stored = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(stored == ord("\n"))
        count = len(ends)
        numbers = np.arange(self._next_number, self._next_number + count)
        self._next_number += count
        offsets = np.zeros(count + 1, np.int32)
        offsets[1:] = ends - np.arange(count)
        texts = pa.py_buffer(block.replace(b"\n", b""))
        raw = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), texts)
        raw, undecodable = repair_text(raw)
        return Lines(pa.array(numbers), raw, _name_defects(np.diff(offsets), undecodable))

    def _last_of_broken(self, tail: bytes) -> Lines:
        if self._next_number == 1:
            tail = tail.removeprefix(BYTE_ORDER_MARK)
        raw, undecodable = repair_text(pa.array([tail], pa.binary()).view(pa.string()))
        defects = [self.broken, *([NOT_UTF8] if undecodable.any() else [])]
        number = pa.array([self._next_number], pa.int64())
        return Lines(number, raw, pa.array(["; ".join(map(str, defects))]))


def repair_text(texts: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Make every string valid UTF-8, with a backslash escape for each byte that is not.

    Args:
        texts: an Arrow string array, whose bytes may be anything.

    Returns:
        The strings, and a mask (numpy) of those that had to be repaired.
    """
    repaired = np.zeros(len(texts), bool)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        stored = texts.view(pa.binary()).to_pylist()
        readable = [None if one is None else one.decode("utf-8", "backslashreplace") for one in stored]
        repaired = np.array(
            [text is not None and text.encode() != one for text, one in zip(readable, stored, strict=True)]
        )
        texts = pa.array(readable, pa.string())
    return texts, repaired


def _cut_blocks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Blocks of whole lines, and at last what follows the last line feed, possibly nothing.

    A line is kept to ``LONGEST_LINE`` bytes.
    """
    parts: list[bytes] = []
    held = unfinished = 0
    for chunk in chunks:
        first = chunk.find(b"\n")
        head = chunk if first < 0 else chunk[:first]
        parts.append(head[: LONGEST_LINE - unfinished])
        unfinished += len(parts[-1])
        held += len(parts[-1])
        if first < 0:
            continue
        after = chunk.rfind(b"\n") + 1
        parts.append(chunk[first:after])
        held += after - first
        if held >= BLOCK_BYTES:
            yield b"".join(parts)
            parts, held = [], 0
        parts.append(chunk[after:])
        held += len(parts[-1])
        unfinished = len(parts[-1])
    rest = b"".join(parts)
    after = rest.rfind(b"\n") + 1
    if after:
        yield rest[:after]
    yield rest[after:]


def _name_defects(lengths: Any, undecodable: Any) -> Any:  # noqa: ANN401
    too_long = lengths > LONG_LINE
    flagged = np.flatnonzero(too_long | undecodable)
    if not len(flagged):
        return pa.nulls(len(lengths), pa.string())
    defects: list[str | None] = [None] * len(lengths)
    for place in flagged:
        size = CUT if lengths[place] >= LONGEST_LINE else TOO_LONG
        found = [size] * bool(too_long[place]) + [NOT_UTF8] * bool(undecodable[place])
        defects[place] = "; ".join(found)
    return pa.array(defects, pa.string())
