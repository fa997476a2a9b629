"""The command that writes the report, or shows it while it changes."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli.app import Home, app, parse_day
from jobs.cli.lake import open_lake
from jobs.cli.output import working
from jobs.errors import UsageError

if TYPE_CHECKING:
    from jobs.lake import Lake

DEFAULT_PORT = 8765


@app.command(epilog="Example: sophilux report --out report")
def report(
    out: Annotated[str | None, typer.Option(help="A folder for the report; else 'report' in the lake's home.")] = None,
    day: Annotated[
        date | None,
        typer.Option(parser=parse_day, metavar="DAY", help="The day it is for; else the last one of the marts."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it at this machine, anew whenever a table changes.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="For --serve; 0 takes a free one.")] = DEFAULT_PORT,
    home: Home = None,
) -> None:
    """Write the published tables as pages that open from disk, for marketing."""
    from jobs.report.folders import DEFAULT_FOLDER, check_target
    from jobs.report.site import find_day, write_report

    with open_lake(home) as lake:
        if serve:
            _serve(lake, day, port)
            return
        target = check_target(out or f"{lake.home}/{DEFAULT_FOLDER}", lake.home)
        with working("writing the report"):
            rows = write_report(lake, target, day=day or find_day(lake), made_at=datetime.now(UTC))
        typer.echo(f"{rows:,} rows are in the report. Open {target}/index.html")


def _serve(lake: "Lake", day: date | None, port: int) -> None:
    from jobs.report.preview import Preview
    from jobs.report.site import build_files, find_day, read_state, read_tables

    def build() -> dict[str, bytes]:
        shown = day or find_day(lake)
        return build_files(lake, read_tables(lake, shown), day=shown, made_at=datetime.now(UTC))

    try:
        preview = Preview(build, lambda: read_state(lake), port=port, say=lambda text: typer.echo(text, err=True))
    except OSError as error:
        message = (
            f"The preview cannot listen on port {port}: {error.strerror}. Give another --port, or 0 for a free one."
        )
        raise UsageError(message) from None
    typer.echo(f"The report is at {preview.address} while this runs; Ctrl-C ends it.")
    try:
        preview.serve()
    except KeyboardInterrupt:
        typer.echo("", err=True)
