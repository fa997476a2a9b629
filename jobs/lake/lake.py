"""The lake: named tables under contract, read and written as a whole or by partition.

Writing is always the same four moves: check the columns against the contract, stage the files, let a gate look at
them, commit. A reader sees the state before or after, never between.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jobs.engine import Engine
from jobs.errors import CommitConflictError, ContractError, SophiluxError
from jobs.lake import commits, fences, staging, storage
from jobs.lake.contracts import Contract, Contracts
from jobs.lake.lineage import Tracer, write_record
from jobs.lake.reading import Tables
from jobs.lake.scratch import Scratch, materialise
from jobs.lake.staging import Staged
from jobs.settings import Settings, is_remote

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

Gate = Callable[["DataFrame", Staged], None]
SAFE_FOR_READERS = timedelta(days=1)
BATCH_ZONES = ("landing", "vault", "ledger")


class Lake(Tables):
    """Tables below one home, to be read and written, through one engine."""

    def __init__(self, settings: Settings, engine: Engine, contracts: Contracts) -> None:
        super().__init__(settings, engine, contracts)
        self.tracer = Tracer(contracts, settings.home)
        self._fence: fences.Fence | None = None

    @classmethod
    def open(cls, settings: Settings) -> "Lake":
        """A lake whose engine starts when the first frame is asked for; a new home is its owner's alone."""
        if not is_remote(settings.home):
            Path(settings.home).mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(settings, Engine(settings), Contracts.load())

    def stage(self, table: str, rows: "DataFrame") -> Staged:
        """Write rows as files that belong to no version of the table yet.

        Raises:
            ContractError: columns differ from the contract, a required one holds nulls, or a direct identifier would
                come into a table where none may stand.
        """
        contract = self.contracts[table]
        check_columns(contract, [(f.name, f.dataType.simpleString()) for f in rows.schema.fields])
        notes = write_record(table, self.tracer.check(contract, rows))
        return self._stage(contract, lambda folder: staging.write_frame(rows, contract, folder), notes)

    def stage_parts(self, table: str, parts: Iterable["DataFrame"]) -> Staged:
        """Like :meth:`stage`, for frames that together are the rows; each is asked for when the one before is written.

        Raises:
            ContractError: see :meth:`stage`; nothing of any part is left.
        """
        contract = self.contracts[table]
        notes: dict[str, str] = {}

        def write_all(folder: str) -> None:
            for rows in parts:
                check_columns(contract, [(f.name, f.dataType.simpleString()) for f in rows.schema.fields])
                notes.update(write_record(table, self.tracer.check(contract, rows)))
                staging.write_frame(rows, contract, folder)

        return self._stage(contract, write_all, notes)

    def stage_batches(self, table: str, batches: "pa.RecordBatchReader") -> Staged:
        """Write Arrow batches as files that belong to no version of the table yet.

        Raises:
            ContractError: columns differ from the contract, or the table takes frames only, because batches carry no
                plan that could be followed.
        """
        contract = self.contracts[table]
        if contract.zone not in BATCH_ZONES:
            message = f"{table}: only {', '.join(BATCH_ZONES)} take Arrow batches; write a frame, which is followed."
            raise ContractError(message)
        check_columns(contract, [(f.name, str(f.type)) for f in batches.schema], arrow=True)
        return self._stage(contract, lambda folder: staging.write_batches(batches, contract, folder))

    def staged_frame(self, staged: Staged) -> "DataFrame":
        """The staged rows, for a gate or a following step."""
        contract = staged.contract
        if not staged.files:
            return self.empty(contract.name)
        rows = self.session.read.schema(contract.engine_schema()).parquet(staged.folder)
        return rows.select(*contract.column_names)

    def commit(self, staged: Staged, partitions: Collection[str] | None, base: frozenset[str] | None = None) -> int:
        """Make staged files the content of their partitions; see :func:`jobs.lake.commits.commit`.

        Raises:
            CommitConflictError: within :meth:`fenced`, people were forgotten meanwhile.
        """
        table = staged.contract.name
        if self._fence is None:
            return commits.commit(staged, partitions, base)
        if staged.contract.bears_subjects:
            self._fence.check(table)
        before = self.version(table)
        version = commits.commit(staged, partitions, base)
        self._fence.follow(table, before)
        return version

    @contextmanager
    def fenced(self, tables: Collection[str]) -> Iterator[None]:
        """Refuse, for the length of the context, to commit rows about people once one of the tables has changed.

        Raises:
            CommitConflictError: it has, or something failed while old files were removed; what ran can run again.
        """
        for table in filter(self.exists, tables):
            # Widened to its contract now, so that this is nobody's commit later on.
            commits.open_table(self.contracts[table], self.location(table))
        outer, self._fence = self._fence, fences.Fence(self.version, tables)
        try:
            with fences.retry_when_forgotten(self.home, self._fence):
                yield
        finally:
            self._fence = outer

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Let in nobody else who asks for the same name until the context ends; whoever comes second waits.

        A process that dies lets the next one in. On an object store nobody waits, see :mod:`jobs.lake.storage`.
        """
        with storage.table_lock(self.home, f"{name}.alone", exclusive=True):
            yield

    @contextmanager
    def scratch(self, rows: "DataFrame", by: str = "") -> Iterator[Scratch]:
        """Compute rows once for several uses; they are gone when the context ends.

        Args:
            rows: what to keep.
            by: column of few whole numbers, none of them null: who asks for some of them reads nothing else.
        """
        with materialise(rows, self.home, by) as scratch, self.tracer.keep(scratch.location, rows):
            yield scratch

    def replace(
        self,
        table: str,
        rows: "DataFrame",
        *,
        partitions: Collection[str] | None = None,
        gate: Gate | None = None,
        base: frozenset[str] | None = None,
        notes: Mapping[str, str] = MappingProxyType({}),
    ) -> Staged:
        """Replace partitions (or the whole table) by rows, after a gate agreed.

        Args:
            table: ``zone.name``.
            rows: frame in exactly the contract's columns.
            partitions: values to replace, also those for which there are no rows; none replaces everything.
            gate: called with the staged rows; an error from it leaves the table as it was.
            base: files (of :meth:`current_files`) that the rows were computed from; a change meanwhile is a conflict.
            notes: for the commit's entry in the log, beside those of the lineage; no value of any row.

        Returns:
            What was staged and committed.
        """
        with storage.table_lock(self.home, table, exclusive=False):
            staged = self.stage(table, rows)
            staged = replace(staged, notes={**staged.notes, **notes})
            return self._publish(staged, partitions, gate, base)

    def replace_parts(self, table: str, parts: Iterable["DataFrame"], *, gate: Gate | None = None) -> Staged:
        """Replace the whole table by frames that are computed and written one after the other, in one commit."""
        with storage.table_lock(self.home, table, exclusive=False):
            return self._publish(self.stage_parts(table, parts), None, gate)

    def replace_batches(self, table: str, batches: "pa.RecordBatchReader", *, partitions: Collection[str]) -> Staged:
        """Replace partitions by Arrow batches as they stream in."""
        with storage.table_lock(self.home, table, exclusive=False):
            return self._publish(self.stage_batches(table, batches), partitions, None)

    def merge(self, table: str, rows: "DataFrame", *, newest_by: str) -> Staged:
        """Insert rows and update those with the same key, the newest one winning; running it twice changes nothing.

        Args:
            table: a table without partitions.
            rows: frame in the contract's columns, one row per key.
            newest_by: column that says which of two rows with one key is newer; a tie goes to ``rows``.
        """
        from pyspark.sql import Window
        from pyspark.sql import functions as F

        contract = self.contracts[table]
        with storage.table_lock(self.home, table, exclusive=False):
            base = self.current_files(table)
            old = self.read(table).withColumn("_is_new", F.lit(0))
            both = old.unionByName(rows.withColumn("_is_new", F.lit(1)))
            newest_first = Window.partitionBy(*contract.key).orderBy(F.desc(newest_by), F.desc("_is_new"))
            merged = both.withColumn("_place", F.row_number().over(newest_first)).where("_place = 1")
            staged = self.stage(table, merged.select(*contract.column_names))
            return self._publish(staged, None, None, base)

    def record(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Insert or update a few rows of a ledger table by key, without an engine."""
        partition = self.contracts[table].partition_column
        values = None if partition is None else sorted({str(row[partition]) for row in rows})
        self.extend(table, values, lambda _: rows)

    def extend(
        self,
        table: str,
        partitions: Collection[str] | None,
        choose: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    ) -> None:
        """Insert or update a few rows chosen in view of what the partitions hold; nobody else gets in between.

        Args:
            table: a ledger table.
            partitions: values of the partition column that the rows belong to; none for a table without partitions.
            choose: gets the partitions' rows and returns those to insert or update by key, none to leave all as it is;
                called again when another run changed the partitions meanwhile.
        """
        import pyarrow as pa

        contract = self.contracts[table]
        values = None if partitions is None else sorted(partitions)
        for _ in range(commits.ATTEMPTS):
            base = self.current_files(table, values)
            kept = self.read_records(table, values) if base else []
            rows = choose(kept)
            if not rows:
                return
            by_key = {tuple(row[name] for name in contract.key): row for row in [*kept, *rows]}
            schema = contract.arrow_schema()
            batch = pa.Table.from_pylist(list(by_key.values()), schema).to_reader()
            with storage.table_lock(self.home, table, exclusive=False):
                staged = self.stage_batches(table, batch)
                with suppress(CommitConflictError):
                    self._publish(staged, values, None, base)
                    return
        message = f"{table}: other runs kept changing it; run the step again."
        raise CommitConflictError(message)

    def drop_partitions(self, table: str, partitions: Collection[str]) -> int:
        """Remove whole partitions; costs metadata only. Returns the new version."""
        contract = self.contracts[table]
        location = self.location(table)
        nothing = Staged(contract, location, staging.new_folder(location), ())
        return commits.commit(nothing, partitions, None)

    def vacuum(self, table: str, *, keep: timedelta = timedelta(days=7)) -> list[str]:
        """Remove files that no version younger than ``keep`` needs, and what crashes left behind.

        Waits for writers of the table. On an object store ``keep`` is at least an hour, because staged files of a
        running writer cannot be told from a crash's.
        """
        from deltalake import DeltaTable

        if not self.exists(table):
            return []
        if is_remote(self.home):
            keep = max(keep, timedelta(hours=1))
        with storage.table_lock(self.home, table, exclusive=True):
            if keep < SAFE_FOR_READERS:
                fences.mark_forgotten(self.home)
            delta = DeltaTable(self.location(table))
            hours = int(keep.total_seconds() // 3600)
            return delta.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)

    def _stage(
        self, contract: Contract, write: Callable[[str], None], notes: Mapping[str, str] = MappingProxyType({})
    ) -> Staged:
        location = self.location(contract.name)
        folder = staging.new_folder(location)
        try:
            write(folder)
            return Staged(contract, location, folder, staging.collect_files(contract, location, folder), notes)
        except BaseException as error:
            storage.remove_folder(folder)
            if "No space left" in str(error):
                message = f"{contract.name}: no space left on the lake's device; nothing was published. Free some."
                raise SophiluxError(message) from error
            raise

    def _publish(
        self,
        staged: Staged,
        partitions: Collection[str] | None,
        gate: Gate | None,
        base: frozenset[str] | None = None,
    ) -> Staged:
        try:
            if gate is not None:
                gate(self.staged_frame(staged), staged)
            self.commit(staged, partitions, base)
        except BaseException:
            staged.discard()
            raise
        return staged


def check_columns(contract: Contract, found: list[tuple[str, str]], *, arrow: bool = False) -> None:
    """Hold columns against a contract.

    Raises:
        ContractError: with both sides as a table.
    """
    if arrow:
        expected = [(f.name, str(f.type)) for f in contract.arrow_schema()]
    else:
        expected = [(column.name, column.type) for column in contract.columns]
    if found == expected:
        return
    height = max(len(expected), len(found))
    lines = [f"{'contract':40} {'data':40}"]
    for number in range(height):
        left = " ".join(expected[number]) if number < len(expected) else "-"
        right = " ".join(found[number]) if number < len(found) else "-"
        lines.append(f"{left:40} {right:40} {'' if left == right else '<-- differs'}".rstrip())
    message = f"{contract.name}: the columns differ from the contract; nothing was written.\n" + "\n".join(lines)
    raise ContractError(message)
