"""Reading named tables under contract: rows through the engine or as Arrow, and what the log tells without either."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from jobs.engine import Engine
from jobs.lake import commits, evolution, storage
from jobs.lake.contracts import Contract, Contracts
from jobs.lake.days import Days
from jobs.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


class Tables:
    """Tables below one home, to be read."""

    def __init__(self, settings: Settings, engine: Engine, contracts: Contracts) -> None:
        self.settings = settings
        self.engine = engine
        self.contracts = contracts

    @property
    def home(self) -> str:
        """Folder or URL of the lake."""
        return self.settings.home

    @property
    def session(self) -> "SparkSession":
        """The engine's session."""
        return self.engine.session

    def location(self, table: str) -> str:
        """Where a table lies: ``home/zone/name``."""
        zone, _, name = self.contracts[table].name.partition(".")
        return storage.join(self.home, zone, name)

    def exists(self, table: str) -> bool:
        """True once the table was committed to."""
        from deltalake import DeltaTable

        return DeltaTable.is_deltatable(self.location(table))

    def empty(self, table: str) -> "DataFrame":
        """No rows, in the contract's columns."""
        rows = self.session.createDataFrame([], self.contracts[table].engine_schema())
        return rows.alias(self.location(table))

    def read(self, table: str, *, days: Days | None = None) -> "DataFrame":
        """A table's rows, of some days where it has a partition by day; empty while it does not exist.

        Args:
            table: ``zone.name``.
            days: limits the partition column, which must be a date.
        """
        if not self.exists(table):
            return self.empty(table)
        contract = self.contracts[table]
        rows = self._load(contract)
        if days is None or contract.partition_column is None:
            return rows
        return rows.where(rows[contract.partition_column].between(days.first, days.last))

    def _load(self, contract: Contract) -> "DataFrame":
        """All rows in the contract's columns; a column the table was written without is null."""
        from deltalake import DeltaTable
        from pyspark.sql import functions as F

        location = self.location(contract.name)
        rows = self.session.read.format("delta").load(location)
        missing = evolution.find_missing(DeltaTable(location), contract)
        if missing:
            rows = rows.withColumns({column.name: F.lit(None).cast(column.type) for column in missing})
        return rows.select(*contract.column_names)

    def read_records(self, table: str, partitions: Collection[str] | None = None) -> list[dict[str, Any]]:
        """Rows of a small table, or of some of its partitions, without an engine."""
        rows: list[dict[str, Any]] = self.read_arrow(table, partitions).to_pylist()
        return rows

    def read_arrow(self, table: str, partitions: Collection[str] | None = None) -> "pa.Table":
        """The rows of :meth:`read_records` as an Arrow table; they must fit into memory."""
        from deltalake import DeltaTable
        from pyarrow.fs import SubTreeFileSystem

        contract = self.contracts[table]
        if not self.exists(table):
            return contract.arrow_schema().empty_table()
        # Deltalake's own file system is a Python object, and Arrow's threads may still ask it while Python ends: abort.
        system, path = storage.filesystem(self.location(table))
        files = SubTreeFileSystem(path, system)
        name = contract.partition_column
        chosen = [(name, "in", sorted(partitions))] if name and partitions is not None else None
        found = DeltaTable(self.location(table)).to_pyarrow_table(partitions=chosen, filesystem=files)
        return evolution.fill_missing(found, contract)

    def current_files(self, table: str, partitions: Collection[str] | None = None) -> frozenset[str]:
        """Paths of a table's files, to name as ``base`` of a commit computed from them."""
        contract = self.contracts[table]
        if not self.exists(table):
            return frozenset()
        return commits.replaced_files(commits.open_table(contract, self.location(table)), contract, partitions)

    def list_files(self, table: str) -> list[commits.TableFile]:
        """Files of the current version with partition, rows and bytes."""
        if not self.exists(table):
            return []
        contract = self.contracts[table]
        return commits.list_files(commits.open_table(contract, self.location(table)), contract)

    def count(self, table: str, *, days: Days | None = None) -> int:
        """Rows by the log alone, without reading a file."""
        wanted = None if days is None else {str(day) for day in days}
        return sum(f.rows for f in self.list_files(table) if wanted is None or f.partition in wanted)

    def version(self, table: str) -> int | None:
        """Number of the table's current version; none while it does not exist."""
        from deltalake import DeltaTable

        return DeltaTable(self.location(table)).version() if self.exists(table) else None

    def table_id(self, table: str) -> str | None:
        """Id that the table's log was begun with; none while it does not exist."""
        from deltalake import DeltaTable

        return str(DeltaTable(self.location(table)).metadata().id) if self.exists(table) else None

    def history(self, table: str) -> list[dict[str, Any]]:
        """Commits of the table, newest first."""
        from deltalake import DeltaTable

        return DeltaTable(self.location(table)).history() if self.exists(table) else []
