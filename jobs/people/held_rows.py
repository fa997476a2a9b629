"""Which rows of a table open holds keep; every path that deletes asks here.

A hold on people keeps the rows that are about them, as their contracts tell. A hold on orders keeps what belongs to the
orders, their returns and parcels included. A hold on a period keeps the rows of its days: of the partition's day, or
where a table has none, of the day its retention counts from. A row without such a day belongs to a period only where
the hold names its table.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Contract, Days, Lake
from jobs.lake import columns as C
from jobs.lake.commits import TableFile
from jobs.lake.parquet import pruning
from jobs.lake.parquet.rewriting import Find
from jobs.lake.scanning import scan_rows
from jobs.people.finding import find_people
from jobs.people.held_packages import may_name
from jobs.people.holds import LEDGER, ORDER, PERIOD, SUBJECT, Hold
from jobs.people.matching import RowMatch, match_rows
from jobs.people.person import Person
from jobs.people.values import find_values, nobody

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGES: Final = ("exports.additions", "exports.removals", "exports.app_installs", "exports.conversions")
OF_ORDERS: Final = (
    ("lake.returns", C.RETURN_ID, "return_ids"),
    ("landing.returns", C.RETURN_ID, "return_ids"),
    ("lake.parcels", C.PARCEL_ID, "parcel_ids"),
    ("lake.parcel_events", C.PARCEL_ID, "parcel_ids"),
)
"""Tables that say what belongs to an order."""


@dataclass(frozen=True)
class HeldRows:
    """What open holds keep of one table.

    Attributes:
        table: its name.
        columns: stored columns that ``find`` needs.
        find: marks held rows; gets these columns.
        periods: days whose partitions are held whole.
        buckets: buckets that rows found by ``find`` can be in, ``None`` among them for rows without; none where they
            may be in any.
        holds: the holds, for messages.
    """

    table: str
    columns: tuple[str, ...]
    find: Find = field(repr=False)
    periods: tuple[Days, ...] = ()
    buckets: frozenset[int | None] | None = field(default=None, repr=False)
    holds: tuple[Hold, ...] = ()

    def covers(self, partition: str | None) -> bool:
        """True where a partition is held as a whole."""
        return bool(self.periods) and partition is not None and _is_inside(date.fromisoformat(partition), self.periods)

    def may_be_in(self, file: TableFile) -> bool:
        """False where a file's statistics rule out that ``find`` marks a row of it."""
        return bool(self.columns) and pruning.may_hold(file, self.buckets, None)

    def spare(self, find: Find) -> Find:
        """``find`` without what is held; it needs the columns of both."""
        import pyarrow.compute as pc

        def find_others(rows: "pa.Table") -> "pa.ChunkedArray":
            return pc.and_not(pc.fill_null(find(rows), fill_value=False), self.find(rows))

        return find_others


class Keeper:
    """Open holds, with everything that people and orders on hold are called, looked up once.

    Args:
        lake: the lake.
        holds: open holds, of :func:`jobs.people.holds.open_holds`.
    """

    def __init__(self, lake: Lake, holds: Iterable[Hold]) -> None:
        self._lake = lake
        self.holds = tuple(holds)

    def find_held(self, table: str) -> HeldRows | None:
        """What the holds keep of a table; none where they keep nothing of it."""
        contract = self._lake.contracts[table]
        if table == LEDGER:
            return _hold_holds(self.holds)
        holds = [hold for hold in self.holds if hold.covers(table)]
        matches = {hold.hold_id: self._match(contract, hold) for hold in holds if hold.scope != PERIOD}
        by_day = _DayMarks(contract, [hold for hold in holds if hold.days is not None])
        found = [match for match in matches.values() if match is not None]
        keeping = [hold for hold in holds if hold.days is not None or matches[hold.hold_id] is not None]
        if not keeping:
            return None
        columns = [name for match in found for name in match.columns] + list(by_day.columns)
        stored = tuple(dict.fromkeys(columns))
        buckets = None if by_day.columns else _unite_buckets(found)
        return HeldRows(table, stored, _find_any([*found, by_day]), by_day.periods, buckets, tuple(keeping))

    def list_named(self) -> list[Person]:
        """Everybody on hold; an order on hold is a person of whom nothing but the order is known."""
        return [person for people in self._people.values() for person in people]

    def holds_of_package(self, folder: str, day: date) -> list[Hold]:
        """The holds that keep a partner's package.

        Args:
            folder: of the package, relative to the home.
            day: of the package.

        Returns:
            Holds on a period that the day lies in, and holds on people whose identifiers are in it, or may be: under
            a destroyed key or encryption nobody can tell. A hold on orders keeps none, because packages name no order.
        """
        named = [hold for hold in self.holds if any(hold.covers(table) for table in PACKAGES)]
        return [hold for hold in named if self._keeps_package(hold, folder, day)]

    def _keeps_package(self, hold: Hold, folder: str, day: date) -> bool:
        if hold.days is not None:
            return day in hold.days
        return hold.scope == SUBJECT and may_name(self._lake, folder, self._people[hold.hold_id])

    @cached_property
    def _people(self) -> dict[str, list[Person]]:
        """Whom each hold names; an order on hold is a person of whom nothing but the order is known."""
        named = {hold.hold_id: self._find_named(hold) for hold in self.holds if hold.scope != PERIOD}
        return {hold_id: list(people) for hold_id, people in named.items()}

    def _find_named(self, hold: Hold) -> list[Person]:
        if hold.scope == ORDER:
            return [find_order(self._lake, hold.order_ids)]
        return find_people(self._lake, subject_ids=sorted(hold.subject_ids), whole_circles=True)

    def _match(self, contract: Contract, hold: Hold) -> RowMatch | None:
        match = match_rows(self._lake, contract, self._people[hold.hold_id])
        if match is None or hold.scope == SUBJECT:
            return match
        # Whose orders these are is not known, and so not where their rows are.
        return RowMatch(match.columns, match.find)


def _hold_holds(holds: tuple[Hold, ...]) -> HeldRows | None:
    """The ledger of holds itself: what an open hold names must stay known as long as it is open."""
    import pyarrow.compute as pc

    return (
        HeldRows(LEDGER, (C.RELEASED_AT,), lambda rows: pc.is_null(rows[C.RELEASED_AT]), holds=holds) if holds else None
    )


def find_order(lake: Lake, order_ids: Iterable[str]) -> Person:
    """Orders with their returns and parcels, in the form of a person of whom nothing else is known."""
    import pyarrow.compute as pc

    orders = frozenset(order_ids)
    found: dict[str, set[str]] = {}
    for table, column, attribute in OF_ORDERS:
        for rows in scan_rows(lake, table, columns=(C.ORDER_ID, column)):
            values = pc.drop_null(rows.filter(find_values(rows[C.ORDER_ID], orders))[column])
            found.setdefault(attribute, set()).update(values.to_pylist())
    names: dict[str, Any] = {name: frozenset(values) for name, values in found.items()}
    return Person(order_ids=orders, **names)


class _DayMarks:
    """Marks rows of held days, where a table's partitions are no days; else tells the days."""

    def __init__(self, contract: Contract, holds: Iterable[Hold]) -> None:
        periods = [(hold.days, bool(hold.tables)) for hold in holds if hold.days is not None]
        partition = contract.partition_column
        self._is_by_partition = partition is not None and contract.column(partition).type == "date"
        element = contract.retention.element if contract.retention else ""
        is_stored = element in contract.column_names and element != partition
        self.periods = tuple(days for days, _ in periods) if self._is_by_partition else ()
        self.columns = (element,) if periods and is_stored and not self._is_by_partition else ()
        self._days = periods

    def find(self, rows: "pa.Table") -> "pa.ChunkedArray":
        import pyarrow.compute as pc

        found = nobody(rows)
        for name in self.columns:
            for days, also_undated in self._days:
                first, after = _bounds(days, rows[name].type)
                inside = pc.and_(pc.greater_equal(rows[name], first), pc.less(rows[name], after))
                found = pc.or_(found, pc.fill_null(inside, fill_value=also_undated))
        return found


def _find_any(marks: "Iterable[RowMatch | _DayMarks]") -> Find:
    import pyarrow.compute as pc

    def find(rows: "pa.Table") -> "pa.ChunkedArray":
        found = nobody(rows)
        for mark in marks:
            found = pc.or_(found, pc.fill_null(mark.find(rows), fill_value=False))
        return found

    return find


def _unite_buckets(matches: Iterable[RowMatch]) -> frozenset[int | None] | None:
    buckets: frozenset[int | None] = frozenset()
    for match in matches:
        if match.buckets is None:
            return None
        buckets |= match.buckets
    return buckets


def _is_inside(day: date, periods: Iterable[Days]) -> bool:
    return any(day in days for days in periods)


def _bounds(days: Days, kind: "pa.DataType") -> "tuple[pa.Scalar, pa.Scalar]":
    """The first moment of a period and the first after it, as a column's type has them."""
    import pyarrow as pa

    edges = days.first, days.last + timedelta(days=1)
    if pa.types.is_date(kind):
        return pa.scalar(edges[0], kind), pa.scalar(edges[1], kind)
    first, after = (datetime.combine(edge, time(), UTC if kind.tz else None) for edge in edges)
    return pa.scalar(first, kind), pa.scalar(after, kind)
