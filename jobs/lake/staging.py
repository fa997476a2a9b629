"""Staged files: rows written into a table's folder but not yet part of the table.

A staged write becomes visible by one commit or not at all. Row counts, nulls and the few statistics that may
stand in the log are read from the Parquet footers, so they cost no pass over the data.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from jobs.errors import ContractError
from jobs.lake import clustering, storage
from jobs.lake.contracts import PUBLIC, Contract

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq
    from pyspark.sql import DataFrame

STAGED_PREFIX = "w-"
COMPRESSION = "zstd"
ROW_GROUP_ROWS = 256 * 1024
ROW_GROUP_BYTES = 16 * 1024**2
OPEN_FILES = 16
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class StagedFile:
    """One Parquet file; ``path`` is relative to the table, ``partition`` the value of its partition."""

    path: str
    partition: str | None
    rows: int
    size: int
    statistics: str


@dataclass(frozen=True)
class Staged:
    """Files of one write, waiting for a commit; ``notes`` are for the commit's entry in the log."""

    contract: Contract
    location: str
    folder: str
    files: tuple[StagedFile, ...] = field(repr=False)
    notes: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in self.files)

    @property
    def partitions(self) -> frozenset[str]:
        """Values of the partition column that occur."""
        return frozenset(file.partition for file in self.files if file.partition is not None)

    def discard(self) -> None:
        """Remove the files."""
        storage.remove_folder(self.folder)


def new_folder(location: str) -> str:
    """A folder of its own for one write; not hidden, so that a vacuum finds what a crash left behind."""
    return storage.join(location, STAGED_PREFIX + secrets.token_hex(8))


def write_frame(frame: "DataFrame", contract: Contract, folder: str) -> None:
    """Let the engine write the rows as Parquet, one folder per partition value, beside what is in the folder.

    Rows of a table about people are clustered; see :mod:`jobs.lake.clustering`.
    """
    writer = clustering.sort_frame(frame, contract).write.mode("append").option("compression", COMPRESSION)
    writer = clustering.limit_row_groups(writer, contract)
    if contract.partition_column:
        writer = writer.partitionBy(contract.partition_column)
    writer.parquet(folder)


def write_batches(batches: "pa.RecordBatchReader", contract: Contract, folder: str) -> None:
    """Write Arrow batches as Parquet as they come, in one pass and holding a few of them only.

    Small batches are gathered to row groups of a useful size. Rows of one partition should come together: of the
    partitions at hand all but the ``OPEN_FILES`` latest are closed, and one that comes again gets one more file.
    """
    with ExitStack() as cleanup:
        writers: dict[str | None, _PartitionWriter] = {}
        cleanup.callback(_close_writers, writers)
        for batch in batches:
            for partition, part in _split_by_partition(batch, contract.partition_column):
                if partition not in writers:
                    if len(writers) >= OPEN_FILES:
                        writers.pop(next(iter(writers))).close()
                    writers[partition] = _PartitionWriter(contract, folder, partition)
                writers[partition].add(part)


class _PartitionWriter:
    """Gathers the rows of one partition to row groups of one file."""

    def __init__(self, contract: Contract, folder: str, partition: str | None) -> None:
        import pyarrow as pa
        from pyarrow import parquet as pq

        system, path = storage.filesystem(folder)
        if contract.partition_column:
            path = f"{path}/{contract.partition_column}={quote(partition or NULL_PARTITION, safe='')}"
        system.create_dir(path)
        kept = [column for column in contract.columns if not column.partition]
        schema = contract.arrow_schema()
        self._schema = pa.schema([schema.field(column.name) for column in kept])
        self._writer = pq.ParquetWriter(
            f"{path}/part-{secrets.token_hex(4)}.parquet",
            self._schema,
            filesystem=system,
            compression=COMPRESSION,
            use_dictionary=[c.name for c in kept if c.classification == PUBLIC and c.type == "string"],
        )
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def add(self, batch: "pa.RecordBatch") -> None:
        """Take rows; they are written once there are enough of them."""
        self._waiting.append(batch.select(self._schema.names))
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what waits and finish the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            rows = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
        self._waiting, self._rows, self._bytes = [], 0, 0


def _close_writers(writers: dict[str | None, _PartitionWriter]) -> None:
    for writer in writers.values():
        writer.close()


def _split_by_partition(batch: "pa.RecordBatch", column: str | None) -> "Iterator[tuple[str | None, pa.RecordBatch]]":
    import pyarrow.compute as pc

    if column is None:
        yield None, batch
        return
    values = pc.unique(batch.column(column))
    if len(values) == 1:
        yield _partition_name(values[0]), batch
        return
    for value in values:
        chosen = pc.equal(batch.column(column), value) if value.is_valid else pc.is_null(batch.column(column))
        yield _partition_name(value), batch.filter(chosen)


def _partition_name(value: Any) -> str | None:  # noqa: ANN401
    return str(value.as_py()) if value.is_valid else None


def collect_files(contract: Contract, location: str, folder: str) -> tuple[StagedFile, ...]:
    """What a write left in its folder, with rows and statistics from the footers.

    Raises:
        ContractError: a column that must not be null holds nulls.
    """
    from pyarrow import fs
    from pyarrow import parquet as pq

    system, path = storage.filesystem(folder)
    files: list[StagedFile] = []
    nulls: dict[str, int] = {}
    selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
    for info in system.get_file_info(selector):
        if not info.path.endswith(".parquet"):
            continue
        footer = pq.read_metadata(info.path, filesystem=system)
        if footer.num_rows == 0:
            continue
        _add_nulls(footer, contract, nulls)
        inside = info.path.removeprefix(path).strip("/")
        relative = storage.join(folder.removeprefix(location).strip("/"), inside)
        statistics = json.dumps(_read_statistics(footer, contract))
        files.append(StagedFile(relative, _partition_value(inside), footer.num_rows, info.size, statistics))
    if any(file.partition == NULL_PARTITION for file in files):
        nulls[str(contract.partition_column)] = sum(f.rows for f in files if f.partition == NULL_PARTITION)
    if nulls:
        found = ", ".join(f"{column} in {count:,} rows" for column, count in sorted(nulls.items()))
        message = f"{contract.name}: its contract allows no null, but found {found}; nothing was published."
        raise ContractError(message)
    return tuple(files)


def describe_file(contract: Contract, location: str) -> str:
    """The statistics of a file that may stand in the log."""
    from pyarrow import parquet as pq

    system, path = storage.filesystem(location)
    return json.dumps(_read_statistics(pq.read_metadata(path, filesystem=system), contract))


def _partition_value(inside: str) -> str | None:
    head, slash, _ = inside.partition("/")
    return unquote(head.partition("=")[2]) if slash else None


def _column_chunks(footer: "pq.FileMetaData", names: tuple[str, ...]) -> Iterator[tuple[str, Any, int]]:
    for group_number in range(footer.num_row_groups):
        group = footer.row_group(group_number)
        for column_number in range(group.num_columns):
            chunk = group.column(column_number)
            if chunk.path_in_schema in names:
                yield chunk.path_in_schema, chunk.statistics, group.num_rows


def _add_nulls(footer: "pq.FileMetaData", contract: Contract, nulls: dict[str, int]) -> None:
    for name, statistics, _ in _column_chunks(footer, contract.required):
        if statistics is not None and statistics.null_count:
            nulls[name] = nulls.get(name, 0) + statistics.null_count


def _read_statistics(footer: "pq.FileMetaData", contract: Contract) -> dict[str, Any]:
    lowest: dict[str, Any] = {}
    highest: dict[str, Any] = {}
    for name, statistics, _ in _column_chunks(footer, contract.statistics_columns):
        if statistics is not None and statistics.has_min_max:
            lowest[name] = min(lowest.get(name, statistics.min), statistics.min)
            highest[name] = max(highest.get(name, statistics.max), statistics.max)
    printable = {"minValues": lowest, "maxValues": highest}
    shown = {bound: {name: _plain(value) for name, value in values.items()} for bound, values in printable.items()}
    return {"numRecords": footer.num_rows, **shown}


def _plain(value: Any) -> Any:  # noqa: ANN401
    return value if isinstance(value, int | float) else str(value)
