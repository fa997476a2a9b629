"""Make a table forget its former versions: every file, log entry and checkpoint that the current one does not need.

The current version is told by a checkpoint and an empty commit alone; readers of it notice nothing. Statistics in it
are cut down to the columns whose values reveal nobody, whoever wrote them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from jobs.errors import SophiluxError
from jobs.lake import commits, fences, staging, storage
from jobs.lake.commits import TableFile
from jobs.lake.contracts import Contract
from jobs.lake.lake import Lake
from jobs.settings import is_remote

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyarrow import fs

LOG: Final = "_delta_log"
LAST_CHECKPOINT: Final = "_last_checkpoint"
REMOTE_PATIENCE: Final = timedelta(hours=1)
"""Age from which a file of no version is no running writer's, where there are no locks."""


@dataclass(frozen=True)
class Forgotten:
    """What a table lost.

    Attributes:
        table: its name.
        version: the one version that is left.
        files: data files removed.
        log_files: entries and checkpoints of the log removed.
    """

    table: str
    version: int
    files: int
    log_files: int


def forget_versions(lake: Lake, table: str) -> Forgotten | None:
    """Remove all that is no part of a table's current version; a second time finishes a first that failed.

    Waits for writers of the table. What crashed writers left goes too; on an object store, where nobody can tell them
    from running ones, only once it is an hour old.

    Returns:
        What went; none where there is no table.

    Raises:
        SophiluxError: a file could not be removed; the table is as good as before.
    """
    if not lake.exists(table):
        return None
    contract, location = lake.contracts[table], lake.location(table)
    with storage.table_lock(lake.home, table, exclusive=True):
        fences.mark_forgotten(lake.home)
        version = _condense(contract, location)
        kept = {file.path for file in commits.list_files(commits.open_table(contract, location), contract)}
        old = list(_list_old_files(location, kept))
        log = [info for info in _list(storage.join(location, LOG)) if not _is_needed(info.base_name, version)]
        _remove(table, location, [*old, *log])
        return Forgotten(table, version, len(old), len(log))


def find_revealing(table: "DeltaTable", contract: Contract) -> list[TableFile]:
    """Files of the current version whose statistics in the log show columns that they should not."""
    shown = set(contract.statistics_columns)
    revealing = {unquote(path) for path, stats in _read_statistics(table) if _names(stats) - shown}
    return [file for file in commits.list_files(table, contract) if unquote(file.path) in revealing]


def _condense(contract: Contract, location: str) -> int:
    """Add an empty commit and a checkpoint of it; returns its version."""
    from deltalake import DeltaTable

    # An engine that reads the log wants the entry of the version a checkpoint is of.
    _commit(commits.open_table(contract, location), contract, [])
    table = DeltaTable(location)
    table.create_checkpoint()
    revealing = find_revealing(table, contract)
    if revealing:
        _commit(table, contract, [_restate(contract, location, file) for file in revealing])
        _commit(DeltaTable(location), contract, [])
        table = DeltaTable(location)
        table.create_checkpoint()
    return table.version()


def _commit(table: "DeltaTable", contract: Contract, files: list[staging.StagedFile]) -> None:
    staged = staging.Staged(contract, "", "", tuple(files))
    commits.restate(table, staged)


def _restate(contract: Contract, location: str, file: TableFile) -> staging.StagedFile:
    statistics = staging.describe_file(contract, storage.join(location, unquote(file.path)))
    return staging.StagedFile(file.path, file.partition, file.rows, file.size, statistics)


def _read_statistics(table: "DeltaTable") -> Iterator[tuple[str, str]]:
    """Path and statistics of each file, as the checkpoint of the current version has them."""
    from pyarrow import parquet as pq

    system, path = storage.filesystem(storage.join(table.table_uri.removeprefix("file://"), LOG))
    checkpoint = storage.join(path, f"{table.version():020}.checkpoint.parquet")
    with system.open_input_file(checkpoint) as file:
        rows = pq.ParquetFile(file).read(columns=["add.path", "add.stats"])["add"].to_pylist()
    for row in rows:
        if row and row["path"]:
            yield row["path"], row["stats"] or "{}"


def _names(statistics: str) -> set[str]:
    told = json.loads(statistics)
    return {name for bound in ("minValues", "maxValues") for name in told.get(bound) or {}}


def _list_old_files(location: str, kept: set[str]) -> "Iterator[fs.FileInfo]":
    from pyarrow import fs

    needed = {f"/{path}" for file in kept for path in (file, unquote(file))}
    system, root = storage.filesystem(location)
    youngest = datetime.now(UTC) - REMOTE_PATIENCE if is_remote(location) else None
    for info in system.get_file_info(fs.FileSelector(root, recursive=True)):
        inside = info.path.removeprefix(root)
        is_file = info.type == fs.FileType.File and not inside.lstrip("/").startswith(f"{LOG}/")
        is_old = youngest is None or info.mtime is None or info.mtime < youngest
        if is_file and inside not in needed and is_old:
            yield info


def _is_needed(name: str, version: int) -> bool:
    return name in (LAST_CHECKPOINT, f"{version:020}.json", f"{version:020}.checkpoint.parquet")


def _list(location: str) -> "list[fs.FileInfo]":
    from pyarrow import fs

    system, path = storage.filesystem(location)
    found: list[fs.FileInfo] = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return [info for info in found if info.type == fs.FileType.File]


def _remove(table: str, location: str, files: "list[fs.FileInfo]") -> None:
    system, _ = storage.filesystem(location)
    refused = 0
    for info in files:
        try:
            system.delete_file(info.path)
        except FileNotFoundError:
            continue
        except OSError:
            refused += 1
    if refused:
        message = (
            f"{table}: {refused:,} of {len(files):,} old files could not be removed from {location}; make the folder "
            "writable and run it again, which finishes."
        )
        raise SophiluxError(message)
    storage.remove_empty_folders(location, spare=LOG)
