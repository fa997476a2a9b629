"""Groups of digits cut out of text, as phone, card and identity numbers are written: ``4111 1111-1111 1111``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from jobs.audit.byte_classes import find_digit_stretches, view_bytes

FEWEST_DIGITS: Final = 8
FEWEST_BESIDE_LETTERS: Final = 14
"""Of the numbers looked for only cards and identity numbers may have letters on both sides."""
MOST_DIGITS: Final = 20
CONTEXT: Final = 48
DASH: Final = ord("-")
DAY_LENGTHS: Final = (len("2024-01-31"), len("2024-01-31 12"))
"""Days and times are by far the most of what has digits, and are no number; a colon ends a stretch."""
GROUPED: Final = re.compile(r"\d+(?:[ \t.\-/()_\u2010-\u2015\u2212+*#|~]{1,3}\d+)*")
DECIMAL: Final = re.compile(r"\d{1,2}\.\d+")
"""A share or a score; nobody writes a phone or card number so."""
WORD_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
DIGITS: Final = re.compile(r"\d+")
HEX_BEFORE: Final = re.compile(r"[0-9a-f]*\Z")
HEX_BEHIND: Final = re.compile(r"[0-9a-f]*")
FRACTION_BEFORE: Final = re.compile(r"\d\.\Z")
FRACTION_BEHIND: Final = re.compile(r"\.0*[1-9]")
LONG_HEX: Final = 20
"""Hex digits from which on a run of them is a hash or an id, and no number with a letter beside it."""
IDS: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bw-[0-9a-f]{16}")
"""UUIDs, and folders of one write."""


@dataclass(frozen=True, slots=True)
class Number:
    """Neighbouring groups of digits within a text.

    Attributes:
        digits: all digits together.
        sizes: digits of each group.
        text: what they stand in.
        start: where they begin in the text.
        end: where they end.
        place: where they begin in their block.
    """

    digits: str
    sizes: tuple[int, ...]
    text: str
    start: int
    end: int
    place: int

    @property
    def before(self) -> str:
        """The text before, at most ``CONTEXT`` characters."""
        return self.text[max(0, self.start - CONTEXT) : self.start]

    @property
    def behind(self) -> str:
        """The text behind, at most ``CONTEXT`` characters."""
        return self.text[self.end : self.end + CONTEXT]

    @property
    def signed(self) -> int:
        """The digits as a whole number, below zero with a minus before them."""
        return -int(self.digits) if self.before.endswith("-") else int(self.digits)

    @property
    def is_cut_out(self) -> bool:
        """True for part of a longer number: of a decimal fraction, or of a run of letters and digits."""
        return _is_beside_letters(self.text, self.start, self.end) or self.is_in_fraction

    @property
    def is_in_fraction(self) -> bool:
        """True for one group on either side of a decimal point."""
        if len(self.sizes) > 1:
            return False
        is_fraction = FRACTION_BEFORE.search(self.text[max(0, self.start - 2) : self.start]) is not None
        return is_fraction or FRACTION_BEHIND.match(self.text, self.end) is not None

    @property
    def is_in_id(self) -> bool:
        """True within a hash, a UUID or another long run of hex digits."""
        left, right = HEX_BEFORE.search(self.before), HEX_BEHIND.match(self.behind)
        tail, head = left[0] if left else "", right[0] if right else ""
        is_lettered = not (tail + head).isdigit() and tail + head != ""
        if is_lettered and len(tail) + len(self.digits) + len(head) >= LONG_HEX:
            return True
        return any(match.start() < self.end and match.end() > self.start for match in IDS.finditer(self.text))


def find_numbers(folded: bytes) -> Iterator[Number]:
    """All ways to read numbers of 8 to 20 digits in a folded block: any neighbouring groups count as one."""
    block = view_bytes(folded)
    starts, ends = find_digit_stretches(block, FEWEST_DIGITS, FEWEST_BESIDE_LETTERS)
    is_day = np.isin(ends - starts, DAY_LENGTHS)
    is_day[is_day] &= (block[starts[is_day] + 4] == DASH) & (block[starts[is_day] + 7] == DASH)
    for start, end in zip(starts[~is_day].tolist(), ends[~is_day].tolist(), strict=True):
        before = folded[max(0, start - CONTEXT) : start].decode("utf-8", "replace")
        text = before + folded[start:end].decode("utf-8", "replace")
        behind = folded[end : end + CONTEXT].decode("utf-8", "replace")
        for match in GROUPED.finditer(text, len(before)):
            if DECIMAL.fullmatch(match[0]):
                continue
            yield from _read_groups(text + behind, match, start - len(before))


def _read_groups(text: str, match: "re.Match[str]", offset: int) -> Iterator[Number]:
    """Every run of neighbouring groups that has enough digits and not too many."""
    spans = [group.span() for group in DIGITS.finditer(text, *match.span())]
    groups = [text[start:end] for start, end in spans]
    sizes = [len(group) for group in groups]
    for first, (start, _) in enumerate(spans):
        count = 0
        for last in range(first, len(spans)):
            count += sizes[last]
            if count > MOST_DIGITS:
                break
            end = spans[last][1]
            if count >= (FEWEST_BESIDE_LETTERS if _is_beside_letters(text, start, end) else FEWEST_DIGITS):
                digits = "".join(groups[first : last + 1])
                yield Number(digits, tuple(sizes[first : last + 1]), text, start, end, offset + start)


def _is_beside_letters(text: str, start: int, end: int) -> bool:
    """True where a letter or digit goes right on; Chinese characters are words of their own."""
    return text[start - 1 : start] in WORD_CHARACTERS or text[end : end + 1] in WORD_CHARACTERS
