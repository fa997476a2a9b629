"""The command line ``sophilux``; engines are loaded by the commands that need one, so that ``--help`` is fast."""

import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jobs.cli.errors import OneLineErrors
from jobs.cli.lake import check_sources, describe_table, open_lake
from jobs.cli.output import Format, format_size, print_rows, working
from jobs.errors import SourceError, UsageError

SAMPLES: Final = {
    "online-retail": ("pull_purchases", date(2010, 12, 1), date(2011, 12, 9)),
    "olist": ("pull_purchases", date(2016, 9, 1), date(2018, 11, 30)),
    "taobao": ("pull_clickstream", date(2017, 11, 25), date(2017, 11, 27)),
}

WISHES: Final = {"opt-out": True, "opt-in": False}

app = typer.Typer(
    name="sophilux",
    cls=OneLineErrors,
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A shop's data pipeline: pull, clean, compute, hand over, forget. Add --debug to see tracebacks.",
)


def parse_day(text: str) -> date:
    """A day such as ``2024-01-31``."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        message = f"a day looks like 2024-01-31, got {text!r}."
        raise typer.BadParameter(message)
    return day


Home = Annotated[str | None, typer.Option(help="The lake's home: a folder or URL; else SOPHILUX_HOME, else ./shop.")]
Day = Annotated[date, typer.Option(parser=parse_day, metavar="DAY", help="A day such as 2024-01-31, in UTC.")]
Until = Annotated[date | None, typer.Option(parser=parse_day, metavar="DAY", help="Last day of a range.")]
AsOf = Annotated[date | None, typer.Option(parser=parse_day, metavar="DAY", help="As of this day; else today.")]
Restricted = Annotated[bool, typer.Option("--restricted", help="Read personal data, because your task needs it.")]
Form = Annotated[Format, typer.Option("--format", help="In csv, text that looks like a formula gets an apostrophe.")]


@app.command(epilog="Example: sophilux demo --home shop --days 14")
def demo(home: Home = None, days: int = 14, customers: int = 2_000, events: int = 100_000, seed: int = 1) -> None:
    """Generate a shop, run every flow over it, and compare what was planted with what was found."""
    from jobs.demo import run_demo

    started = time.monotonic()
    with open_lake(home, must_exist=False) as lake:
        size = {"days": days, "customers": customers, "events": events, "seed": seed}
        with working("starting") as say:
            done = run_demo(lake, **size, progress=say)
        seconds = time.monotonic() - started
        rows = [
            {"what": f.what, "table": f.where, "planted": f.planted, "found": f.found, "same": f.planted == f.found}
            for f in done.findings
        ]
        print_rows(rows, ("what", "table", "planted", "found", "same"))
        chosen = "" if home is None else f" --home {home}"
        typer.echo(
            f"\n{done.days}, {len(done.reports)} steps in {seconds:.0f} s. Lake: {lake.home}. Look further:\n"
            f"  sophilux tables{chosen}\n"
            f"  sophilux show marts.bestsellers{chosen}\n"
            f"  {lake.home}/exports: packages for partners\n"
            f"  {lake.home}/quality: what the gate checked"
        )


@app.command(epilog="Example: sophilux sample online-retail --from ../shared/data --home retail")
def sample(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(SAMPLES)}.")],
    folder: Annotated[Path, typer.Option("--from", help="Folder that holds the public data set.")],
    home: Home = None,
) -> None:
    """Turn a public data set into source drops beside a lake."""
    import importlib

    from jobs.settings import load_settings

    if name not in SAMPLES:
        message = f"There is no sample {name!r}; there are {', '.join(SAMPLES)}."
        raise UsageError(message)
    if not folder.is_dir():
        message = f"There is no folder {folder}; --from names the one that holds the data set."
        raise UsageError(message)
    settings = load_settings(home)
    converter = importlib.import_module(f"jobs.samples.{name.replace('-', '_')}")
    try:
        with working(f"converting {name}"):
            written = converter.write_drops(folder, settings)
    except SourceError as error:
        raise UsageError(str(error)) from None
    counts = ", ".join(f"{rows:,} {what}" for what, rows in written.items())
    flow, first, last = SAMPLES[name]
    typer.echo(f"{counts} lie in {settings.sources}. Next:")
    typer.echo(f"  sophilux run {flow} --day {first} --until {last}" + ("" if home is None else f" --home {home}"))


@app.command(epilog="Example: sophilux flows")
def flows() -> None:
    """List the flows, and what their steps read and write."""
    from jobs.steps import FLOWS

    rows = [
        {"flow": flow.name, "step": step.name, "purpose": step.purpose, "writes": ", ".join(step.writes)}
        for flow in FLOWS
        for step in flow.steps
    ]
    print_rows(rows, ("flow", "step", "purpose", "writes"))


@app.command(epilog="Example: sophilux run build_marts --day 2024-01-01 --until 2024-01-14")
def run(
    name: Annotated[str, typer.Argument(metavar="FLOW_OR_STEP", help="'sophilux flows' lists them.")],
    day: Day,
    until: Until = None,
    home: Home = None,
) -> None:
    """Run a flow or a step over a day or a range; running it again leaves the same rows."""
    from jobs.lake import Days
    from jobs.runner import run_step
    from jobs.settings import load_settings
    from jobs.steps import find_steps

    days, steps = Days(day, until or day), find_steps(name)
    done: list[dict[str, Any]] = []
    check_sources(load_settings(home))
    with open_lake(home, must_exist=False) as lake:
        try:
            for step in steps:
                started = time.monotonic()
                with working(f"{step.name} {days}"):
                    report = run_step(lake, step, days)
                counts = {"rows in": report.rows_in, "rows out": report.rows_out, "duplicates": report.duplicates}
                seconds = round(time.monotonic() - started, 1)
                done.append({"step": step.name, **counts, "quarantined": report.quarantined, "seconds": seconds})
        finally:
            if done:
                print_rows(done, tuple(done[0]))


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


@app.command(epilog="Example: sophilux export adnet-eu --day 2024-01-14")
def export(
    partner: Annotated[str, typer.Argument(help="A name of the partners file.")], day: Day, home: Home = None
) -> None:
    """Build one partner's package of a day; the flow export_audiences builds all."""
    with open_lake(home) as lake:
        from jobs.exports.packages import export_partner, package_folder
        from jobs.exports.partners import find_partner
        from jobs.runner import check_past

        check_past(day)
        found = find_partner(lake.settings.partners, partner)
        with working(f"exporting {partner}"):
            manifest = export_partner(lake, found, day)
        rows = [{"file": n, "rows": f["rows"], "size": format_size(f["bytes"])} for n, f in manifest["files"].items()]
        print_rows(rows, ("file", "rows", "size"))
        kept_out = ", ".join(f"{count:,} {reason}" for reason, count in manifest["excluded"].items())
        typer.echo(f"\nKept out: {kept_out}. Package: {lake.home}/{package_folder(partner, day)}")


@app.command(epilog="Example: sophilux request opt-out --email -")
def request(
    wish: Annotated[str, typer.Argument(metavar="WISH", help="opt-out or opt-in.")],
    email: Annotated[str, typer.Option(help="The address the person wrote with; - reads it from standard input.")],
    purpose: Annotated[str, typer.Option(help="ads or personalisation.")] = "ads",
    home: Home = None,
) -> None:
    """Record what a person asks for; it holds for all their addresses from the next export and marts on."""
    if wish not in WISHES:
        message = f"There is no request {wish!r}; there are {', '.join(WISHES)}."
        raise UsageError(message)
    with open_lake(home) as lake:
        from jobs.requests.choices import record_choice

        address = sys.stdin.readline().strip() if email == "-" else email
        known = record_choice(lake, address, purpose=purpose, is_opt_out=WISHES[wish], asked_at=datetime.now(UTC))
    typer.echo("Recorded." if known else "Recorded, though no account with this address is known yet.")


@app.command(epilog="Example: sophilux retention --dry-run --day 2024-06-30")
def retention(
    apply: Annotated[bool, typer.Option("--apply/--dry-run", help="Remove, or only list what would go.")] = False,
    day: Annotated[
        date | None, typer.Option(parser=parse_day, metavar="DAY", help="As of this day; else today.")
    ] = None,
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


def main() -> None:
    """Entry point of the command ``sophilux``."""
    app()
