"""Look into a table's files, a few columns at a time, without an engine."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from jobs.lake import storage
from jobs.lake.lake import Lake

if TYPE_CHECKING:
    import pyarrow as pa


def read_columns(lake: Lake, table: str, path: str, columns: Collection[str]) -> "pa.Table":
    """Some columns of one file of a table.

    Args:
        lake: the lake.
        table: ``zone.name``.
        path: of the file, relative to the table.
        columns: stored columns of the contract; one that the file was written without is null.
    """
    from pyarrow import parquet as pq

    system, inside = storage.filesystem(storage.join(lake.location(table), path))
    with system.open_input_file(inside) as file:
        rows = pq.ParquetFile(file).read(columns=list(columns))
    return fill_columns(lake, table, rows, columns)


def fill_columns(lake: Lake, table: str, rows: "pa.Table", columns: Collection[str]) -> "pa.Table":
    """Rows with exactly these columns; one that is not there is null, as in files older than the column."""
    import pyarrow as pa

    schema = lake.contracts[table].arrow_schema()
    found = set(rows.column_names)
    return pa.table(
        {name: rows[name] if name in found else pa.nulls(rows.num_rows, schema.field(name).type) for name in columns}
    )
