"""The order of rows in the files of a table about people, and the size of their row groups.

Rows lie by bucket and then by person, so that whoever is erased stands in few row groups, and those tell by the
statistics of ``subject_bucket`` which people they can hold. A row group is the least that is decoded and encoded again
for one row; with small dictionaries, small ones make files hardly larger and cost a reader nothing to speak of.
"""

from typing import TYPE_CHECKING, Final

from jobs.lake.contracts import SUBJECT_BUCKET, SUBJECT_ID, Contract

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, DataFrameWriter

ROW_GROUP_ROWS: Final = 16 * 1024
UNCLUSTERED_ROWS: Final = 64 * 1024
DICTIONARY_BYTES: Final = 32 * 1024
"""Over this a column has no dictionary: one of numbers that all differ makes a small row group larger."""
OPTIONS: Final = {
    "max_row_group_size": ROW_GROUP_ROWS,
    "dictionary_page_size_limit": DICTIONARY_BYTES,
    "parquet.block.row.count.limit": ROW_GROUP_ROWS,
    "parquet.dictionary.page.size": DICTIONARY_BYTES,
}
"""What the embedded engine and what Spark calls them; each passes over the other's."""


def list_order(contract: Contract) -> list[str]:
    """Columns that rows of one partition are sorted by; none where the table has no buckets."""
    if SUBJECT_BUCKET not in contract.column_names:
        return []
    return [name for name in (SUBJECT_BUCKET, SUBJECT_ID) if name in contract.column_names]


def sort_frame(rows: "DataFrame", contract: Contract) -> "DataFrame":
    """Rows in the order of their files.

    The partition comes first, because Spark sorts by it again where it does not.
    """
    order = list_order(contract)
    partition = [contract.partition_column] if contract.partition_column else []
    return rows.sort(*partition, *order) if order else rows


def limit_row_groups(writer: "DataFrameWriter", contract: Contract) -> "DataFrameWriter":
    """Tell the engine how large row groups and their dictionaries are, where rows are clustered."""
    return writer.options(**OPTIONS) if list_order(contract) else writer


def choose_sizes(contract: Contract) -> dict[str, int]:
    """The same for Arrow's writer; the rows of a row group alone where rows are not clustered."""
    if not list_order(contract):
        return {"row_group_size": UNCLUSTERED_ROWS}
    return {"row_group_size": ROW_GROUP_ROWS, "dictionary_pagesize_limit": DICTIONARY_BYTES}


def sort_table(rows: "pa.Table", contract: Contract) -> "pa.Table":
    """Rows of one partition in the order of their files."""
    return rows.sort_by([(name, "ascending") for name in list_order(contract)])
