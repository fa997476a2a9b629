"""Change or remove rows of a table in the files that hold them, and commit all of it at once.

Only files whose bucket range can hold the rows are opened, and of those only the columns that tell. The files that are
replaced stay on disk until a vacuum.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from jobs.errors import CommitConflictError
from jobs.lake import commits, pruning, staging, storage
from jobs.lake.contracts import SUBJECT_BUCKET, Contract
from jobs.lake.lake import Lake
from jobs.lake.pruning import Buckets
from jobs.lake.rewriting import Edit, Edited, Find, edit_file
from jobs.lake.staging import Staged

WORKERS: Final = 2


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
    """

    table: str
    version: int | None
    files_opened: int
    files_replaced: int
    rows_found: int
    bytes_opened: int
    bytes_written: int


def edit_rows(
    lake: Lake,
    table: str,
    *,
    columns: Sequence[str],
    find: Find,
    edit: Edit,
    buckets: Buckets | None = None,
    partitions: Collection[str] | None = None,
) -> TableEdit:
    """Change or remove rows wherever they lie in a table.

    Args:
        lake: the lake.
        table: ``zone.name``.
        columns: stored columns that ``find`` needs; not the partition column, which is not stored in the files.
        find: marks the rows; gets a row group's columns.
        edit: changes or drops them; gets all columns of a row group.
        buckets: buckets the rows can be in, where the table has ``subject_bucket``, ``None`` among them for rows
            without one; by default it looks everywhere.
        partitions: partitions to look in; none looks in all.

    Raises:
        CommitConflictError: other runs kept replacing the same files.
    """
    contract = lake.contracts[table]
    for _ in range(commits.ATTEMPTS):
        files = [file for file in lake.list_files(table) if pruning.may_hold(file, buckets, partitions)]
        with storage.table_lock(lake.home, table, exclusive=False):
            try:
                return _edit(lake, contract, files, columns, find, edit, buckets)
            except CommitConflictError:
                continue
    message = f"{table}: other runs kept changing it; run the step again."
    raise CommitConflictError(message)


def _edit(
    lake: Lake,
    contract: Contract,
    files: Sequence[commits.TableFile],
    columns: Sequence[str],
    find: Find,
    edit: Edit,
    buckets: Buckets | None,
) -> TableEdit:
    location = lake.location(contract.name)
    folder = staging.new_folder(location)
    look = pruning.look_by_bucket(buckets) if buckets is not None and SUBJECT_BUCKET in contract.column_names else None

    def work(numbered: tuple[int, commits.TableFile]) -> Edited | None:
        number, file = numbered
        source, target = storage.join(location, file.path), storage.join(folder, name_target(file, number))
        return edit_file(source, target, columns=columns, find=find, edit=edit, may_hold=look)

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            done = list(zip(files, pool.map(work, enumerate(files)), strict=True))
        changed = [(file, edited) for file, edited in done if edited is not None]
        version = _commit(lake, contract, location, folder, [file for file, _ in changed])
    except BaseException:
        storage.remove_folder(folder)
        raise
    return TableEdit(
        contract.name,
        version,
        len(files),
        len(changed),
        sum(edited.rows_found for _, edited in changed),
        sum(file.size for file in files),
        sum(edited.size for _, edited in changed),
    )


def _commit(
    lake: Lake, contract: Contract, location: str, folder: str, replaced: Sequence[commits.TableFile]
) -> int | None:
    if not replaced:
        storage.remove_folder(folder)
        return lake.version(contract.name)
    staged = Staged(contract, location, folder, staging.collect_files(contract, location, folder))
    return commits.swap(staged, replaced)


def name_target(file: commits.TableFile, number: int) -> str:
    """Partition folder and a name of its own, because files that are replaced may be called alike."""
    folder, _, name = file.path.rpartition("/")
    partition = next((part for part in reversed(folder.split("/")) if "=" in part), None)
    return storage.join(*([partition] if partition else []), f"{number}-{name}")
