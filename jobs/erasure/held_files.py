"""Files in which an erased person may still be found, because a hold keeps rows in them: those and no others."""

from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import unquote

from jobs.erasure.tables import REQUESTS
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.commits import TableFile
from jobs.lake.scanning import scan_file
from jobs.people.held_rows import HeldRows, Keeper

EXPORTS: Final = "exports/"


def list_held_files(lake: Lake, keeper: Keeper, held: Collection[str], request_ids: Collection[str]) -> list[str]:
    """Files of current versions, and folders of packages, that open holds keep now.

    Args:
        lake: the lake.
        keeper: open holds.
        held: tables and folders of packages of which holds kept something, as the certificate has them.
        request_ids: requests that could not be served in full; what the ledger knows them by stays.

    Returns:
        Paths below the home.
    """
    kept = [name for name in held if name.startswith(EXPORTS)]
    for table in held:
        if table in lake.contracts and lake.exists(table):
            spared = request_ids if table in REQUESTS else ()
            kept += _list_of_table(lake, table, keeper.find_held(table), spared)
    return kept


def _list_of_table(lake: Lake, table: str, held: HeldRows | None, spared: Collection[str]) -> Iterator[str]:
    folder = table.replace(".", "/", 1)
    for file in lake.list_files(table):
        if _holds_spared(lake, table, file, spared) or (held is not None and _holds_held(lake, table, file, held)):
            yield f"{folder}/{unquote(file.path)}"


def _holds_held(lake: Lake, table: str, file: TableFile, held: HeldRows) -> bool:
    import pyarrow.compute as pc

    if held.covers(file.partition):
        return True
    if not held.may_be_in(file):
        return False
    rows = scan_file(lake, table, file, columns=held.columns, buckets=held.buckets)
    return any(pc.any(pc.fill_null(held.find(each), fill_value=False)).as_py() for each in rows)


def _holds_spared(lake: Lake, table: str, file: TableFile, spared: Collection[str]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not spared:
        return False
    wanted = pa.array(sorted(spared), pa.string())
    rows = scan_file(lake, table, file, columns=[C.REQUEST_ID])
    return any(pc.any(pc.is_in(each[C.REQUEST_ID], value_set=wanted)).as_py() for each in rows)
