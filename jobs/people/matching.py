"""Which rows of a table are about some people, as its contract says they are told.

Every table that bears subjects declares in its contract by which columns (``erasureKey``) and in which way
(``erasureMatch``) its rows are found; nothing here knows a table by name.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jobs.lake import Contract, Lake
from jobs.lake import columns as C
from jobs.lake.contracts import SUBJECT_BUCKET
from jobs.lake.erasures import BY_AD_ID, BY_COLUMNS, BY_PACKAGE, BY_TEXT
from jobs.lake.parquet.rewriting import Find
from jobs.people import addresses, reports
from jobs.people.identifiers import list_ad_ids
from jobs.people.person import Person, unite
from jobs.people.text_matching import TextMatcher
from jobs.people.values import find_values, nobody

if TYPE_CHECKING:
    import pyarrow as pa

Mark = Callable[["pa.ChunkedArray"], "pa.ChunkedArray"]
ATTRIBUTES: Final[Mapping[str, str]] = {
    C.SUBJECT_ID: "subject_ids",
    C.PERSON_ID: "person_ids",
    C.CUSTOMER_ID: "customer_ids",
    C.ORDER_ID: "order_ids",
    C.RETURN_ID: "return_ids",
    C.PARCEL_ID: "parcel_ids",
}
OF_ORDERS: Final = frozenset({C.ORDER_ID, C.RETURN_ID, C.PARCEL_ID, C.REPORTS})
"""Columns by which only rows are found that have the bucket of their person, or none."""


@dataclass(frozen=True)
class RowMatch:
    """How rows of some people are found in one table; fits :func:`jobs.lake.editing.edit_rows`.

    Attributes:
        columns: stored columns that ``find`` needs.
        find: marks the rows.
        buckets: buckets that the rows can be in, ``None`` among them for rows without; none where they can be anywhere.
        partitions: partitions that the rows can be in; none where they can be in any.
    """

    columns: tuple[str, ...]
    find: Find = field(repr=False)
    buckets: frozenset[int | None] | None = field(default=None, repr=False)
    partitions: frozenset[str] | None = None


def match_rows(lake: Lake, contract: Contract, people: Collection[Person]) -> RowMatch | None:
    """How the rows of some people are found in a table.

    Args:
        lake: the lake.
        contract: the table's.
        people: of :func:`jobs.people.finding.find_people`.

    Returns:
        None where the table bears no subjects, keeps what it holds, or consists of packages, which are judged as whole
        files.
    """
    erasure = contract.erasure
    if erasure is None or erasure.match not in MATCHES:
        return None
    return MATCHES[erasure.match](lake, contract, people)


def _match_columns(lake: Lake, contract: Contract, people: Collection[Person]) -> RowMatch:  # noqa: ARG001
    keys = contract.erasure.keys if contract.erasure else ()
    marks = {name: _mark_column(name, people) for name in keys}
    return RowMatch(keys, _find_any(marks), _choose_buckets(contract, keys, people))


def _match_text(lake: Lake, contract: Contract, people: Collection[Person]) -> RowMatch:
    keys = contract.erasure.keys if contract.erasure else ()
    matcher = TextMatcher(people, list_ad_ids(lake, people))
    return RowMatch(keys, _find_any(dict.fromkeys(keys, matcher.find)))


def _match_ad_ids(lake: Lake, contract: Contract, people: Collection[Person]) -> RowMatch:
    keys = contract.erasure.keys if contract.erasure else ()
    identifiers = list_ad_ids(lake, people)
    return RowMatch(keys, _find_any({name: lambda column: find_values(column, identifiers) for name in keys}))


MATCHES: Final[Mapping[str, Callable[[Lake, Contract, Collection[Person]], RowMatch]]] = {
    BY_COLUMNS: _match_columns,
    BY_TEXT: _match_text,
    BY_AD_ID: _match_ad_ids,
}
NOT_BY_ROWS: Final = (BY_PACKAGE,)


def _mark_column(name: str, people: Collection[Person]) -> Mark:
    if name == C.EMAIL:
        known = unite(people, "addresses")
        return lambda column: addresses.find_addresses(column, known)
    if name == C.REPORTS:
        orders = unite(people, "order_ids")
        return lambda column: reports.find_orders(column, orders)
    values = unite(people, ATTRIBUTES[name])
    return lambda column: find_values(column, values)


def _find_any(marks: Mapping[str, Mark]) -> Find:
    import pyarrow.compute as pc

    def find(rows: "pa.Table") -> "pa.ChunkedArray":
        found = nobody(rows)
        for name, tell in marks.items():
            found = pc.or_(found, pc.fill_null(tell(rows[name]), fill_value=False))
        return found

    return find


def _choose_buckets(
    contract: Contract, keys: Sequence[str], people: Collection[Person]
) -> frozenset[int | None] | None:
    """Where rows can be; accounts and written addresses may be new, with a pseudonym that is not known yet."""
    others = set(keys) - {C.SUBJECT_ID}
    if SUBJECT_BUCKET not in contract.column_names or C.SUBJECT_ID not in keys or not others <= OF_ORDERS:
        return None
    own: frozenset[int | None] = unite_buckets(people)
    return own | {None} if others else own


def unite_buckets(people: Collection[Person]) -> frozenset[int | None]:
    """Buckets that rows of the people can be in."""
    return frozenset(bucket for person in people for bucket in person.buckets)
