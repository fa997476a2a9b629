"""Commands for legal holds."""

import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobs.cli.app import Form, Home, Until, app, parse_day
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, print_rows
from jobs.errors import UsageError

if TYPE_CHECKING:
    from jobs.people.holds import Hold

hold = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
app.add_typer(hold, name="hold", epilog="Example: sophilux hold list")

COLUMNS: Final = ("hold_id", "scope", "names", "tables", "reason", "placed_at", "released_at")
HEX_DIGITS: Final = frozenset("0123456789abcdef")
PSEUDONYM_DIGITS: Final = 32


@hold.callback()
def show_help(context: typer.Context) -> None:
    """Keep what a case, an audit or a law needs, whatever retention or a request says."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@hold.command(epilog="Example: sophilux hold place --order O-4711 --reason 'court file 12 O 34/26'")
def place(
    reason: Annotated[str, typer.Option(help="Law, case or audit, without personal data; the person is told it.")],
    email: Annotated[
        list[str] | None, typer.Option(help="Address of a person; - reads one a line from standard input.")
    ] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Pseudonym of a person: 32 hex digits.")] = None,
    order: Annotated[list[str] | None, typer.Option(help="Number of an order.")] = None,
    since: Annotated[date | None, typer.Option("--from", parser=parse_day, metavar="DAY", help="First day.")] = None,
    until: Until = None,
    table: Annotated[list[str] | None, typer.Option(help="Hold this table only; may be given again.")] = None,
    home: Home = None,
) -> None:
    """Keep rows of people, of orders, or of a period, on every path that deletes."""
    from jobs.lake import Days

    if (since is None) != (until is None):
        message = "A period needs both --from and --until."
        raise UsageError(message)
    check_pseudonyms(subject or [])
    with open_lake(home) as lake:
        from jobs.people.finding import find_people
        from jobs.people.holds import place_hold

        addresses = [line for each in email or [] for line in (_read_lines() if each == "-" else [each])]
        people = find_people(lake, addresses=addresses, whole_circles=True)
        placed = place_hold(
            lake,
            reason=reason,
            subject_ids={*(subject or []), *(name for person in people for name in person.subject_ids)},
            order_ids=order or [],
            days=Days(since, until) if since and until else None,
            tables=table or [],
        )
    typer.echo(f"Placed hold {placed.hold_id}: {_count_names(placed)}. Nothing of it is deleted until it is released.")


@hold.command("list", epilog="Example: sophilux hold list")
def list_holds(home: Home = None, format_: Form = Format.TABLE) -> None:
    """List holds, the released ones too, with counts instead of identifiers."""
    with open_lake(home) as lake:
        from jobs.people import holds

        rows = [
            {
                "hold_id": each.hold_id,
                "scope": each.scope,
                "names": _count_names(each),
                "tables": ", ".join(sorted(each.tables)) or "all",
                "reason": each.reason,
                "placed_at": each.placed_at,
                "released_at": each.released_at,
            }
            for each in holds.list_holds(lake)
        ]
    print_rows(rows, COLUMNS, format_)


@hold.command(epilog="Example: sophilux hold release 1f2e3d4c")
def release(
    hold_id: Annotated[str, typer.Argument(help="'sophilux hold list' shows them.")], home: Home = None
) -> None:
    """End a hold: what it kept goes with the next plan, and requests that waited for it are open again."""
    with open_lake(home) as lake:
        from jobs.people.holds import release_hold

        released = release_hold(lake, hold_id)
    typer.echo(f"Released hold {released.hold_id}. The next 'sophilux retention plan' has what it kept past its term.")


def check_pseudonyms(texts: list[str]) -> None:
    """Refuse what is no pseudonym; the message does not repeat it, because it may be an address.

    Raises:
        UsageError: one of them is none.
    """
    if any(len(text) != PSEUDONYM_DIGITS or not set(text) <= HEX_DIGITS for text in texts):
        message = "--subject takes a pseudonym of 32 lowercase hex digits; use --email for an address."
        raise UsageError(message)


def _read_lines() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


def _count_names(each: "Hold") -> str:
    if each.days is not None:
        return str(each.days)
    if each.order_ids:
        return f"{len(each.order_ids):,} orders"
    return f"{len(each.subject_ids):,} addresses"
