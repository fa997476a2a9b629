"""Commit staged files to a Delta table: all of them or none, and never over somebody else's change.

Every commit is a compare-and-swap on the table's version. One that lost the race is tried again on the new
version, which costs metadata only; it gives up when the rows it was computed from have changed meanwhile.
The log receives file names, partition values, counts and the lineage's names of columns, and no value of any row.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.errors import CommitConflictError
from jobs.lake import evolution
from jobs.lake.contracts import SUBJECT_BUCKET, Contract
from jobs.lake.staging import Staged

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

ATTEMPTS = 20
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class TableFile:
    """One file of a table as it stands in the log; ``buckets`` are the lowest and highest of its rows, where known."""

    path: str
    partition: str | None
    rows: int
    size: int
    buckets: tuple[int, int] | None = None


def open_table(contract: Contract, location: str) -> "DeltaTable":
    """The Delta table at a location, created empty when there is none, with all columns of its contract.

    Raises:
        ContractError: a column of the table has another type than the contract gives it.
    """
    from deltalake import DeltaTable

    if DeltaTable.is_deltatable(location):
        return evolution.add_columns(DeltaTable(location), contract)
    partition_by = [contract.partition_column] if contract.partition_column else None
    return DeltaTable.create(
        location,
        schema=contract.arrow_schema(),
        mode="ignore",
        partition_by=partition_by,
        name=contract.name,
        description=contract.purpose,
        configuration={
            "delta.dataSkippingStatsColumns": ",".join(contract.statistics_columns),
            "delta.logRetentionDuration": "interval 30 days",
        },
    )


def list_files(table: "DeltaTable", contract: Contract) -> list[TableFile]:
    """Files of the table's current version."""
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    partition = f"partition.{contract.partition_column}"
    return [
        TableFile(
            row["path"],
            None if row.get(partition) is None else str(row[partition]),
            row.get("num_records") or 0,
            row["size_bytes"],
            _read_buckets(row),
        )
        for row in actions
    ]


def _read_buckets(action: dict[str, Any]) -> tuple[int, int] | None:
    bounds = action.get(f"min.{SUBJECT_BUCKET}"), action.get(f"max.{SUBJECT_BUCKET}")
    return None if bounds[0] is None or bounds[1] is None else (int(bounds[0]), int(bounds[1]))


def commit(staged: Staged, partitions: Collection[str] | None, base: frozenset[str] | None) -> int:
    """Replace partitions by staged files.

    Args:
        staged: the files; those of a partition outside ``partitions`` are refused.
        partitions: values whose files go; none replaces the whole table.
        base: paths of the replaced partitions' files that the staged rows were computed from, where they were.

    Returns:
        The version of the table after the commit.

    Raises:
        CommitConflictError: the replaced partitions changed since ``base``, or the race was lost too often.
    """
    contract = staged.contract
    if partitions is not None and not staged.partitions <= set(partitions):
        strays = ", ".join(sorted(staged.partitions - set(partitions))[:5])
        message = f"{contract.name}: the rows belong to {strays}, outside the partitions to replace."
        raise ValueError(message)

    def write(table: "DeltaTable") -> None:
        if base is not None:
            _check_unchanged(table, contract, partitions, base)
        _write(table, staged, partitions)

    return _race(staged, write)


def swap(staged: Staged, replaced: Collection[TableFile]) -> int:
    """Put staged files in the place of others, and leave every other file of their partitions alone.

    Args:
        staged: the files that take their place; none where nothing of them is left.
        replaced: files that go.

    Returns:
        The version of the table after the commit.

    Raises:
        CommitConflictError: one of the files is no longer part of the table, or the race was lost too often.
    """
    contract, going = staged.contract, {file.path for file in replaced}

    def write(table: "DeltaTable") -> None:
        if not going <= replaced_files(table, contract, None):
            message = f"{contract.name}: another run changed the same files first; run the step again."
            raise CommitConflictError(message)
        _swap(table, staged, replaced)

    return _race(staged, write)


def _race(staged: Staged, write: Callable[["DeltaTable"], None]) -> int:
    """Write to the newest version, again and again until nobody was faster; returns the version that came of it."""
    from deltalake.exceptions import CommitFailedError

    for attempt in range(ATTEMPTS):
        table = open_table(staged.contract, staged.location)
        try:
            write(table)
        except CommitFailedError:
            time.sleep(PAUSE_SECONDS * (attempt + 1))
        else:
            return table.version()
    message = f"{staged.contract.name}: lost the race to commit {ATTEMPTS} times; run the step again."
    raise CommitConflictError(message)


def replaced_files(table: "DeltaTable", contract: Contract, partitions: Collection[str] | None) -> frozenset[str]:
    """Paths of the files that replacing these partitions would remove."""
    files = list_files(table, contract)
    return frozenset(f.path for f in files if partitions is None or f.partition in partitions)


def _check_unchanged(
    table: "DeltaTable", contract: Contract, partitions: Collection[str] | None, base: frozenset[str]
) -> None:
    if replaced_files(table, contract, partitions) != base:
        message = f"{contract.name}: another run changed the same partitions first; run the step again."
        raise CommitConflictError(message)


def _write(table: "DeltaTable", staged: Staged, partitions: Collection[str] | None) -> None:
    from deltalake.transaction import CommitProperties

    column = staged.contract.partition_column
    replaced = [(column, "in", sorted(partitions))] if column and partitions is not None else None
    table.create_write_transaction(
        _additions(staged),
        mode="overwrite",
        schema=table.schema(),
        partition_by=[column] if column else None,
        partition_filters=replaced,
        commit_properties=CommitProperties(custom_metadata=dict(staged.notes), max_commit_retries=0),
    )


def _swap(table: "DeltaTable", staged: Staged, replaced: Collection[TableFile]) -> None:
    from deltalake.transaction import CommitProperties, RemoveAction

    column, now = staged.contract.partition_column, int(time.time() * 1000)
    removals = [
        RemoveAction(file.path, True, now, file.size, {column: file.partition} if column else {}) for file in replaced
    ]
    table.create_write_transaction(
        [*_additions(staged), *removals],
        mode="append",
        schema=table.schema(),
        partition_by=[column] if column else None,
        commit_properties=CommitProperties(custom_metadata=dict(staged.notes), max_commit_retries=0),
    )


def restate(table: "DeltaTable", staged: Staged) -> None:
    """Commit files that are part of the table already, with statistics of their own; with no file an empty entry.

    Only for whoever has the table to himself: nothing is checked against other runs.
    """
    from deltalake.transaction import CommitProperties

    column = staged.contract.partition_column
    table.create_write_transaction(
        _additions(staged, changes=False),
        mode="append",
        schema=table.schema(),
        partition_by=[column] if column else None,
        commit_properties=CommitProperties(max_commit_retries=0),
    )


def _additions(staged: Staged, *, changes: bool = True) -> "list[AddAction | RemoveAction]":
    from deltalake.transaction import AddAction

    now, column = int(time.time() * 1000), staged.contract.partition_column
    return [
        AddAction(
            path=file.path,
            size=file.size,
            partition_values={column: file.partition} if column else {},
            modification_time=now,
            data_change=changes,
            stats=file.statistics,
        )
        for file in staged.files
    ]
