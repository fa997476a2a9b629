"""Tables, found from their contracts alone: rows of the people go, or lose them, and rows under a hold stay."""

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jobs.erasure.journal import Run
from jobs.lake import Contract, Lake, storage
from jobs.lake import columns as C
from jobs.lake.commits import TableFile
from jobs.lake.editing import edit_rows
from jobs.lake.erasures import BY_AD_ID, BY_COLUMNS, SEVER
from jobs.lake.parquet.multisets import add
from jobs.lake.parquet.rewriting import Edit, Find, drop_found
from jobs.lake.scanning import scan_rows
from jobs.people.held_rows import HeldRows, Keeper
from jobs.people.matching import RowMatch, match_rows
from jobs.people.person import Person
from jobs.privacy.severing import sever_rows
from jobs.privacy.tombstones import tombstone_digest

if TYPE_CHECKING:
    import pyarrow as pa

NOTE: Final = "sophilux.erasure"
REQUESTS: Final = ("ledger.requests", "vault.request_payloads")
"""Tables whose rows of a request stay while a hold keeps the request from being served in full."""


@dataclass(frozen=True)
class Swept:
    """What became of one table in a run.

    Attributes:
        method: delete, sever or rewrite, as its contract says.
        rows: that were removed or severed.
        files: that were replaced.
        kept: rows beside them that were written anew, each as it was.
        kept_hash: the sum of their hashes, the same before and after.
        version_before: before the first commit of the run; none where nothing was to be done.
        version_after: after the last.
        held: rows that holds keep.
    """

    table: str
    method: str
    rows: int = 0
    files: int = 0
    kept: int = 0
    kept_hash: int = 0
    version_before: int | None = None
    version_after: int | None = None
    held: int = 0

    def describe(self) -> dict[str, Any]:
        """For the journal and the certificate."""
        return {**asdict(self), "kept_hash": f"{self.kept_hash:016x}"}


def list_tables(lake: Lake) -> list[Contract]:
    """Tables that bear subjects and exist."""
    return [contract for contract in lake.contracts.values() if contract.bears_subjects and lake.exists(contract.name)]


def sweep(lake: Lake, run: Run, people: Sequence[Person], keeper: Keeper, spared: Collection[str]) -> list[Swept]:
    """Take some people out of every table; a second time does what is left.

    What partners hold by their own identifiers stays until they acknowledged its removal.

    Args:
        lake: the lake.
        run: of the journal.
        people: whom to take out.
        keeper: open holds.
        spared: requests that cannot be served in full; what the ledger knows them by stays.

    Returns:
        Every table that bears subjects, with all that the run did to it, in this call and before.
    """
    swept = []
    for contract in list_tables(lake):
        erasure, match = contract.erasure, match_rows(lake, contract, people)
        if erasure is None or match is None or erasure.match == BY_AD_ID:
            continue
        held = _sweep_table(lake, contract, match, run, keeper.find_held(contract.name), spared)
        swept.append(_read_history(lake, contract, run, held))
    return swept


def _sweep_table(
    lake: Lake, contract: Contract, match: RowMatch, run: Run, held: HeldRows | None, spared: Collection[str]
) -> int:
    """Take the rows out of one table; returns how many of them are held."""
    table = contract.name
    # Whoever is about to commit what was computed before the tombstones has done so, or will be refused.
    with storage.table_lock(lake.home, table, exclusive=True):
        files = lake.list_files(table)
    places = _Places.of(held, files)
    counter = _Spare(match.find, held, spared if table in REQUESTS else ())
    edit_rows(
        lake,
        table,
        columns=counter.list_columns(match),
        find=counter.find,
        edit=_choose_edit(lake, contract),
        buckets=match.buckets,
        partitions=places.others,
        notes={NOTE: run.run_id},
    )
    return counter.held + places.count_covered(lake, table, match)


def count_left(lake: Lake, people: Sequence[Person], keeper: Keeper, spared: Collection[str]) -> tuple[int, int]:
    """Rows of some people that are in tables still, told by columns alone: those that nothing keeps, and those on hold.

    Lines of text and identifiers of partners are not looked into; that is for a search of every byte.
    """
    left = held_rows = 0
    for contract in list_tables(lake):
        match = match_rows(lake, contract, people)
        if match is None or contract.erasure is None or contract.erasure.match != BY_COLUMNS:
            continue
        table, held = contract.name, keeper.find_held(contract.name)
        places = _Places.of(held, lake.list_files(table))
        counter = _Spare(match.find, held, spared if table in REQUESTS else ())
        columns = counter.list_columns(match)
        for rows in scan_rows(lake, table, columns=columns, buckets=match.buckets, partitions=places.others):
            left += _count(counter.find(rows))
        held_rows += counter.held + places.count_covered(lake, table, match)
    return left, held_rows


@dataclass(frozen=True)
class _Places:
    """Partitions that a hold covers as a whole, and all others; none stands for all."""

    covered: frozenset[str] = frozenset()
    others: frozenset[str] | None = None

    @classmethod
    def of(cls, held: HeldRows | None, files: Iterable[TableFile]) -> "_Places":
        names = {file.partition for file in files if file.partition is not None}
        covered = frozenset(name for name in names if held is not None and held.covers(name))
        return cls(covered, frozenset(names - covered)) if covered else cls()

    def count_covered(self, lake: Lake, table: str, match: RowMatch) -> int:
        """Rows that are found in what a hold covers."""
        if not self.covered:
            return 0
        rows = scan_rows(lake, table, columns=match.columns, buckets=match.buckets, partitions=self.covered)
        return sum(_count(match.find(each)) for each in rows)


class _Spare:
    """Marks rows that are found and that nothing keeps, and counts those that are found and held."""

    def __init__(self, find: Find, held: HeldRows | None, spared: Collection[str]) -> None:
        self._find, self._held_rows, self._spared = find, held, sorted(spared)
        self._lock = threading.Lock()
        self.held = 0

    def list_columns(self, match: RowMatch) -> list[str]:
        """Columns that it needs."""
        held = self._held_rows.columns if self._held_rows else ()
        return list(dict.fromkeys([*match.columns, *held, *([C.REQUEST_ID] if self._spared else [])]))

    def find(self, rows: "pa.Table") -> "pa.ChunkedArray":
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.fill_null(self._find(rows), fill_value=False)
        if self._spared:
            found = pc.and_not(found, pc.is_in(rows[C.REQUEST_ID], value_set=pa.array(self._spared, pa.string())))
        if self._held_rows is None:
            return found
        both = pc.and_(found, pc.fill_null(self._held_rows.find(rows), fill_value=False))
        with self._lock:
            self.held += _count(both)
        return pc.and_not(found, both)


def _count(marks: "pa.ChunkedArray") -> int:
    import pyarrow.compute as pc

    return int(pc.sum(marks).as_py() or 0)


def _choose_edit(lake: Lake, contract: Contract) -> Edit:
    if contract.erasure is not None and contract.erasure.method == SEVER:
        return partial(_sever, contract=contract, digest=tombstone_digest(lake))
    return drop_found


def _sever(rows: "pa.Table", found: "pa.ChunkedArray", **options: Any) -> "pa.Table":  # noqa: ANN401
    return sever_rows(rows, found=found, **options)


def _read_history(lake: Lake, contract: Contract, run: Run, held: int) -> Swept:
    """What the run did to a table, as its log tells: also before a crash."""
    table, method = contract.name, contract.erasure.method if contract.erasure else ""
    before = {entry["table"]: entry for entry in run.results.get("tables", ())}.get(table)
    entries = [entry for entry in lake.history(table) if entry.get(NOTE) == run.run_id]
    if before is not None:
        entries = [entry for entry in entries if entry["version"] > (before["version_after"] or -1)]
    swept = _start(before) if before is not None else Swept(table, method)
    return _add_up(swept, entries, held)


def _start(before: dict[str, Any]) -> Swept:
    return Swept(**{**before, "kept_hash": int(before["kept_hash"], 16)})


def _add_up(swept: Swept, entries: Iterable[dict[str, Any]], held: int) -> Swept:
    ordered = sorted(entries, key=lambda entry: entry["version"])
    first = [ordered[0]["version"] - 1] if ordered and swept.version_before is None else [swept.version_before]
    kept_hash = swept.kept_hash
    for entry in ordered:
        kept_hash = add(kept_hash, int(entry["kept_hash"]))
    return Swept(
        swept.table,
        swept.method,
        swept.rows + sum(int(entry["rows_found"]) for entry in ordered),
        swept.files + sum(int(entry["files_replaced"]) for entry in ordered),
        swept.kept + sum(int(entry["kept"]) for entry in ordered),
        kept_hash,
        first[0],
        ordered[-1]["version"] if ordered else swept.version_after,
        held,
    )
