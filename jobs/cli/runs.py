"""Commands that list and run flows and steps."""

import time
from typing import Annotated, Any

import typer

from jobs.cli.app import Day, Home, Until, app
from jobs.cli.lake import check_sources, open_lake
from jobs.cli.output import print_rows, working


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
