"""Commands that forget by age."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from jobs.cli.app import AsOf, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import format_size, print_rows, working
from jobs.errors import UsageError


@app.command(epilog="Example: sophilux retention --dry-run --day 2024-06-30")
def retention(
    apply: Annotated[bool, typer.Option("--apply/--dry-run", help="Remove, or only list what would go.")] = False,
    day: AsOf = None,
    home: Home = None,
) -> None:
    """Remove what is older than its contract allows, from the tables and from the disk."""
    today = datetime.now(UTC).date()
    if day is not None and day > today:
        message = f"--day must not be after today, {today}, got {day}; rows that are still kept then would go now."
        raise UsageError(message)
    with open_lake(home) as lake:
        from jobs.lake import Days
        from jobs.retention import ages
        from jobs.runner import run_step
        from jobs.steps import STEPS

        with working("planning"):
            removals = ages.plan(lake, day or today)
        rows = [
            {"table": r.table, "rule": r.rule, "parts": len(r.partitions) + len(r.folders), "rows": r.rows}
            | {"size": format_size(r.bytes)}
            for r in removals
        ]
        if rows:
            print_rows(rows, ("table", "rule", "parts", "rows", "size"))
        if apply:
            with working("removing"):
                run_step(lake, STEPS["retention.ages"], Days.single(day or today))
        total = sum(r.rows for r in removals)
        typer.echo(f"\n{total:,} rows {'were removed' if apply else 'would go; nothing was changed'}.")
