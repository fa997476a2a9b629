"""Counts what is found in one part of a file."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Final

from jobs.audit.addresses import Address, find_addresses
from jobs.audit.identifiers import Needles, normalise_address
from jobs.audit.needles import Kind
from jobs.audit.numbers import Number, find_numbers
from jobs.audit.parts import Form, Part
from jobs.audit.patterns import is_card, is_chinese_id, is_phone, may_be_phone
from jobs.audit.spellings import decode, fold, separate_escapes, to_words, undo_escapes

NUMBER_PATTERNS: Final = (Kind.LIKE_PHONE, Kind.CARD, Kind.CHINESE_ID)
PATTERNS: Final = (Kind.LIKE_EMAIL, *NUMBER_PATTERNS)
HASH_DIGITS: Final = range(17, 21)
FEWEST_OF_MANY: Final = 5
LETTERED_ID: Final = re.compile(rb"(?=[0-9]*[a-f])[0-9a-f]{14,19}")


class Finder:
    """Searches parts of files.

    Args:
        needles: the values to search for.
        with_patterns: also count what has the form of an e-mail address, phone, card or Chinese identity number.
    """

    def __init__(self, needles: Needles, *, with_patterns: bool = True) -> None:
        self._needles = needles
        self._with_patterns = with_patterns

    def count(self, part: Part) -> Counter[Kind]:
        """How often each kind stands in a part.

        Bytes that may be text under several encodings, and text with escapes, are read in each way; what counts is
        the reading that shows most. Whether digits are a card or part of an id, packed bytes do not tell; that is
        judged by what they hold.
        """
        if part.form is Form.HASHES:
            return +Counter({Kind.DIGEST: self._needles.digests.count(part.content)})
        if part.form is Form.NOISE:
            found = self._count_block(part.content, in_noise=True)
            return Counter({kind: times for kind, times in found.items() if kind not in NUMBER_PATTERNS})
        if part.form is Form.BYTES:
            halves = (self._count_block(part.content[start::2], in_noise=True) for start in range(2))
            texts = (self._count_text(block, in_noise=True) for block in decode(part.content))
            return _most((*halves, *texts))
        found = self._count_text(part.content)
        if found[Kind.CARD] or found[Kind.CHINESE_ID]:
            _drop_chance_hits(part, found)
        return found

    def _count_text(self, block: bytes, *, in_noise: bool = False) -> Counter[Kind]:
        plain, escaped = separate_escapes(block)
        found = self._count_reading(plain, in_noise=in_noise)
        if escaped:
            readings = (escaped, *undo_escapes(escaped))
            found += _most(self._count_reading(reading, in_noise=in_noise) for reading in readings)
        return found

    def _count_reading(self, block: bytes, *, in_noise: bool) -> Counter[Kind]:
        found = self._count_block(block, in_noise=in_noise)
        found[Kind.DIGEST] += self._needles.digests.count(block)
        return +found

    def _count_block(self, block: bytes, *, in_noise: bool) -> Counter[Kind]:
        folded = fold(block)
        words = to_words(folded)
        found = self._needles.phrases.count(words) + self._needles.canaries.count(words)
        for address in find_addresses(folded):
            is_owned = self._is_owned(address)
            if is_owned or address.is_no_chance or not in_noise:
                found[Kind.EMAIL if is_owned else Kind.LIKE_EMAIL] += 1
        self._count_numbers(list(find_numbers(folded)), found)
        if not self._with_patterns:
            for kind in PATTERNS:
                del found[kind]
        return +found

    def _is_owned(self, address: Address) -> bool:
        readings = set(address.list_readings())
        readings |= {normal for normal in map(normalise_address, readings) if normal}
        return bool(self._needles.emails.find(list(readings)).any())

    def _count_numbers(self, numbers: list[Number], found: Counter[Kind]) -> None:
        candidates = [number for number in numbers if may_be_phone(number)]
        is_owned = self._needles.phones.find([number.digits for number in candidates])
        phones = {number.place for number, owned in zip(candidates, is_owned, strict=True) if owned}
        chinese_ids = {number.place for number in numbers if is_chinese_id(number)}
        found[Kind.PHONE] = len(phones)
        found[Kind.LIKE_PHONE] = len({number.place for number in candidates if is_phone(number)} - phones)
        found[Kind.CHINESE_ID] = len(chinese_ids)
        found[Kind.CARD] = len({number.place for number in numbers if is_card(number)} - chinese_ids)
        found[Kind.DIGEST] += self._needles.digests.count_numbers(
            number.signed for number in numbers if len(number.sizes) == 1 and len(number.digits) in HASH_DIGITS
        )


def _most(readings: Iterable[Counter[Kind]]) -> Counter[Kind]:
    """For each kind what the reading shows that shows most of it."""
    return reduce(or_, readings, Counter())


def _drop_chance_hits(part: Part, found: Counter[Kind]) -> None:
    """Take back numbers that pass a check by chance, as some of many ids and fingerprints do.

    In a column of ids in hex some have no letter. Of a column with negative numbers or such of more than 16 digits,
    which fingerprints of 64 bits are, half must pass, and five at least.
    """
    values = part.content.split(b"\0")
    if part.form is Form.VALUES:
        are_ids = 2 * sum(LETTERED_ID.fullmatch(value) is not None for value in values) >= len(values)
    else:
        are_ids = part.form is Form.NUMBERS and any(value[:1] == b"-" or len(value) > 16 for value in values)
    for kind in (Kind.CARD, Kind.CHINESE_ID):
        if are_ids and (found[kind] < FEWEST_OF_MANY or 2 * found[kind] < len(values)):
            del found[kind]
