"""The ways to read a text with escapes in it, and what an escape beside an address means.

An escaped character that can be part of an address makes it another one: ``jo%2Eann@example.org`` is not Ann's. One
that cannot ends it, as in ``ann@example.org%20and``.
"""

import re
from collections.abc import Iterator
from typing import Final

from jobs.audit.spellings import undo_escapes

ESCAPE: Final = re.compile(rb"%(?:25)*([0-9A-Fa-f]{2})|\\+u([0-9A-Fa-f]{4})|&#(?:[xX]0*([0-9A-Fa-f]+)|0*([0-9]+));")
NO_TAGS: Final = bytes.maketrans(b"<>", b"  ")
PART_OF_ADDRESS: Final = re.compile(r"[\w.+'@-]")
OTHER: Final = b"qxq"
"""Stands for a character that may be part of an address and is none of the person's."""


def undo_all(block: bytes) -> Iterator[bytes]:
    """A block with its escapes undone once and more often, also where what looks like a tag is none."""
    yield from undo_escapes(block)
    if b"<" in block or b">" in block:
        plain = block.translate(NO_TAGS)
        yield plain
        yield from undo_escapes(plain)


def cover_escapes(block: bytes) -> bytes:
    """A block with every escape as a character that is part of an address, or ends one."""
    return ESCAPE.sub(_cover, block)


def _cover(match: "re.Match[bytes]") -> bytes:
    percent, unit, hexadecimal, decimal = match.groups()
    code = int(percent or unit or hexadecimal, 16) if decimal is None else int(decimal)
    is_part = code < 0x110000 and (code >= 0x80 or PART_OF_ADDRESS.match(chr(code)) is not None)
    return OTHER if is_part else b" "
