"""Which of many lines could be about some people, told by one pass over all of them together.

Reading a line with all its escapes costs as much as looking through a hundred. So lines are put together, and searched
for what every line about the people has: the local part of an address in its loose form, the digits of a phone, or a
field with one of their names. What is found may be a chance hit; what is not found is none.
"""

import re
import secrets
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np

from jobs.audit.addresses import LOCAL_BACKWARDS, LONGEST_LOCAL
from jobs.audit.byte_classes import view_bytes
from jobs.audit.numbers import find_numbers
from jobs.audit.spellings import ESCAPES, fold
from jobs.people.prefilter import Prefilter
from jobs.people.readings import undo_all

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_CHARACTERS: Final = 4 * 1024**2
NOT_IN_MAILBOX: Final = re.compile(r"[\s.]|\+.*", re.DOTALL)
PARTS: Final = re.compile(r"[^\s,;|\"'=<>(){}\[\]]+")
MARK: Final = "\x1e"
"""Stands in no text, unless somebody wants to confuse us; that is noticed, and then all lines could be about them."""
VALUE: Final = rf'"\s*:\s*(?:"([^"{MARK}]*)|([^\s",}}\]{MARK}]+))'
Forms = Mapping[str, frozenset[str]]
"""What people are called, by the name of the field that says so."""


class BlockSearch:
    """Finds lines that could be about some people; ``prefilter`` tells most of those that could not, and sooner.

    Args:
        addresses: in the normal form.
        phones: digits of numbers as they may be dialled.
        named: what they are called, by field of a record.
        names: what they are called in lines that are no records.
    """

    def __init__(
        self, *, addresses: Iterable[str], phones: Collection[str], named: Forms, names: Collection[str]
    ) -> None:
        self._mailboxes = frozenset(loosen(fold(a.rpartition("@")[0].encode()).decode()) for a in addresses)
        self._phones = frozenset(phones)
        self._named = {field: values for field, values in named.items() if values}
        self._fields = compile_fields(self._named) if self._named else None
        self._names = frozenset(names)
        self.prefilter = Prefilter(
            mailboxes=self._mailboxes,
            phones=self._phones,
            fields=self._named,
            values=frozenset().union(*self._named.values()),
            names=self._names,
        )

    def find(self, lines: Sequence[str]) -> set[int]:
        """Places of the lines that could be about them."""
        found: set[int] = set()
        for first, block in _cut_blocks(lines):
            found.update(first + place for place in self._search(block))
        return found

    def choose(self, lines: "pa.ChunkedArray") -> list[str]:
        """The lines that could be about them."""
        may_be = self.prefilter.find(lines)
        texts = [line or "" for line in (lines if may_be is None else lines.filter(may_be)).to_pylist()]
        return [texts[place] for place in sorted(self.find(texts))]

    def _search(self, lines: Sequence[str]) -> Iterator[int]:
        separator = f"\n{MARK}{secrets.token_hex(8)}{MARK}\n"
        yield from self._search_reading(separator.join(lines), separator, range(len(lines)))
        odd = [place for place, line in enumerate(lines) if _has_escapes(line)]
        together = separator.join(lines[place] for place in odd).encode("utf-8", "replace")
        for reading in undo_all(together):
            text = reading.decode("utf-8", "replace")
            if text.count(separator) != len(odd) - 1:
                yield from odd
                return
            yield from self._search_reading(text, separator, odd)
        yield from (place for place, line in enumerate(lines) if self._names and is_named(line, self._names))

    def _search_reading(self, text: str, separator: str, places: Sequence[int]) -> Iterator[int]:
        if not places:
            return
        yield from self._find_fields(text, _list_starts(text, separator), places)
        folded = fold(text.encode("utf-8", "replace"))
        starts = _list_starts(folded, separator.encode())
        if len(starts) != len(places):
            yield from places
            return
        for position in (*self._find_mailboxes(folded), *self._find_phones(folded)):
            yield places[bisect_right(starts, position) - 1]

    def _find_fields(self, text: str, starts: Sequence[int], places: Sequence[int]) -> Iterator[int]:
        for name, value, position in list_fields(text, self._fields) if self._fields else ():
            if value in self._named[name]:
                yield places[bisect_right(starts, position) - 1]

    def _find_mailboxes(self, folded: bytes) -> Iterator[int]:
        if not self._mailboxes or b"@" not in folded:
            return
        for position in np.flatnonzero(view_bytes(folded) == ord("@")).tolist():
            before = folded[max(0, position - 2 * LONGEST_LOCAL) : position].decode("utf-8", "replace")
            local = LOCAL_BACKWARDS.match(before[::-1])
            if local is not None and loosen(local[0][::-1].lstrip("'.-*")) in self._mailboxes:
                yield position

    def _find_phones(self, folded: bytes) -> Iterator[int]:
        if self._phones:
            yield from (number.place for number in find_numbers(folded) if number.digits in self._phones)


def loosen(local: str) -> str:
    """What the local parts of all spellings of an address have in common."""
    return NOT_IN_MAILBOX.sub("", local)


def compile_fields(names: Iterable[str]) -> re.Pattern[str]:
    """Finds fields of records by their names, also in records that break off."""
    return re.compile(f'"({"|".join(map(re.escape, names))}){VALUE}')


def list_fields(text: str, fields: re.Pattern[str]) -> Iterator[tuple[str, str, int]]:
    """Name, value and position of each field."""
    for match in fields.finditer(text):
        yield match[1], (match[2] if match[2] is not None else match[3]).strip(), match.start()


def is_record(line: str) -> bool:
    """True for what looks like a record from its first to its last character."""
    plain = line.strip()
    return plain[:1] + plain[-1:] in ("{}", "[]")


def is_named(line: str, names: frozenset[str]) -> bool:
    """True where one of the names stands in a line that is no record."""
    return not is_record(line) and not names.isdisjoint(PARTS.findall(line))


def _has_escapes(line: str) -> bool:
    return ("%" in line or "\\" in line or "&" in line or "<" in line) and ESCAPES.search(line.encode()) is not None


def _cut_blocks(lines: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Some lines at a time, each time with the place of the first one."""
    first = size = 0
    for place, line in enumerate(lines):
        if size + len(line) > BLOCK_CHARACTERS and place > first:
            yield first, lines[first:place]
            first, size = place, 0
        size += len(line)
    if first < len(lines):
        yield first, lines[first:]


def _list_starts(text: str | bytes, separator: str | bytes) -> list[int]:
    """Where each line begins, the separator behind the one before included."""
    lengths = [len(part) + len(separator) for part in text.split(separator)]  # type: ignore[arg-type]
    return [0, *accumulate(lengths[:-1])]
