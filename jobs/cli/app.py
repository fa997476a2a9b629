"""The command line's root: what every command shares. Each group of commands is a module of its own."""

from datetime import date
from typing import Annotated

import typer

from jobs.cli.errors import OneLineErrors
from jobs.cli.output import Format

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
Restricted = Annotated[bool, typer.Option("--restricted", help="Read personal data, because your task needs it.")]
AsOf = Annotated[date | None, typer.Option(parser=parse_day, metavar="DAY", help="As of this day; else today.")]
Form = Annotated[Format, typer.Option("--format", help="In csv, text that looks like a formula gets an apostrophe.")]
