"""Commands that look at tables."""

from typing import Annotated

import typer

from jobs.cli.app import Form, Home, Restricted, app
from jobs.cli.lake import describe_table, open_lake
from jobs.cli.output import Format, print_rows, working
from jobs.errors import UsageError


@app.command(epilog="Example: sophilux tables --home shop")
def tables(home: Home = None, format_: Form = Format.TABLE) -> None:
    """List the tables: rows, bytes, version, last change, how long rows are kept, and who may read."""
    with open_lake(home) as lake:
        listed = [describe_table(lake, c) for c in lake.contracts.values() if c.zone != "exports"]
    print_rows(sorted(listed, key=lambda row: row["table"]), tuple(listed[0]), format_)


@app.command(epilog="Example: sophilux show marts.bestsellers --limit 10")
def show(
    table: Annotated[str, typer.Argument(help="'sophilux tables' lists them.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    restricted: Restricted = False,
    format_: Form = Format.TABLE,
    home: Home = None,
) -> None:
    """Show the first rows of a table, by its key."""
    from jobs.cli.queries import check_readable

    with open_lake(home) as lake:
        contract = lake.contracts[table]
        if contract.zone == "exports":
            message = f"{table} is part of packages, not a table; they lie in {lake.home}/exports."
            raise UsageError(message)
        check_readable([contract], restricted=restricted)
        with working(f"reading {table}"):
            rows = lake.read(table).sort(*contract.key).limit(limit).toArrow().to_pylist()
    print_rows(rows, contract.column_names, format_)


@app.command(epilog='Example: sophilux sql "SELECT country, count(*) AS orders FROM lake.orders GROUP BY country"')
def sql(
    text: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; tables are named zone.table.")],
    limit: Annotated[int, typer.Option(min=1, help="Rows to print at most.")] = 1_000,
    restricted: Restricted = False,
    format_: Form = Format.TABLE,
    home: Home = None,
) -> None:
    """Run a query over the tables; nothing can be changed by it."""
    from jobs.cli.queries import query

    with open_lake(home) as lake, working("running the query"):
        found = query(lake, text, restricted=restricted).limit(limit + 1).toArrow()
    print_rows(found.slice(0, limit).to_pylist(), found.column_names, format_)
    if found.num_rows > limit:
        typer.echo(f"These are the first {limit:,} rows; --limit prints more.", err=True)


@app.command(epilog="Example: sophilux quality marts.bestsellers")
def quality(table: Annotated[str, typer.Argument(help="'sophilux tables' lists them.")], home: Home = None) -> None:
    """Run a table's expectations over what is published; exits with 1 when a critical one does not hold."""
    from jobs.quality import check_table

    with open_lake(home) as lake, working(f"checking {table}"):
        result = check_table(lake, table)
    rows = [{"state": c.state, "severity": c.severity, "check": c.title, "observed": c.observed} for c in result.checks]
    print_rows(rows, ("state", "severity", "check", "observed"))
    typer.echo(f"\n{table}: {result.state}, {result.rows:,} rows. Pages: {lake.home}/quality")
    if result.blocking:
        raise typer.Exit(1)
