"""Retention by age: a plan of what is past its term, and its application.

The terms come from the contracts. A table partitioned by the day its term counts from loses whole partitions, which
costs metadata only; of any other table the files that hold old rows are rewritten without them. Rows whose element is
null stay: their term has not begun. Files go at once, not when history ends, and that is finished even by a run that
finds no old rows.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.errors import SophiluxError
from jobs.lake import Contract, Days, Lake
from jobs.lake.editing import edit_rows
from jobs.lake.reports import StepReport
from jobs.retention import cleanup, terms

if TYPE_CHECKING:
    import pyarrow as pa

RUNS: Final = "ledger.retention_runs"
PACKAGES: Final = ("exports.additions", "exports.removals", "exports.app_installs", "exports.conversions")


@dataclass(frozen=True)
class Removal:
    """What one table loses: whole partitions, package folders, or the rows with an older ``element``.

    Attributes:
        bytes: size of the files that go; for single rows their share of the table's files.
        takes_all: nothing of the table would be left.
        newest: the youngest day in the table.
    """

    table: str
    rule: str
    element: str
    cutoff: date
    rows: int
    bytes: int
    takes_all: bool
    newest: date | None
    partitions: tuple[str, ...] = field(default=(), repr=False)
    folders: tuple[str, ...] = field(default=(), repr=False)


def plan(lake: Lake, day: date) -> list[Removal]:
    """What is past its term on a day; changes nothing.

    Raises:
        SophiluxError: a removal would empty a table that has rows within their term.
    """
    tables = [contract for contract in lake.contracts.values() if lake.exists(contract.name)]
    removals = [_plan_table(lake, contract, day) for contract in tables]
    removals.append(_plan_packages(lake, day))
    found = [removal for removal in removals if removal is not None]
    for removal in found:
        check_removal(removal)
    return found


def check_removal(removal: Removal) -> None:
    """Refuse to empty a table that has rows within their term.

    Raises:
        SophiluxError: the removal takes everything although the youngest day is not before the cutoff.
    """
    if removal.takes_all and removal.newest is not None and removal.newest >= removal.cutoff:
        message = (
            f"{removal.table}: retention would remove everything although rows of {removal.newest} are kept from "
            f"{removal.cutoff} on; nothing was removed. Check the retention in its contract."
        )
        raise SophiluxError(message)


def apply(lake: Lake, removals: list[Removal], day: date) -> None:
    """Carry out a plan, record each removal, and finish what an earlier run could not.

    Raises:
        CommitConflictError: another run changed a table meanwhile; planning and applying again is safe.
    """
    run_id = secrets.token_hex(8)
    for removal in removals:
        check_removal(removal)
        cleanup.mark_pending(lake.home, removal.table)
        _remove(lake, removal)
        lake.record(RUNS, [_run_row(removal, day, run_id)])
    known = set(lake.contracts)
    for table in cleanup.list_pending(lake.home):
        if table in known:
            lake.vacuum(table, keep=timedelta(0))
        cleanup.clear_pending(lake.home, table)
    for table in lake.contracts:
        lake.vacuum(table)
    cleanup.remove_leftovers(lake.home)


def run(lake: Lake, days: Days) -> StepReport:
    """Plan and apply retention as of the last day."""
    removals = plan(lake, days.last)
    apply(lake, removals, days.last)
    return StepReport(rows_out=sum(removal.rows for removal in removals))


def _plan_table(lake: Lake, contract: Contract, day: date) -> Removal | None:
    if contract.retention is None:
        return None
    cutoff = terms.find_cutoff(contract.retention, day)
    if contract.partition_column is None:
        return _plan_rows(lake, contract, cutoff)
    return _plan_partitions(lake, contract, contract.partition_column, cutoff)


def _plan_partitions(lake: Lake, contract: Contract, partition_column: str, cutoff: date) -> Removal | None:
    files = [file for file in lake.list_files(contract.name) if file.partition is not None]
    counted_from = _read_partition_days(lake, contract, partition_column, {str(file.partition) for file in files})
    old = sorted(partition for partition, day in counted_from.items() if day < cutoff)
    if not old:
        return None
    going = [file for file in files if file.partition in set(old)]
    return Removal(
        partitions=tuple(old),
        rows=sum(file.rows for file in going),
        bytes=sum(file.size for file in going),
        takes_all=len(going) == len(files),
        newest=max(counted_from.values()),
        **_name_rule(contract, cutoff),
    )


def _read_partition_days(
    lake: Lake, contract: Contract, partition_column: str, partitions: set[str]
) -> dict[str, date]:
    """The youngest day of each partition; without a pass over the data where the partition is that day."""
    element = contract.retention.element if contract.retention else ""
    if element == partition_column:
        return {partition: date.fromisoformat(partition) for partition in partitions}
    rows = lake.read(contract.name).groupBy(partition_column).agg(F.max(element).cast("date").alias("newest"))
    return {str(row[0]): row[1] for row in rows.collect() if row[1] is not None}


def _plan_rows(lake: Lake, contract: Contract, cutoff: date) -> Removal | None:
    rule = _name_rule(contract, cutoff)
    rows = lake.read(contract.name)
    element = F.col(rule["element"])
    is_old = F.when(element < F.lit(cutoff), 1).otherwise(0)
    found = rows.agg(F.count(F.lit(1)), F.sum(is_old), F.max(element).cast("date")).collect()[0]
    total, old, newest = found[0], found[1] or 0, found[2]
    if not old:
        return None
    size = sum(file.size for file in lake.list_files(contract.name))
    return Removal(rows=old, bytes=size * old // total, takes_all=old == total, newest=newest, **rule)


def _plan_packages(lake: Lake, day: date) -> Removal | None:
    cutoffs = [terms.find_cutoff(r, day) for r in (lake.contracts[table].retention for table in PACKAGES) if r]
    packages = cleanup.list_packages(lake.home)
    old = [package for package in packages if package.day < max(cutoffs)]
    if not old:
        return None
    return Removal(
        folders=tuple(package.location for package in old),
        rows=sum(package.rows for package in old),
        bytes=sum(package.bytes for package in old),
        takes_all=len(old) == len(packages),
        newest=max(package.day for package in packages),
        **_name_rule(lake.contracts[PACKAGES[0]], max(cutoffs)),
    )


def _name_rule(contract: Contract, cutoff: date) -> dict[str, Any]:
    retention = contract.retention
    rule = "" if retention is None else terms.describe(retention)
    element = "" if retention is None else retention.element
    return {"table": contract.name, "rule": rule, "element": element, "cutoff": cutoff}


def _remove(lake: Lake, removal: Removal) -> None:
    import pyarrow.compute as pc

    if removal.folders:
        cleanup.remove_packages(removal.folders)
    elif removal.partitions:
        lake.drop_partitions(removal.table, removal.partitions)
    else:
        edit_rows(
            lake,
            removal.table,
            columns=[removal.element],
            find=lambda rows: _is_old(rows[removal.element], removal.cutoff),
            edit=lambda rows, found: rows.filter(pc.invert(found)),
        )


def _is_old(element: "pa.ChunkedArray", cutoff: date) -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = element.type
    if pa.types.is_date(kind):
        return pc.less(element, pa.scalar(cutoff, kind))
    midnight = datetime(cutoff.year, cutoff.month, cutoff.day, tzinfo=UTC)
    return pc.less(element, pa.scalar(midnight if kind.tz else midnight.replace(tzinfo=None), kind))


def _run_row(removal: Removal, day: date, run_id: str) -> dict[str, Any]:
    return {
        "day": day,
        "run_id": run_id,
        "table_name": removal.table,
        "rule": removal.rule,
        "partitions": len(removal.partitions) + len(removal.folders),
        "rows": removal.rows,
        "bytes": removal.bytes,
        "applied_at": datetime.now(UTC),
    }
