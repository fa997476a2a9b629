"""Tables written before their contract gained a column: readable at once, and widened by the next commit.

A column that a contract gains is null in the rows that were there before. One that changes its type is refused, because
no rule could say what became of the old values.
"""

from typing import TYPE_CHECKING

from jobs.errors import ContractError
from jobs.lake import types
from jobs.lake.contracts import Column, Contract

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, Field


def find_missing(table: "DeltaTable", contract: Contract) -> tuple[Column, ...]:
    """Columns of the contract that the table lacks.

    Raises:
        ContractError: a column has another type than the contract gives it; all of them are told.
    """
    stored = {field.name: field for field in table.schema().fields}
    expected = {field.name: field for field in _delta_fields(contract.columns)}
    changed = [
        f"{name} is {stored[name].type} in the table and {expected[name].type} in the contract"
        for name in expected
        if name in stored and stored[name].type != expected[name].type
    ]
    if changed:
        message = (
            f"{contract.name}: {'; '.join(changed)}. Types do not change in place: give the column a new name, or move "
            "the table away and build it again."
        )
        raise ContractError(message)
    return tuple(column for column in contract.columns if column.name not in stored)


def add_columns(table: "DeltaTable", contract: Contract) -> "DeltaTable":
    """The table with every column of its contract; costs a commit of metadata where one was missing."""
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    while missing := find_missing(table, contract):
        try:
            table.alter.add_columns(_delta_fields(missing))
        except CommitFailedError:
            table = DeltaTable(table.table_uri)
    return table


def fill_missing(rows: "pa.Table", contract: Contract) -> "pa.Table":
    """Rows read from a table, with nulls in the columns that it lacks."""
    import pyarrow as pa

    for column in contract.arrow_schema():
        if column.name not in rows.column_names:
            rows = rows.append_column(column, pa.nulls(len(rows), column.type))
    return rows


def _delta_fields(columns: tuple[Column, ...]) -> "list[Field]":
    from deltalake import Schema

    arrow = types.arrow_schema((column.name, column.type) for column in columns)
    return list(Schema.from_arrow(arrow).fields)
