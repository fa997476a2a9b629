"""Change or remove rows of a table in the files that hold them, and commit all of it at once.

Only files whose bucket range can hold the rows are opened, and of those only the columns that tell. The files that are
replaced stay on disk until a vacuum.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from jobs.errors import CommitConflictError
from jobs.lake import commits, staging, storage
from jobs.lake.contracts import SUBJECT_BUCKET, Contract
from jobs.lake.lake import Lake
from jobs.lake.looking import fill_columns
from jobs.lake.parquet import pruning
from jobs.lake.parquet.multisets import add
from jobs.lake.parquet.pruning import Buckets
from jobs.lake.parquet.rewriting import Edit, Edited, Find, MayHold, edit_file
from jobs.lake.staging import Staged

if TYPE_CHECKING:
    import pyarrow as pa

WORKERS: Final = 2
COUNTED: Final = ("files_replaced", "rows_found", "bytes_opened", "bytes_written", "kept", "kept_hash")
"""What the log tells of a commit that has notes."""


@dataclass(frozen=True)
class TableEdit:
    """What became of a table.

    Attributes:
        table: its name.
        version: after the commit; the one before where nothing changed, none where there is no table.
        files_opened: files that could hold one of the rows.
        files_replaced: files that did.
        rows_found: rows that were changed or removed.
        bytes_opened: size of the opened files.
        bytes_written: size of the new ones.
        bytes_encoded: of these, what was encoded anew; the rest was copied as it lay.
        kept: rows of the row groups written anew that are as they were.
        kept_hash: the sum of their hashes, of :mod:`jobs.lake.parquet.multisets`, before and after.
    """

    table: str
    version: int | None
    files_opened: int
    files_replaced: int
    rows_found: int
    bytes_opened: int
    bytes_written: int
    bytes_encoded: int = 0
    kept: int = 0
    kept_hash: int = 0

    def describe(self) -> dict[str, str]:
        """The counts, for the commit's entry in the log."""
        counts = (self.files_replaced, self.rows_found, self.bytes_opened, self.bytes_written, self.kept)
        return dict(zip(COUNTED, map(str, (*counts, self.kept_hash)), strict=True))


def edit_rows(
    lake: Lake,
    table: str,
    *,
    columns: Sequence[str],
    find: Find,
    edit: Edit,
    buckets: Buckets | None = None,
    partitions: Collection[str] | None = None,
    notes: Mapping[str, str] = MappingProxyType({}),
) -> TableEdit:
    """Change or remove rows wherever they lie in a table.

    Args:
        lake: the lake.
        table: ``zone.name``.
        columns: stored columns that ``find`` needs; not the partition column, which is not stored in the files.
        find: marks the rows; gets columns of one or more row groups.
        edit: changes or drops them; gets all columns of a row group.
        buckets: buckets the rows can be in, where the table has ``subject_bucket``, ``None`` among them for rows
            without one; by default it looks everywhere.
        partitions: partitions to look in; none looks in all.
        notes: for the commit's entry in the log, which then also has the counts; no value of any row.

    Raises:
        CommitConflictError: other runs kept replacing the same files.
    """
    contract = lake.contracts[table]
    for _ in range(commits.ATTEMPTS):
        files = [file for file in lake.list_files(table) if pruning.may_hold(file, buckets, partitions)]
        with storage.table_lock(lake.home, table, exclusive=False):
            try:
                return _edit(lake, contract, files, _Search(lake, table, columns, find, buckets), edit, notes)
            except CommitConflictError:
                continue
    message = f"{table}: other runs kept changing it; run the step again."
    raise CommitConflictError(message)


@dataclass(frozen=True)
class _Search:
    """What is looked for in the files of a table."""

    lake: Lake
    table: str
    columns: Sequence[str]
    find: Find
    buckets: Buckets | None

    @property
    def may_hold(self) -> MayHold | None:
        """Tells from statistics which row groups can be spared."""
        has_buckets = SUBJECT_BUCKET in self.lake.contracts[self.table].column_names
        return pruning.look_by_bucket(self.buckets) if self.buckets is not None and has_buckets else None

    def mark(self, rows: "pa.Table") -> "pa.ChunkedArray":
        """``find``, over the columns that it needs: null where a file was written before the table had them."""
        return self.find(fill_columns(self.lake, self.table, rows, self.columns))


def _edit(
    lake: Lake,
    contract: Contract,
    files: Sequence[commits.TableFile],
    search: _Search,
    edit: Edit,
    notes: Mapping[str, str],
) -> TableEdit:
    location = lake.location(contract.name)
    folder = staging.new_folder(location)
    look = search.may_hold

    def work(numbered: tuple[int, commits.TableFile]) -> Edited | None:
        number, file = numbered
        source, target = storage.join(location, file.path), storage.join(folder, name_target(file, number))
        return edit_file(source, target, columns=search.columns, find=search.mark, edit=edit, may_hold=look)

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            done = list(zip(files, pool.map(work, enumerate(files)), strict=True))
        changed = [(file, edited) for file, edited in done if edited is not None]
        counted = _sum_up(contract.name, files, changed)
        version = _commit(lake, contract, folder, [file for file, _ in changed], counted, notes)
    except BaseException:
        storage.remove_folder(folder)
        raise
    return replace(counted, version=version)


def _sum_up(
    table: str, files: Sequence[commits.TableFile], changed: Sequence[tuple[commits.TableFile, Edited]]
) -> TableEdit:
    edits = [edited for _, edited in changed]
    return TableEdit(
        table=table,
        version=None,
        files_opened=len(files),
        files_replaced=len(changed),
        rows_found=sum(edited.rows_found for edited in edits),
        bytes_opened=sum(file.size for file in files),
        bytes_written=sum(edited.size for edited in edits),
        bytes_encoded=sum(edited.bytes_encoded for edited in edits),
        kept=sum(edited.kept for edited in edits),
        kept_hash=reduce(add, (edited.kept_hash for edited in edits), 0),
    )


def _commit(
    lake: Lake,
    contract: Contract,
    folder: str,
    replaced: Sequence[commits.TableFile],
    counted: TableEdit,
    notes: Mapping[str, str],
) -> int | None:
    if not replaced:
        storage.remove_folder(folder)
        return lake.version(contract.name)
    location = lake.location(contract.name)
    written = {**notes, **counted.describe()} if notes else {}
    staged = Staged(contract, location, folder, staging.collect_files(contract, location, folder), written)
    return commits.swap(staged, replaced)


def name_target(file: commits.TableFile, number: int) -> str:
    """Partition folder and a name of its own, because files that are replaced may be called alike."""
    folder, _, name = file.path.rpartition("/")
    partition = next((part for part in reversed(folder.split("/")) if "=" in part), None)
    return storage.join(*([partition] if partition else []), f"{number}-{name}")
