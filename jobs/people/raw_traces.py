"""What lines that no step has understood yet, or ever, tell of people: cookies, parcels, phones and names.

A cookie is a person's where it came with one of their addresses and never with anybody else's. Of lines that are
conformed the vault tells that longer than landing.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.erasures import BY_TEXT
from jobs.lake.scanning import scan_rows
from jobs.people.addresses import normalise
from jobs.people.person import Person
from jobs.people.text_blocks import BlockSearch, is_record
from jobs.people.text_matching import EMAIL, VISITOR, TextMatcher, read_fields

if TYPE_CHECKING:
    import pyarrow as pa

CLICKSTREAM: Final = "landing.clickstream"
TOLD: Final = (C.PHONE, C.FULL_NAME, C.STREET, C.ORDER_ID, C.RETURN_ID)
PARCEL: Final = "tracking_no"
Fields = Mapping[str, str]
FindOwner = Callable[[Fields], int | None]
"""Whose a record is, by the number of the person; none where it is nobody's."""


def read_traces(
    lake: Lake, people: Collection[Person], find_owner: FindOwner, known: Mapping[str, int]
) -> Iterator[tuple[int, str, str]]:
    """What raw lines tell of people besides what is known already.

    Args:
        lake: the lake.
        people: as the tables know them.
        find_owner: tells whose a record is.
        known: cookies that the vault knows, with the number of the person.

    Yields:
        Number of the person, name of a column or ``visitor``, and its value.
    """
    visitors = dict(known)
    for line, carrier in _list_lines(lake, TextMatcher(people, ())):
        fields = dict(read_fields(line))
        owner = find_owner(fields)
        if owner is None:
            continue
        yield from ((owner, name, fields[name]) for name in TOLD if fields.get(name))
        if carrier and fields.get(PARCEL):
            yield owner, C.PARCEL_ID, f"{carrier}/{fields[PARCEL]}"
        if fields.get(VISITOR) and fields.get(EMAIL):
            visitors.setdefault(fields[VISITOR], owner)
    shared = _find_shared(lake, visitors, find_owner)
    yield from ((owner, VISITOR, visitor) for visitor, owner in visitors.items() if visitor not in shared)


def _list_lines(lake: Lake, matcher: TextMatcher) -> Iterator[tuple[str, str | None]]:
    """Raw lines about them, each with the carrier that sent it, if one did."""
    for contract in lake.contracts.values():
        keys = contract.erasure.keys if contract.erasure and contract.erasure.match == BY_TEXT else ()
        columns = [name for name in (*keys, C.CARRIER) if name in contract.column_names]
        for rows in scan_rows(lake, contract.name, columns=columns) if keys else ():
            for name in keys:
                yield from _list_theirs(rows, name, matcher)


def _list_theirs(rows: "pa.Table", name: str, matcher: TextMatcher) -> Iterator[tuple[str, str | None]]:
    theirs = rows.filter(matcher.find(rows[name]))
    carriers = theirs[C.CARRIER].to_pylist() if C.CARRIER in theirs.column_names else [None] * len(theirs)
    yield from zip(theirs[name].to_pylist(), carriers, strict=True)


def _find_shared(lake: Lake, visitors: Mapping[str, int], find_owner: FindOwner) -> set[str]:
    """Cookies that came with somebody else's address as well."""
    shared: set[str] = set()
    search = BlockSearch(addresses=(), phones=(), named={VISITOR: frozenset(visitors)}, names=())
    for rows in scan_rows(lake, CLICKSTREAM, columns=(C.RAW,)) if visitors else ():
        for line in search.choose(rows[C.RAW]):
            fields = dict(read_fields(line))
            visitor = fields.get(VISITOR, "")
            # An address that breaks off with its line is no other person's.
            is_whole = is_record(line) or normalise(fields.get(EMAIL, "")) is not None
            if visitor in visitors and fields.get(EMAIL) and is_whole and find_owner(fields) != visitors[visitor]:
                shared.add(visitor)
    return shared
