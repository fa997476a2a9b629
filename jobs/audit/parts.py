"""Parts of a file, small enough for memory, each with a name that says where in the file it stands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from jobs.audit.spellings import decode_wide, is_utf8

BLOCK_BYTES: Final = 1 << 20
OVERLAP_BYTES: Final = 1 << 10
"""What two blocks share where there is no line end to cut at: nothing that is searched for is longer."""
LINE_SEARCH_BYTES: Final = 1 << 16


class Form(Enum):
    """How a part's content must be read."""

    TEXT = "UTF-8 text"
    VALUES = "values of one column in UTF-8, with NUL between"
    NUMBERS = "the same, of a column of numbers"
    HASHES = "what may be hashes, in hex, with NUL between"
    BYTES = "text in any encoding, or anything else"
    NOISE = "bytes of which the sense is given by other parts, such as compressed ones"
    SEALED = "encrypted, which is meant to be unreadable"
    BROKEN = "cannot be read"


@dataclass(frozen=True)
class Part:
    """A stretch of content; ``line`` is that of its first byte for text of a file, else 0."""

    name: str
    content: bytes
    form: Form
    line: int = 0


class Readable(Protocol):
    """What gives bytes from first to last."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; none at the end."""


def read_plain(stream: Readable, name: str, head: bytes = b"") -> Iterator[Part]:
    """The parts of a stream that is not packed; ``head`` is what was read of it already."""
    line = 1
    for block in cut_blocks(stream, head):
        if is_utf8(block):
            yield Part(name, block, Form.TEXT, line)
            line += block.count(b"\n")
        else:
            yield Part(name, block, Form.BYTES)


def read_noise(stream: Readable, name: str) -> Iterator[Part]:
    """The bytes of a packed file as they lie there."""
    return (Part(name, block, Form.NOISE) for block in cut_blocks(stream))


def join_values(name: str, values: Iterable[bytes]) -> Iterator[Part]:
    """Values of any kind as parts of about a block each."""
    gathered: list[bytes] = []
    size = 0
    for value in values:
        gathered.append(value)
        size += len(value) + 1
        if size >= BLOCK_BYTES:
            yield _join(name, gathered)
            gathered, size = [], 0
    if gathered:
        yield _join(name, gathered)


def _join(name: str, values: list[bytes]) -> Part:
    """Values as one part; each alone decides whether it is UTF-16, because others beside it may be anything."""
    plain = [value if is_utf8(value) else b"\0".join((value, *decode_wide(value))) for value in values]
    form = Form.VALUES if all(map(is_utf8, values)) else Form.BYTES
    return Part(name, b"\0".join(plain), form)


def cut_blocks(stream: Readable, head: bytes = b"") -> Iterator[bytes]:
    """A stream in blocks of about a megabyte: text is cut after a line end, anything else with an overlap."""
    rest = head
    while fresh := stream.read(BLOCK_BYTES):
        rest += fresh
        if len(rest) < BLOCK_BYTES:
            continue
        end = rest.rfind(b"\n", len(rest) - LINE_SEARCH_BYTES) + 1
        if end and b"\0" not in rest:
            yield rest[:end]
            rest = rest[end:]
        else:
            end = _find_character(rest, len(rest) - 1)
            yield rest[:end]
            rest = rest[_find_character(rest, end - OVERLAP_BYTES) :]
    if rest:
        yield rest


def _find_character(block: bytes, place: int) -> int:
    """Where the UTF-8 character begins that a place is in; for other bytes the place itself."""
    starts = (before for before in range(place, place - 4, -1) if block[before] & 0xC0 != 0x80)
    return next(starts, place)
