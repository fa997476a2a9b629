"""Commands that forget by age: a plan, a look at it, and its application."""

import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobs.cli.app import AsOf, Form, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, format_size, print_rows, working
from jobs.errors import UsageError

if TYPE_CHECKING:
    from jobs.retention.plans import Plan

retention = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
app.add_typer(retention, name="retention", epilog="Example: sophilux retention plan")

SHORT: Final = 8
MIB: Final = 1024**2
COLUMNS: Final = ("table", "rule", "legal basis", "partitions", "files", "rows", "share", "size", "held back")
LISTED: Final = ("plan", "day", "state", "rows", "held_rows", "largest_share", "created_at", "approved_by", "reason")

PlanName = Annotated[str, typer.Argument(metavar="HASH", help="Its hash, or the first 8 digits of it or more.")]


@retention.callback()
def show_help(context: typer.Context) -> None:
    """Delete what is older than its contract allows: plan it, look at it, apply exactly that."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@retention.command("plan", epilog="Example: sophilux retention plan --day 2024-06-30")
def make(day: AsOf = None, home: Home = None, format_: Form = Format.TABLE) -> None:
    """Write a plan of what is past its term, with the rule behind each table; deletes nothing."""
    today = datetime.now(UTC).date()
    if day is not None and day > today:
        message = f"--day must not be after today, {today}, got {day}; rows that are still kept then would go now."
        raise UsageError(message)
    with open_lake(home) as lake:
        from jobs.lake import Days
        from jobs.retention import guard, shelf
        from jobs.retention.ages import check_not_before
        from jobs.retention.planning import make_plan

        check_not_before(lake, Days.single(day or today))
        with working("planning"):
            plan = make_plan(lake, day or today)
            name = shelf.keep_plan(lake, plan)
        excess = guard.find_excess(plan, lake.settings.retention_max_share)
    _print_plan(plan, format_)
    if format_ is Format.TABLE:
        typer.echo(_sum_up(plan, name))
        if excess:
            typer.echo(f"More than a routine plan may: {guard.describe_excess(excess)}.")
        typer.echo(f"Nothing was deleted. To do it: sophilux retention apply --plan {name[:SHORT]}")


@retention.command(epilog="Example: sophilux retention apply --plan 1f2e3d4c")
def apply(
    plan: Annotated[str, typer.Option(metavar="HASH", help="Its hash, or the first 8 digits of it or more.")],
    max_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Part of a table's rows that it may delete; else the setting's.")
    ] = None,
    home: Home = None,
) -> None:
    """Do exactly what a plan says, or refuse because something changed since it was made."""
    with open_lake(home) as lake:
        from jobs.lake import Days
        from jobs.retention import shelf
        from jobs.retention.approvals import approve_plan, open_known
        from jobs.runner import run_step
        from jobs.steps import STEPS

        name = shelf.find_name(lake, plan)
        entry = shelf.find_entry(lake, name)
        if max_share is not None or entry is None or entry["approved_by"] is None:
            limit = lake.settings.retention_max_share if max_share is None else max_share
            approve_plan(lake, name, by=f"command line: {getpass.getuser()}", max_share=limit)
        with working("deleting"):
            report = run_step(lake, STEPS["retention.ages"], Days.single(open_known(lake, name).day), part=name)
    typer.echo(f"Applied plan {name[:SHORT]}: {report.rows_out:,} rows are gone, from the tables and from the disk.")


@retention.command("list", epilog="Example: sophilux retention list")
def list_plans(home: Home = None, format_: Form = Format.TABLE) -> None:
    """List plans with what became of them, newest last."""
    with open_lake(home) as lake:
        from jobs.retention import shelf

        entries = shelf.list_entries(lake)
    rows = [
        {
            **entry,
            "plan": entry["plan_hash"] if format_ is Format.JSON else entry["plan_hash"][:SHORT],
            "largest_share": round(entry["largest_share"], 4),
        }
        for entry in entries
    ]
    print_rows(rows, LISTED, format_)


@retention.command(epilog="Example: sophilux retention show 1f2e3d4c --format json")
def show(plan: PlanName, home: Home = None, format_: Form = Format.TABLE) -> None:
    """Show a plan: tables, partitions, files, rows, the rule behind each, and what holds keep back."""
    with open_lake(home) as lake:
        from jobs.retention import shelf
        from jobs.retention.plans import write_plan

        name = shelf.find_name(lake, plan)
        found = shelf.open_plan(lake, name)
        entry = shelf.find_entry(lake, name) or {}
    if format_ is Format.JSON:
        typer.echo(json.dumps(json.loads(write_plan(found)), indent=1))
        return
    _print_plan(found, format_)
    if format_ is Format.TABLE:
        typer.echo(_sum_up(found, name))
        typer.echo(f"State: {entry.get('state', 'not in this ledger')}. {entry.get('reason') or ''}".rstrip())


def _print_plan(plan: "Plan", format_: Format) -> None:
    rows: list[dict[str, Any]] = [
        {
            "table": removal.table,
            "rule": removal.rule.describe(),
            "legal basis": removal.rule.legal_basis,
            "partitions": len(removal.partitions) + len(removal.folders),
            "files": len(removal.files),
            "rows": removal.rows,
            "share": f"{removal.share:.1%}".replace("%", " %"),
            "size": format_size(removal.bytes),
            "held back": f"{removal.held:,} ({', '.join(removal.holds)})" if removal.held or removal.holds else "",
        }
        for removal in plan.removals
    ]
    if rows or format_ is not Format.TABLE:
        print_rows(rows, COLUMNS, format_)


def _sum_up(plan: "Plan", name: str) -> str:
    if plan.rows or any(removal.deletes for removal in plan.removals):
        what = f"deletes {plan.rows:,} rows, {format_size(plan.bytes)}"
    elif plan.held or plan.removals:
        what = "deletes nothing: holds keep everything that is past its term"
    else:
        what = "deletes nothing: nothing is past its term"
    held = f", and leaves {plan.held:,} that holds keep" if plan.held else ""
    return f"\nPlan {name}\nas of {plan.day} {what}{held}."


@app.command(epilog="Example: sophilux optimize lake.clicks")
def optimize(
    table: Annotated[str | None, typer.Argument(help="'sophilux tables' lists them; none takes all.")] = None,
    file_mib: Annotated[float, typer.Option(min=0.001, help="Size of a file in MiB.")] = 64,
    home: Home = None,
    format_: Form = Format.TABLE,
) -> None:
    """Put small files together, clustered by person, so that an erasure opens few; no row changes."""
    with open_lake(home) as lake:
        from jobs.retention.optimize import optimize_tables

        names = list(lake.contracts) if table is None else [lake.contracts[table].name]
        with working("optimizing"):
            done = optimize_tables(lake, names, target_bytes=int(file_mib * MIB))
    rows = [
        {
            "table": each.table,
            "partitions": each.partitions,
            "rows": each.rows,
            "files": f"{each.files_before:,} -> {each.files_after:,}",
            "size": f"{format_size(each.bytes_before)} -> {format_size(each.bytes_after)}",
        }
        for each in done
        if each.partitions
    ]
    if rows or format_ is not Format.TABLE:
        print_rows(rows, ("table", "partitions", "rows", "files", "size"), format_)
    else:
        typer.echo("Nothing to do: files have a useful size, and buckets of their own.")
