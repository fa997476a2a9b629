"""What is searched for, held so that millions of values fit: 64-bit fingerprints, none of the values.

A phrase (a name, a street, a number) is found in running text by its first seven bytes, which are looked up for all
the word starts of a block at once; only where they fit is the whole phrase compared. Values that have a form of their
own (e-mail addresses, phone numbers) are cut out of the text by that form and looked up as a whole.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import numpy as np
import xxhash
from numpy.typing import NDArray

from jobs.audit.byte_classes import IS_WORD, Bytes, Positions, Words, contains, order_distinct, view_bytes

SHORTEST_PHRASE: Final = 7
"""Bytes of UTF-8, in the form of :func:`jobs.audit.spellings.to_words`: shorter phrases stand in too many texts."""
HEAD_MASK: Final = np.uint64(2 ** (8 * SHORTEST_PHRASE) - 1)
LENGTH_BITS: Final = 8
LENGTH_MASK: Final = np.uint64(2**LENGTH_BITS - 1)
LONGEST_TOLD: Final = 2**LENGTH_BITS - 1
"""Bytes by which phrases are told apart; of a longer one the first words are searched."""
SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
SPARE_BITS: Final = 4
FIRST_OF_SEVERAL: Final = 0x80
FIRST_LEAD_BYTE: Final = 0xC2
"""From here on bytes begin a character of several; below, from ``FIRST_OF_SEVERAL``, they go on with one."""


class Kind(StrEnum):
    """Kinds of what is found."""

    EMAIL = "e-mail address of a customer"
    NAME = "name of a customer"
    PHONE = "phone number of a customer"
    STREET = "postal address of a customer"
    ACCOUNT = "account number of a customer"
    OTHER = "other identifier of a customer"
    PSEUDONYM = "pseudonym"
    CANARY = "canary"
    DIGEST = "unkeyed hash of a customer's identifier"
    LIKE_EMAIL = "e-mail address"
    LIKE_PHONE = "phone number"
    CARD = "payment card"
    CHINESE_ID = "Chinese ID number"
    UNREADABLE = "unreadable, so nothing is known about it"


KINDS: Final = tuple(Kind)


class Values:
    """A set of texts that are looked up as a whole."""

    def __init__(self, values: Iterable[str]) -> None:
        self._fingerprints = order_distinct(
            array("Q", (fingerprint(value.encode("utf-8", "replace")) for value in values))
        )

    def find(self, values: Sequence[str]) -> NDArray[np.bool_]:
        """For each value whether it is one of the set."""
        numbers = np.fromiter((fingerprint(value.encode("utf-8", "replace")) for value in values), np.uint64)
        return contains(self._fingerprints, numbers)

    def __len__(self) -> int:
        return len(self._fingerprints)


class Phrases:
    """Phrases that are found in running text.

    Args:
        phrases: kind and text of each, in the form of :func:`jobs.audit.spellings.to_words`; those below
            ``SHORTEST_PHRASE`` bytes are refused.
        whole_words: a phrase counts only where no letter or digit stands before and behind it. Scripts that put no
            space between words have no such rule.
    """

    def __init__(self, phrases: Iterable[tuple[Kind, bytes]], *, whole_words: bool = True) -> None:
        self._whole_words = whole_words
        heads, prints, kinds = array("Q"), array("Q"), bytearray()
        for kind, phrase in phrases:
            if len(phrase) < SHORTEST_PHRASE:
                message = f"a phrase must have {SHORTEST_PHRASE} bytes or more, got {len(phrase)}."
                raise ValueError(message)
            told = phrase if len(phrase) <= LONGEST_TOLD else phrase[: LONGEST_TOLD + 1].rpartition(b" ")[0]
            heads.append(int.from_bytes(phrase[:SHORTEST_PHRASE], "little") << LENGTH_BITS | len(told))
            prints.append(fingerprint(told))
            kinds.append(KINDS.index(kind))
        self._prints, first = np.unique(np.asarray(prints, np.uint64), return_index=True)
        self._kinds = np.frombuffer(bytes(kinds), np.uint8)[first]
        forms = order_distinct(heads)
        self._lengths = (forms & LENGTH_MASK).astype(np.int64)
        self._heads, self._firsts = np.unique(forms >> np.uint64(LENGTH_BITS), return_index=True)
        self._counts = np.diff(np.append(self._firsts, len(forms)))
        self._shift = np.uint64(64 - min(26, max(10, len(self._heads).bit_length() + SPARE_BITS)))
        self._filter = np.zeros(1 << (64 - int(self._shift)), np.bool_)
        self._filter[(self._heads * SPREAD) >> self._shift] = True

    def __len__(self) -> int:
        return len(self._prints)

    def count(self, words: bytes) -> Counter[Kind]:
        """How often each kind stands in a text in the form of :func:`jobs.audit.spellings.to_words`."""
        if not len(self) or len(words) < SHORTEST_PHRASE:
            return Counter()
        padded = b" " + words + b" " * 8
        starts, ends = self._find_spans(padded)
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        prints = np.fromiter((fingerprint(padded[start:end]) for start, end in spans), np.uint64)
        found = prints[contains(self._prints, prints)]
        places = np.searchsorted(self._prints, found)
        return Counter(KINDS[kind] for kind in self._kinds[places].tolist())

    def _find_spans(self, padded: bytes) -> tuple[Positions, Positions]:
        """Begin and end of what starts like a phrase and has the length of one that starts so."""
        letters = view_bytes(padded)
        starts, places = self._find_starts(letters, padded)
        counts = self._counts[places]
        which = np.repeat(self._firsts[places] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        starts = np.repeat(starts, counts)
        ends = starts + self._lengths[which]
        fits = ends < len(letters)
        starts, ends = starts[fits], ends[fits]
        if not self._whole_words:
            return starts, ends
        is_whole = (letters[ends - 1] >= FIRST_OF_SEVERAL) | ~IS_WORD[letters[ends]]
        return starts[is_whole], ends[is_whole]

    def _find_starts(self, letters: Bytes, padded: bytes) -> tuple[Positions, Positions]:
        """Places where the first bytes of a phrase stand, and which they are."""
        heads: Words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
        starts = np.arange(1, len(heads))
        if self._whole_words:
            is_word = IS_WORD[letters[: len(heads)]]
            begins = (is_word[1:] & ~is_word[:-1]) | (letters[1 : len(heads)] >= FIRST_LEAD_BYTE)
            starts = np.flatnonzero(begins) + 1
        candidates = heads[starts] & HEAD_MASK
        is_likely = self._filter[(candidates * SPREAD) >> self._shift]
        starts, candidates = starts[is_likely], candidates[is_likely]
        is_known = contains(self._heads, candidates)
        return starts[is_known], np.searchsorted(self._heads, candidates[is_known])


def fingerprint(value: bytes) -> int:
    """64 bits to compare values by; it never leaves the process."""
    return xxhash.xxh3_64_intdigest(value)
