"""The command that tells what a table's columns are made from."""

from typing import Annotated, Any

import typer

from jobs.cli.app import Form, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, print_rows

SHOWN = ("column", "classification", "made from", "declared as")


@app.command(epilog="Example: sophilux lineage lake.subjects")
def lineage(
    table: Annotated[str, typer.Argument(help="'sophilux tables' lists them.")],
    format_: Form = Format.TABLE,
    home: Home = None,
) -> None:
    """Show which columns each column of a table was made from, and what was declared about them on the way."""
    from jobs.lake.lineage import read_record

    with open_lake(home) as lake:
        contract = lake.contracts[table]
        record = read_record(lake.history(table))
    rows: list[dict[str, Any]] = []
    for column in contract.columns:
        known = {"column": column.name, "classification": column.classification}
        sources = [(trace.source, ", ".join(trace.via)) for trace in record.get(column.name, ())] or [("", "")]
        rows += [{**known, "made from": source, "declared as": via} for source, via in sources]
    print_rows(rows, SHOWN, format_)
    if not record:
        message = f"No lineage is known of {table}: it was pulled from outside, or nothing was written to it yet."
        typer.echo(f"\n{message}", err=True)
