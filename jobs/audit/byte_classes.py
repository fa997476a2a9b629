"""Classes of bytes as tables of 256 truth values, and where runs of a class begin and end, computed without a loop.

Clean text is by far the most of what is searched, so everything here says quickly where a closer look is worth while.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]
Words = NDArray[np.uint64]

DIGITS: Final = b"0123456789"
HEX_DIGITS: Final = b"0123456789abcdefABCDEF"
LETTERS: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
OTHER: Final = np.zeros(1, np.uint8)
BARRIERS: Final = b"\0\n"
"""Between two values, or two lines; nothing is found across one."""


def make_class(members: bytes) -> NDArray[np.bool_]:
    """A table that is true at the given bytes."""
    chosen = np.zeros(256, np.bool_)
    chosen[np.frombuffer(members, np.uint8)] = True
    return chosen


IS_DIGIT: Final = make_class(DIGITS)
IS_HEX: Final = make_class(HEX_DIGITS)
IS_BASE64: Final = make_class(DIGITS + LETTERS + b"+/-_")
IS_LETTER: Final = make_class(LETTERS)
IS_WORD: Final = make_class(DIGITS + LETTERS)
HEX_DIGITS_OF_64_BITS: Final = 16
HEX_VALUES: Final = np.array([int(chr(code), 16) if code in HEX_DIGITS else 0 for code in range(256)], np.uint8)
ENDS_NUMBER: Final = make_class(LETTERS + BARRIERS + b"\"!$%&',:;<=>?@[]\\^`{}")


def view_bytes(block: bytes) -> Bytes:
    """The bytes of a block, without a copy."""
    return np.frombuffer(block, np.uint8)


def find_runs(block: Bytes, members: NDArray[np.bool_], lengths: Sequence[int]) -> tuple[Positions, Positions]:
    """Where runs of one class begin that are exactly as long as one of the lengths, and how long each is."""
    outside = np.flatnonzero(~members[block])
    edges = np.concatenate(([-1], outside, [len(block)]))
    sizes = np.diff(edges) - 1
    is_chosen = np.zeros(max(lengths) + 2, np.bool_)
    is_chosen[list(lengths)] = True
    chosen = is_chosen[np.minimum(sizes, len(is_chosen) - 1)]
    return edges[:-1][chosen] + 1, sizes[chosen]


def find_digit_stretches(block: Bytes, least: int, least_beside_letters: int) -> tuple[Positions, Positions]:
    """Begin and end of the stretches of digits, and what may stand between them, that hold enough digits.

    Args:
        block: bytes.
        least: digits that are enough.
        least_beside_letters: the same where a stretch is digits alone and a letter stands beside them, as in ids.
    """
    edges = np.concatenate(([-1], np.flatnonzero(ENDS_NUMBER[block]), [len(block)]))
    so_far = np.concatenate(([0], np.cumsum(IS_DIGIT[block], dtype=np.int32)))
    starts, ends = edges[:-1] + 1, edges[1:]
    counts = so_far[ends] - so_far[starts]
    is_bare = counts == ends - starts
    padded = np.concatenate((block, OTHER))
    is_beside = IS_LETTER[padded[starts - 1]] | IS_LETTER[padded[ends]]
    chosen = counts >= np.where(is_bare & is_beside, least_beside_letters, least)
    return starts[chosen], ends[chosen]


def read_hex(block: Bytes, starts: Positions) -> Words:
    """The 16 hex digits at each place as a number; what stands there must be hex digits."""
    digits = HEX_VALUES[block[starts[:, None] + np.arange(HEX_DIGITS_OF_64_BITS)]]
    octets = np.ascontiguousarray(digits[:, 0::2] << 4 | digits[:, 1::2])
    return octets.view(">u8").ravel().astype(np.uint64)


def contains(ordered: Words, values: Words) -> NDArray[np.bool_]:
    """For each value whether an ordered array holds it."""
    if not len(ordered):
        return np.zeros(len(values), np.bool_)
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[places] == values
    return found


def order_distinct(numbers: Any) -> Words:  # noqa: ANN401
    """Distinct 64-bit numbers in order."""
    return np.unique(np.asarray(numbers, np.uint64))
