"""Find what is past its term, file by file; changes nothing.

The terms come from the contracts. Where a table's partitions are the days that its term counts from, the log alone
tells; of any other table the columns that tell are read. Rows whose element is null stay: their term has not begun.
What a hold keeps stays too, and is counted. ``retentionUnit: partition`` in a contract keeps a partition whole until
its youngest row is past its term.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Contract, Lake
from jobs.lake.commits import TableFile
from jobs.lake.contracts import Retention
from jobs.lake.identity import lake_id
from jobs.lake.looking import read_columns
from jobs.people.held_rows import HeldRows, Keeper
from jobs.people.holds import open_holds
from jobs.retention import packages, terms
from jobs.retention.digests import RowDigest
from jobs.retention.plans import FileRemoval, Plan, Removal, Rule

if TYPE_CHECKING:
    import pyarrow as pa

BY_PARTITION: Final = "partition"
LEGAL_BASIS: Final = "legalBasis"
UNIT: Final = "retentionUnit"


@dataclass
class _Seen:
    """What looking into one file found; ``old`` are the rows past their term, held ones included."""

    file: TableFile
    old: int
    held: int = 0
    youngest: date | None = None
    digest: RowDigest | None = field(default=None, repr=False)

    @property
    def goes(self) -> int:
        return self.old - self.held


def make_plan(lake: Lake, day: date, *, salt: str | None = None, tables: Iterable[str] | None = None) -> Plan:
    """What is past its term on a day.

    Args:
        lake: the lake.
        day: ages count up to it.
        salt: of another plan, to compare with; none draws one.
        tables: to look at; none looks at all.
    """
    salt = salt or secrets.token_hex(16)
    holds = open_holds(lake)
    keeper = Keeper(lake, holds)
    wanted = set(lake.contracts if tables is None else tables)
    contracts = [c for c in lake.contracts.values() if c.name in wanted and c.retention and lake.exists(c.name)]
    found = [_plan_table(lake, contract, contract.retention, day, keeper, salt) for contract in contracts]
    found += packages.plan_packages(lake, day, keeper, _name_rule) if packages.TABLE in wanted else []
    removals = tuple(removal for removal in found if removal is not None)
    names = tuple(sorted(hold.hold_id for hold in holds))
    return Plan(lake_id(lake.home), day, datetime.now(UTC).replace(microsecond=0), salt, names, removals)


def find_cuts(lake: Lake, contract: Contract, retention: Retention, day: date) -> "_Terms":
    """What tells the rows of a table that are past their term, for whoever removes them."""
    return _Terms(lake, contract, retention, terms.find_cutoff(retention, day))


def _plan_table(
    lake: Lake, contract: Contract, retention: Retention | None, day: date, keeper: Keeper, salt: str
) -> Removal | None:
    if retention is None:
        return None
    looker = find_cuts(lake, contract, retention, day)
    held = keeper.find_held(contract.name)
    files = lake.list_files(contract.name)
    seen = [looker.look(file, held, salt) for file in files]
    if contract.properties.get(UNIT) == BY_PARTITION:
        seen = _keep_young_partitions(seen)
    old = [each for each in seen if each.old]
    if not old:
        return None
    return _sum_up(lake, contract, _name_rule(contract, looker.cutoff), files, old, held)


def _sum_up(
    lake: Lake, contract: Contract, rule: Rule, files: Sequence[TableFile], old: Sequence[_Seen], held: HeldRows | None
) -> Removal:
    going = [each for each in old if each.goes]
    kept = sum(each.held for each in old)
    days = [each.youngest for each in going if each.youngest is not None]
    return Removal(
        table=contract.name,
        table_id=lake.table_id(contract.name),
        version=lake.version(contract.name),
        rule=rule,
        partitions=_list_whole_partitions(files, going),
        files=tuple(
            FileRemoval(s.file.path, s.file.partition, s.file.rows, s.goes, s.file.size)
            for s in sorted(going, key=lambda each: each.file.path)
        ),
        rows=sum(each.goes for each in going),
        bytes=sum(each.file.size * each.goes // max(1, each.file.rows) for each in going),
        table_rows=sum(file.rows for file in files),
        youngest=max(days, default=None),
        held=kept,
        holds=tuple(sorted(hold.hold_id for hold in held.holds)) if held and kept else (),
        digest=RowDigest.unite(each.digest for each in going if each.digest is not None),
    )


class _Terms:
    """The term of one table on one day: which rows are past it."""

    def __init__(self, lake: Lake, contract: Contract, retention: Retention, cutoff: date) -> None:
        self._lake, self._contract, self.cutoff = lake, contract, cutoff
        self.element = retention.element
        self.is_aligned = retention.element == contract.partition_column

    def look(self, file: TableFile, held: HeldRows | None, salt: str) -> _Seen:
        """What a file has past its term."""
        if not self.is_aligned:
            return self._look_inside(file, held, salt)
        day = date.fromisoformat(str(file.partition))
        if day >= self.cutoff:
            return _Seen(file, 0)
        return _Seen(file, file.rows, self._count_held(file, held), day)

    def columns(self, held: HeldRows | None) -> list[str]:
        """Stored columns that :meth:`find` needs."""
        own = [] if self.is_aligned else [self.element]
        return list(dict.fromkeys([*own, *(held.columns if held else ())]))

    def find(self, rows: "pa.Table", held: HeldRows | None) -> "pa.ChunkedArray":
        """Marks the rows that go."""
        import numpy as np
        import pyarrow as pa

        if self.is_aligned:
            old = pa.chunked_array([pa.array(np.ones(rows.num_rows, dtype=bool))])
        else:
            old = is_before(rows[self.element], self.cutoff)
        return held.spare(lambda _: old)(rows) if held else old

    def _count_held(self, file: TableFile, held: HeldRows | None) -> int:
        if held is None:
            return 0
        if held.covers(file.partition):
            return file.rows
        if not held.may_be_in(file):
            return 0
        return _count(held.find(read_columns(self._lake, self._contract.name, file.path, held.columns)))

    def _look_inside(self, file: TableFile, held: HeldRows | None, salt: str) -> _Seen:
        import pyarrow.compute as pc

        keys = [name for name in self._contract.key if name != self._contract.partition_column]
        rows = read_columns(
            self._lake, self._contract.name, file.path, list(dict.fromkeys([*self.columns(held), *keys]))
        )
        old = is_before(rows[self.element], self.cutoff)
        going = rows.filter(held.spare(lambda _: old)(rows) if held else old)
        if held is not None and held.covers(file.partition):
            going = going.slice(0, 0)
        count, youngest = _count(old), pc.max(going[self.element]).as_py()
        digest = RowDigest(salt, file.partition)
        digest.add(going.select(keys or going.column_names))
        day = youngest.date() if isinstance(youngest, datetime) else youngest
        return _Seen(file, count, count - going.num_rows, day, digest)


def is_before(element: "pa.ChunkedArray", cutoff: date) -> "pa.ChunkedArray":
    """True where a day or time is before a day; false where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = element.type
    if pa.types.is_date(kind):
        return pc.fill_null(pc.less(element, pa.scalar(cutoff, kind)), fill_value=False)
    midnight = datetime(cutoff.year, cutoff.month, cutoff.day, tzinfo=UTC if kind.tz else None)
    return pc.fill_null(pc.less(element, pa.scalar(midnight, kind)), fill_value=False)


def _keep_young_partitions(seen: Sequence[_Seen]) -> list[_Seen]:
    young = {each.file.partition for each in seen if each.old < each.file.rows}
    return [each for each in seen if each.file.partition not in young]


def _list_whole_partitions(files: Sequence[TableFile], going: Sequence[_Seen]) -> tuple[str, ...]:
    gone = {each.file.path for each in going if each.goes == each.file.rows}
    stays = {file.partition for file in files if file.path not in gone}
    return tuple(sorted({str(e.file.partition) for e in going if e.file.partition is not None} - {*map(str, stays)}))


def _name_rule(contract: Contract, cutoff: date) -> Rule:
    retention: Any = contract.retention
    return Rule(
        contract.purpose,
        str(contract.properties.get(LEGAL_BASIS, "")),
        terms.describe_period(retention),
        retention.element,
        retention.driver,
        retention.rule,
        cutoff,
    )


def _count(marks: "pa.ChunkedArray") -> int:
    import pyarrow.compute as pc

    return int(pc.sum(marks).as_py() or 0)
