"""Remove rows that were counted before: whole files without reading them, and of others some rows, in one commit.

Unlike :mod:`jobs.lake.editing` it works on files that were named beforehand and gives up when one of them is gone: what
was looked at is what goes, or nothing does.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from jobs.errors import CommitConflictError
from jobs.lake import commits, staging, storage
from jobs.lake.editing import WORKERS, name_target
from jobs.lake.lake import Lake
from jobs.lake.looking import fill_columns
from jobs.lake.parquet.rewriting import Edited, Find, drop_found, edit_file
from jobs.lake.staging import Staged

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Removed:
    """What went: the version after it, rows, files that are gone, and files that were read for it."""

    version: int
    rows: int
    files: int
    files_read: int


def remove_rows(
    lake: Lake,
    table: str,
    *,
    whole: Collection[str],
    parts: Collection[str] = (),
    columns: Collection[str] = (),
    find: Find | None = None,
    notes: Mapping[str, str] = MappingProxyType({}),
) -> Removed:
    """Remove files, and rows of others.

    Args:
        lake: the lake.
        table: ``zone.name``.
        whole: paths of files that go as they are; none of them is read.
        parts: paths of files that lose the rows that ``find`` marks.
        columns: stored columns that ``find`` needs.
        find: marks rows; gets columns of one or more row groups.
        notes: for the commit's entry in the log; no value of any row.

    Raises:
        CommitConflictError: one of the files is no longer part of the table; nothing was removed.
    """
    files = {file.path: file for file in lake.list_files(table)}
    if not files.keys() >= {*whole, *parts}:
        message = f"{table}: another run changed the same files first; nothing was removed."
        raise CommitConflictError(message)
    contract, location = lake.contracts[table], lake.location(table)
    folder = staging.new_folder(location)

    def cut(numbered: tuple[int, str]) -> Edited | None:
        number, path = numbered
        source, target = storage.join(location, path), storage.join(folder, name_target(files[path], number))
        names = list(columns)
        return edit_file(source, target, columns=names, find=_filled(lake, table, names, find), edit=drop_found)

    with storage.table_lock(lake.home, table, exclusive=False):
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                cuts = dict(zip(parts, pool.map(cut, enumerate(parts)), strict=True))
            going = [files[path] for path in [*whole, *(path for path, edited in cuts.items() if edited)]]
            staged = Staged(contract, location, folder, staging.collect_files(contract, location, folder), notes)
            version = commits.swap(staged, going)
        except BaseException:
            storage.remove_folder(folder)
            raise
    rows = sum(files[path].rows for path in whole) + sum(edited.rows_found for edited in cuts.values() if edited)
    return Removed(version, rows, len(going), len(cuts))


def _filled(lake: Lake, table: str, columns: Collection[str], find: Find | None) -> Find:
    def look(rows: "pa.Table") -> "pa.ChunkedArray":
        import pyarrow as pa

        if find is None:
            return pa.chunked_array([pa.nulls(rows.num_rows, pa.bool_())])
        return find(fill_columns(lake, table, rows, columns))

    return look
