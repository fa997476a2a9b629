"""The two formats of a package's files: Parquet, and CSV under zstd in which no cell can be taken for a formula.

In CSV a text that begins with one of ``= + - @``, a tab, a line break or an apostrophe has one apostrophe in front,
which is no part of it; null is an empty cell without quotes.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

PARQUET: Final = "parquet"
CSV: Final = "csv"
SUFFIXES: Final = {PARQUET: ".parquet", CSV: ".csv.zst"}
ROW_GROUP_ROWS: Final = 256 * 1024
FORMULA: Final = r"^[=+\-@'\t\r\n]"
APOSTROPHE: Final = "'"


class ShardWriter:
    """One file being written; use it as a context manager."""

    def __init__(self, path: Path, schema: "pa.Schema", format_: str) -> None:
        import pyarrow as pa
        from pyarrow import csv
        from pyarrow import parquet as pq

        self._is_csv = format_ == CSV
        self._sink: Any = None
        if self._is_csv:
            self._sink = pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd")
            self._writer = csv.CSVWriter(self._sink, schema)
        else:
            self._writer = pq.ParquetWriter(str(path), schema, compression="zstd")

    def write(self, table: "pa.Table") -> None:
        """Append rows; row groups have the same size whichever engine the rows came from."""
        if self._is_csv:
            self._writer.write_table(disarm_formulas(table))
        else:
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        if self._sink is not None:
            self._sink.close()


def disarm_formulas(table: "pa.Table") -> "pa.Table":
    """Texts that a spreadsheet could run, or that begin with an apostrophe, get an apostrophe in front."""
    import pyarrow.compute as pc

    for number in _list_texts(table):
        cells = table.column(number)
        is_armed = pc.match_substring_regex(cells, FORMULA)
        cells = pc.if_else(is_armed, pc.binary_join_element_wise(APOSTROPHE, cells, ""), cells)
        table = table.set_column(number, table.schema.field(number), cells)
    return table


def restore_formulas(table: "pa.Table") -> "pa.Table":
    """Undo :func:`disarm_formulas`."""
    import pyarrow.compute as pc

    for number in _list_texts(table):
        cells = pc.replace_substring_regex(table.column(number), f"^{APOSTROPHE}", "")
        table = table.set_column(number, table.schema.field(number), cells)
    return table


def read_shard(path: Path, schema: "pa.Schema", format_: str) -> "Iterator[pa.Table]":
    """A file's rows in pieces; the first piece has no rows and shows the file's own columns.

    Args:
        path: the file, not encrypted.
        schema: types of the columns, which a CSV file cannot tell.
        format_: parquet or csv.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not of the format, or a cell is not of its column's type.
    """
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow import parquet as pq

    if format_ == PARQUET:
        with pq.ParquetFile(path) as file:
            yield file.schema_arrow.empty_table()
            yield from (pa.Table.from_batches([batch]) for batch in file.iter_batches(ROW_GROUP_ROWS))
        return
    types = csv.ConvertOptions(column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=False)
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as source, _open_csv(source, types) as reader:
        yield reader.schema.empty_table()
        yield from (restore_formulas(pa.Table.from_batches([batch])) for batch in reader)


def _open_csv(source: Any, types: Any) -> Any:  # noqa: ANN401
    from pyarrow import csv

    return csv.open_csv(source, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=types)


def _list_texts(table: "pa.Table") -> list[int]:
    import pyarrow as pa

    return [number for number, field in enumerate(table.schema) if pa.types.is_string(field.type)]
