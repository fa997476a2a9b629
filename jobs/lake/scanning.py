"""Rows of a table as Arrow, row group by row group and without an engine, opening only what can hold them."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from jobs.lake import commits, storage
from jobs.lake.contracts import SUBJECT_BUCKET, Contract
from jobs.lake.evolution import fill_missing
from jobs.lake.lake import Lake
from jobs.lake.parquet import pruning
from jobs.lake.parquet.pruning import Buckets

if TYPE_CHECKING:
    import pyarrow as pa


def scan_rows(
    lake: Lake,
    table: str,
    *,
    columns: Sequence[str],
    buckets: Buckets | None = None,
    partitions: Collection[str] | None = None,
) -> "Iterator[pa.Table]":
    """Some columns of a table, one Arrow table per row group that can hold the rows.

    Args:
        lake: the lake.
        table: ``zone.name``; one that does not exist has no rows.
        columns: of the contract; also the partition column.
        buckets: buckets the rows can be in, where the table has them, ``None`` among them for rows without; all by
            default.
        partitions: partitions to look in; all by default.
    """
    for file in lake.list_files(table):
        if pruning.may_hold(file, buckets, partitions):
            yield from scan_file(lake, table, file, columns=columns, buckets=buckets)


def scan_file(
    lake: Lake, table: str, file: commits.TableFile, *, columns: Sequence[str], buckets: Buckets | None = None
) -> "Iterator[pa.Table]":
    """Like :func:`scan_rows`, of one file of :meth:`jobs.lake.lake.Lake.list_files`."""
    from pyarrow import parquet as pq

    contract = lake.contracts[table]
    look = pruning.look_by_bucket(buckets) if buckets is not None and SUBJECT_BUCKET in contract.column_names else None
    system, path = storage.filesystem(storage.join(lake.location(contract.name), file.path))
    with system.open_input_file(path) as opened, pq.ParquetFile(opened) as parquet:
        stored = [name for name in columns if name in parquet.schema_arrow.names]
        for number in range(parquet.num_row_groups):
            group = parquet.metadata.row_group(number)
            if look is None or look(group):
                rows = parquet.read_row_group(number, columns=stored)
                yield _complete(rows, contract, file.partition, columns, group.num_rows)


def _complete(
    rows: "pa.Table", contract: Contract, partition: str | None, columns: Sequence[str], count: int
) -> "pa.Table":
    """The rows in the contract's types, with the partition's value, which files do not hold."""
    import pyarrow as pa

    schema = contract.arrow_schema()
    if contract.partition_column in columns and contract.partition_column not in rows.column_names:
        field = schema.field(contract.partition_column)
        value = pa.scalar(partition, pa.string()).cast(field.type)
        rows = rows.append_column(field, pa.repeat(value, count))
    return fill_missing(rows, contract).select(list(columns)).cast(pa.schema([schema.field(name) for name in columns]))
