"""Rows that a legal hold keeps, for steps that conform their days again.

Erasure spares what a hold names. A step that then runs again would sever or drop those rows, because tombstones know
the person; and any row that a pull no longer brings would be taken back. So a row on hold stays as it is when its pull
is conformed again, and is nobody's that was erased. Of what comes again of a period on hold only that counts which was
pulled before the person was erased: what comes later never was on hold.
"""

from collections.abc import Collection, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Contract, Lake
from jobs.lake import columns as C
from jobs.people.held_rows import Keeper
from jobs.people.holds import ORDER, Hold, open_holds
from jobs.people.person import Person, unite

if TYPE_CHECKING:
    from pyspark.sql import Column

NAMES: Final = {C.ORDER_ID: "order_ids", C.RETURN_ID: "return_ids", C.PARCEL_ID: "parcel_ids"}


def find_kept(
    lake: Lake, table: str, columns: Collection[str], erased_at: Sequence[str] | None = None
) -> "Column | None":
    """True for rows that a hold on orders or a period keeps; none where there is no such hold.

    Args:
        lake: the lake.
        table: that the rows are of, or for.
        columns: of the rows.
        erased_at: of rows that come again, columns that say when their person was erased; none for rows of the table.
    """
    holds = [hold for hold in open_holds(lake) if hold.covers(table)]
    of_orders = Keeper(lake, [hold for hold in holds if hold.scope == ORDER]).list_named()
    marks = [*_mark_names(of_orders, columns), *_mark_days(holds, lake.contracts[table], columns, erased_at)]
    return reduce(or_, (F.coalesce(mark, F.lit(False)) for mark in marks)) if marks else None


def leave_held_days(lake: Lake, landing: str, days: Sequence[str]) -> list[str]:
    """Those of some days of landing that no hold on a period keeps whole."""
    held = Keeper(lake, [hold for hold in open_holds(lake) if hold.days is not None]).find_held(landing)
    return [day for day in days if held is None or not held.covers(day)]


def _mark_names(people: Sequence[Person], columns: Collection[str]) -> "list[Column]":
    named = {name: unite(people, attribute) for name, attribute in NAMES.items() if name in columns}
    return [F.col(name).isin(*values) for name, values in named.items() if values]


def _mark_days(
    holds: Sequence[Hold], contract: Contract, columns: Collection[str], erased_at: Sequence[str] | None
) -> "list[Column]":
    """Rows of a period by the day that :class:`jobs.people.held_rows.HeldRows` goes by."""
    element = contract.retention.element if contract.retention else ""
    days = [hold.days for hold in holds if hold.days is not None]
    if element not in columns or not days or (erased_at is not None and not erased_at):
        return []
    came_before = F.lit(True)
    if erased_at is not None:
        first = F.least(*erased_at) if len(erased_at) > 1 else F.col(erased_at[0])
        came_before = F.col(C.PULL_DAY) < F.to_date(first)
    day = F.to_date(element)
    return [day.between(period.first, period.last) & came_before for period in days]
