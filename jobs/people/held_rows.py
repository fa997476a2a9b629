"""Which rows of a table open holds keep; every path that deletes asks here.

A hold on people keeps the rows that name one of their pseudonyms, accounts, orders or parcels. A hold on orders keeps
what belongs to the order. A hold on a period keeps the rows of its days: of the partition's day, or where a table has
none, of the day its retention counts from. A row without such a day belongs to a period only where the hold names its
table.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Contract, Days, Lake
from jobs.lake import columns as C
from jobs.lake.contracts import SUBJECT_BUCKET
from jobs.lake.rewriting import Find
from jobs.people.holds import PERIOD, SUBJECT, Hold
from jobs.privacy.subject_ids import bucket_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

NAMING: Final = (C.SUBJECT_ID, C.PERSON_ID, C.CUSTOMER_ID, C.ORDER_ID, C.PARCEL_ID)
"""Columns that tie a row to a person or an order."""
EXEMPT: Final = ("ledger.holds",)
PACKAGES: Final = ("exports.additions", "exports.removals", "exports.app_installs", "exports.conversions")
Names = Mapping[str, frozenset[str]]
"""Values by column of :data:`NAMING`."""


@dataclass(frozen=True)
class HeldRows:
    """What open holds keep of one table.

    Attributes:
        table: its name.
        columns: stored columns that ``find`` needs.
        find: marks held rows; gets these columns.
        periods: days whose partitions are held whole.
        buckets: buckets that rows found by ``find`` can be in; none where they may be in any.
        holds: the holds, for messages.
    """

    table: str
    columns: tuple[str, ...]
    find: Find = field(repr=False)
    periods: tuple[Days, ...] = ()
    buckets: frozenset[int] | None = field(default=None, repr=False)
    holds: tuple[Hold, ...] = ()

    def covers(self, partition: str | None) -> bool:
        """True where a partition is held as a whole."""
        return bool(self.periods) and partition is not None and _is_inside(date.fromisoformat(partition), self.periods)

    def may_be_in(self, buckets: tuple[int, int] | None) -> bool:
        """False where a file's lowest and highest bucket rule out that ``find`` marks a row of it."""
        if self.buckets is None or buckets is None:
            return True
        return any(buckets[0] <= bucket <= buckets[1] for bucket in self.buckets)

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
        self._holds = tuple(holds)
        self._names = {hold.hold_id: _find_names(lake, hold) for hold in self._holds if hold.scope != PERIOD}

    @property
    def holds(self) -> tuple[Hold, ...]:
        """The holds."""
        return self._holds

    def find_held(self, table: str) -> HeldRows | None:
        """What the holds keep of a table; none where they keep nothing of it."""
        contract = self._lake.contracts[table]
        holds = [hold for hold in self._holds if hold.covers(table) and table not in EXEMPT]
        by_name = [hold for hold in holds if hold.scope != PERIOD and any(n in contract.column_names for n in NAMING)]
        by_day = [hold for hold in holds if hold.days is not None]
        if not by_name and not by_day:
            return None
        names = _unite(self._names[hold.hold_id] for hold in by_name)
        marks = _NameMarks(contract, names), _DayMarks(contract, by_day)
        return HeldRows(
            table,
            tuple(dict.fromkeys([*marks[0].columns, *marks[1].columns])),
            lambda rows: _either(marks[0].find(rows), marks[1].find(rows)),
            marks[1].periods,
            None if marks[1].columns else _bucket_ofs(contract, names),
            (*by_name, *by_day),
        )

    def holds_of_package(self, day: date) -> list[Hold]:
        """The holds that keep a partner's package of a day.

        Whose identifiers a package holds cannot be told without every key it was made with, so a hold on people keeps
        all of them; one on orders keeps none, because packages name no order.
        """
        named = [hold for hold in self._holds if any(hold.covers(table) for table in PACKAGES)]
        return [hold for hold in named if hold.scope == SUBJECT or (hold.days is not None and day in hold.days)]


class _NameMarks:
    """Marks rows that name somebody or an order on hold."""

    def __init__(self, contract: Contract, names: Names) -> None:
        stored = [name for name in NAMING if name in contract.column_names and name != contract.partition_column]
        self._values = {name: names[name] for name in stored if names.get(name)}
        self.columns = tuple(self._values)

    def find(self, rows: "pa.Table") -> "pa.ChunkedArray":
        import pyarrow as pa
        import pyarrow.compute as pc

        found = _nothing(rows)
        for name, values in self._values.items():
            found = pc.or_(found, pc.is_in(rows[name], pa.array(sorted(values), pa.string())))
        return found


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

        found = _nothing(rows)
        for name in self.columns:
            for days, also_undated in self._days:
                first, after = _bounds(days, rows[name].type)
                inside = pc.and_(pc.greater_equal(rows[name], first), pc.less(rows[name], after))
                found = pc.or_(found, pc.fill_null(inside, fill_value=also_undated))
        return found


def _find_names(lake: Lake, hold: Hold) -> Names:
    """Everything that the people or orders of a hold are called in our tables."""
    names: dict[str, frozenset[str]] = {C.SUBJECT_ID: hold.subject_ids, C.ORDER_ID: hold.order_ids}
    if hold.scope == SUBJECT:
        names |= _find_people(lake, hold.subject_ids)
    parcels = _select(lake.read("lake.parcels"), C.ORDER_ID, names[C.ORDER_ID], C.PARCEL_ID)
    return names | {C.PARCEL_ID: parcels[C.PARCEL_ID]}


def _find_people(lake: Lake, subject_ids: frozenset[str]) -> dict[str, frozenset[str]]:
    identities = lake.read("vault.identities")
    accounts = _select(identities, C.SUBJECT_ID, subject_ids, C.PERSON_ID, C.CUSTOMER_ID)
    addresses = _select(identities, C.PERSON_ID, accounts[C.PERSON_ID], C.SUBJECT_ID)[C.SUBJECT_ID] | subject_ids
    orders = _select(lake.read("lake.orders"), C.SUBJECT_ID, addresses, C.ORDER_ID)
    return {**accounts, **orders, C.SUBJECT_ID: addresses}


def _select(rows: "DataFrame", column: str, values: Collection[str], *wanted: str) -> dict[str, frozenset[str]]:
    """Values of some columns in the rows where another one has one of few values."""
    found = rows.where(F.col(column).isin(*values)).select(*wanted).distinct().collect() if values else []
    return {name: frozenset(row[name] for row in found if row[name] is not None) for name in wanted}


def _unite(all_names: Iterable[Names]) -> Names:
    united: dict[str, frozenset[str]] = {}
    for names in all_names:
        united |= {column: united.get(column, frozenset()) | values for column, values in names.items()}
    return united


def _bucket_ofs(contract: Contract, names: Names) -> frozenset[int] | None:
    """Where rows can be; only a table that names people by ``subject_id`` alone tells."""
    naming = [name for name in NAMING if name in contract.column_names]
    if naming != [C.SUBJECT_ID] or SUBJECT_BUCKET not in contract.column_names:
        return None
    return frozenset(bucket_of(subject_id) for subject_id in names.get(C.SUBJECT_ID, ()))


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


def _nothing(rows: "pa.Table") -> "pa.ChunkedArray":
    import numpy as np
    import pyarrow as pa

    return pa.chunked_array([pa.array(np.zeros(rows.num_rows, dtype=bool))])


def _either(one: "pa.ChunkedArray", other: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow.compute as pc

    return pc.or_(one, other)
