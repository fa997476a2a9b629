"""Staged files: rows written into a table's folder but not yet part of the table.

A staged write becomes visible by one commit or not at all. Row counts, nulls and the few statistics that may
stand in the log are read from the Parquet footers, so they cost no pass over the data.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jobs.errors import ContractError
from jobs.lake import storage
from jobs.lake.contracts import Contract

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq
    from pyspark.sql import DataFrame

STAGED_PREFIX = "w-"
COMPRESSION = "zstd"
ROW_GROUP_ROWS = 256 * 1024
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
    """Files of one write, waiting for a commit."""

    contract: Contract
    location: str
    folder: str
    files: tuple[StagedFile, ...] = field(repr=False)

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
    """Let the engine write the rows as Parquet, one folder per partition value."""
    writer = frame.write.mode("overwrite").option("compression", COMPRESSION)
    if contract.partition_column:
        writer = writer.partitionBy(contract.partition_column)
    writer.parquet(folder)


def write_batches(batches: "pa.RecordBatchReader", contract: Contract, folder: str) -> None:
    """Write Arrow batches as Parquet as they come, never holding more than a few of them."""
    import pyarrow as pa
    from pyarrow import dataset

    partition_column = contract.partition_column
    partitioning = None
    if partition_column:
        partition_field = contract.arrow_schema().field(partition_column)
        partitioning = dataset.partitioning(pa.schema([partition_field]), flavor="hive")
    system, path = storage.filesystem(folder)
    dataset.write_dataset(
        batches,
        path,
        filesystem=system,
        format="parquet",
        file_options=dataset.ParquetFileFormat().make_write_options(compression=COMPRESSION),
        partitioning=partitioning,
        max_rows_per_group=ROW_GROUP_ROWS,
        max_open_files=64,
        existing_data_behavior="error",
    )


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
