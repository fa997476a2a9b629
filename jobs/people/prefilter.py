"""Lines that cannot be about a few people, told by one regular expression over a whole column.

Only lines without escapes and beyond ASCII can be told so; all others go on. For many people it would cost more than it
spares, and nothing is told.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

MOST_FORMS: Final = 100
"""So many alternatives are looked for at once in the time of one; a thousand take longer than any other way."""
ODD: Final = r"%[0-9A-Fa-f]{2}|\\|&[#A-Za-z]|[<>]"
PHONE_DIGITS: Final = 7
SUFFIX: Final = r"\.?(?:\+[^@]*)?@"


class Prefilter:
    """Tells which lines are to be looked at closely.

    Args:
        mailboxes: loose local parts of addresses.
        phones: digits of numbers.
        fields: names of fields that may name one of the people.
        values: what they may be called there.
        names: what they may be called anywhere.
    """

    def __init__(
        self,
        *,
        mailboxes: Iterable[str],
        phones: Iterable[str],
        fields: Iterable[str],
        values: Iterable[str],
        names: Iterable[str],
    ) -> None:
        boxes = sorted(box for box in mailboxes if box.isascii())
        ends = sorted({phone[-PHONE_DIGITS:] for phone in phones})
        named, others = sorted(filter(str.isascii, values)), sorted(filter(str.isascii, names))
        self._patterns: list[str] | None = None
        if max(map(len, (boxes, ends, named, others))) <= MOST_FORMS:
            self._patterns = [ODD, *_write_patterns(boxes, ends, sorted(fields), named, others)]

    def find(self, lines: "pa.ChunkedArray") -> "pa.ChunkedArray | None":
        """True where a line may be about one of them; none where that is not told."""
        import pyarrow.compute as pc

        if self._patterns is None:
            return None
        found = pc.invert(pc.string_is_ascii(lines))
        for pattern in self._patterns:
            found = pc.or_(found, pc.match_substring_regex(lines, pattern))
        return pc.fill_null(found, fill_value=False)


def _write_patterns(
    boxes: list[str], ends: list[str], fields: list[str], named: list[str], names: list[str]
) -> Iterator[str]:
    if boxes:
        yield "(?i)(?:" + "|".join(r"\.?".join(map(re.escape, box)) for box in boxes) + f"){SUFFIX}"
    if ends:
        yield "|".join(r"[^0-9a-zA-Z]{0,3}".join(end) for end in ends)
    if named:
        yield f'"(?:{_join(fields)})"\\s*:\\s*"?\\s*(?:{_join(named)})'
    if names:
        yield _join(names)


def _join(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, texts))
