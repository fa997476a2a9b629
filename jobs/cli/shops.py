"""Commands that bring a shop to start with: generated, or from a public data set."""

import time
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from jobs.cli.app import Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import print_rows, working
from jobs.errors import SourceError, UsageError

SAMPLES: Final = {
    "online-retail": ("pull_purchases", date(2010, 12, 1), date(2011, 12, 9)),
    "olist": ("pull_purchases", date(2016, 9, 1), date(2018, 11, 30)),
    "taobao": ("pull_clickstream", date(2017, 11, 25), date(2017, 11, 27)),
}


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
            f"  {lake.home}/report/index.html: the report, in a browser\n"
            f"  {lake.home}/exports: packages for partners\n"
            f"  {lake.home}/quality/index.html: what the gate checked"
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
