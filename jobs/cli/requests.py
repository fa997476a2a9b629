"""Commands for what customers ask for."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from jobs.cli.app import Home, app
from jobs.cli.lake import open_lake
from jobs.errors import UsageError

WISHES: Final = {"opt-out": True, "opt-in": False}


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
