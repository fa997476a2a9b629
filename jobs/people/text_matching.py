"""Lines of somebody else's making that are about some people.

A line is about a person when a field of it names one of their accounts, orders, returns, parcels, identifiers or
cookies, or when one of their addresses or phone numbers stands in it, in whatever spelling and however escaped. A
cookie counts only where no address stands beside it.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from jobs.audit.addresses import find_addresses
from jobs.audit.identifiers import list_phone_numbers, normalise_address
from jobs.audit.numbers import find_numbers
from jobs.audit.spellings import fold
from jobs.people.person import Person, unite
from jobs.people.readings import cover_escapes, undo_all
from jobs.people.text_blocks import BlockSearch, compile_fields, is_named, list_fields
from jobs.privacy.emails.addresses import strip_space

if TYPE_CHECKING:
    import pyarrow as pa

FIELDS: Final[Mapping[str, str]] = {
    "customer_id": "customer_ids",
    "order_id": "order_ids",
    "return_id": "return_ids",
    "tracking_no": "tracking",
    "ad_id": "ad_ids",
    "visitor": "visitors",
    "email": "",
}
EMAIL, VISITOR = "email", "visitor"
DAMAGED: Final = compile_fields(FIELDS)
SHORTEST_NAME: Final = 5
"""Shorter numbers of orders and accounts stand in lines that are no records for other reasons."""


class TextMatcher:
    """Marks the lines that are about some people.

    Args:
        people: whom to look for.
        ad_ids: identifiers that partners know them by.
    """

    def __init__(self, people: Collection[Person], ad_ids: Collection[str]) -> None:
        self._addresses = unite(people, "addresses")
        self._phones = frozenset(
            number
            for phone in unite(people, "phones") - unite(people, "shared")
            for number in list_phone_numbers(phone)
        )
        tracking = frozenset(parcel.partition("/")[2] for parcel in unite(people, "parcel_ids"))
        known = {"tracking": tracking, "ad_ids": frozenset(ad_ids)}
        self._named = {
            name: known[attribute] if attribute in known else unite(people, attribute)
            for name, attribute in FIELDS.items()
            if attribute
        }
        names = (name for field, values in self._named.items() if field != VISITOR for name in values)
        self._names = frozenset(name for name in names if _is_distinctive(name))
        self._search = BlockSearch(addresses=self._addresses, phones=self._phones, named=self._named, names=self._names)

    def find(self, lines: "pa.ChunkedArray") -> "pa.ChunkedArray":
        """True where a line is about one of them; false for null."""
        import numpy as np
        import pyarrow as pa

        places, texts = self._list_candidates(lines)
        marks = np.zeros(len(lines), np.bool_)
        marks[[places[number] for number in self._search.find(texts) if self.is_about(texts[number])]] = True
        return pa.chunked_array([pa.array(marks)])

    def _list_candidates(self, lines: "pa.ChunkedArray") -> tuple[Sequence[int], list[str]]:
        """Lines that the quick look leaves, and where they stand."""
        import numpy as np

        may_be = self._search.prefilter.find(lines)
        chosen = lines if may_be is None else lines.filter(may_be)
        places = range(len(lines)) if may_be is None else np.flatnonzero(may_be.to_numpy()).tolist()
        return places, [line or "" for line in chosen.to_pylist()]

    def is_about(self, line: str) -> bool:
        """Whether one line is about one of them."""
        fields = read_fields(line)
        has_address = any(name == EMAIL and value for name, value in fields)
        is_theirs = any(
            value in self._named.get(name, ()) for name, value in fields if name != VISITOR or not has_address
        )
        return is_theirs or is_named(line, self._names) or self._is_spelled(line)

    def _is_spelled(self, line: str) -> bool:
        block = line.encode("utf-8", "replace")
        return any(self._holds_address(form) or self._holds_phone(form) for form in (block, *undo_all(block)))

    def _holds_address(self, block: bytes) -> bool:
        found = find_addresses(fold(cover_escapes(block)))
        return any(normalise_address(f"{one.local}@{one.domain}") in self._addresses for one in found)

    def _holds_phone(self, block: bytes) -> bool:
        return bool(self._phones) and any(number.digits in self._phones for number in find_numbers(fold(block)))


def _is_distinctive(name: str) -> bool:
    return len(name) >= SHORTEST_NAME and any(map(str.isdigit, name))


def read_fields(line: str) -> list[tuple[str, str]]:
    """Names and values of a record, also of records within it, and of what is left of one that is damaged."""
    if not line.lstrip().startswith(("{", "[")):
        return []
    try:
        return list(_list_fields(json.loads(line)))
    except (ValueError, RecursionError):
        return [(name, value) for name, value, _ in list_fields(line, DAMAGED)]


def _list_fields(record: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if isinstance(record, list):
        for inner in record:
            yield from _list_fields(inner)
    elif isinstance(record, dict):
        for name, value in record.items():
            if isinstance(value, list | dict):
                yield from _list_fields(value)
            elif value is not None:
                yield name, strip_space(value if isinstance(value, str) else json.dumps(value))
