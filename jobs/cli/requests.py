"""Commands for what people ask for about their data: access, erasure, correction, opt-out and opt-in."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobs.cli.account import name_account
from jobs.cli.app import Form, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, format_size, print_rows, working
from jobs.cli.request_input import read_file, read_passphrase, read_wish
from jobs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.requests.opening import Opened

request = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(request, name="request", epilog="Example: sophilux request new access --email -")

LISTED: Final = ("request", "kind", "state", "received", "due", "days left", "approved")
SERVED: Final = ("request", "kind", "state")

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="'sophilux request list' lists them.")]


@request.callback()
def describe() -> None:
    """Record and serve what people ask for about their data; due within 15 working days."""


@request.command(epilog="Example: sophilux request new correct --email - --set phone='+49 30 1234567'")
def new(
    kind: Annotated[
        str | None, typer.Argument(help="access, erase, correct, opt-out or opt-in; with --from-file of rows without.")
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="The address the person wrote with; - reads it from standard input.")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(help="Of opt-out and opt-in: ads (as long as nothing is said) or personalisation.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Of correct: a new value; may be repeated.")
    ] = None,
    from_file: Annotated[
        str | None,
        typer.Option(help="CSV with a header or JSON Lines: email, kind, purpose, and fields to correct; - reads it."),
    ] = None,
    home: Home = None,
) -> None:
    """Record requests. Opt-outs and opt-ins hold at once; of a file with mistakes nothing is recorded."""
    if (email is None) == (from_file is None):
        message = "Give either --email or --from-file."
        raise UsageError(message)
    now = datetime.now(UTC)
    with open_lake(home) as lake:
        from jobs.privacy.subject_ids import find_subject_key
        from jobs.requests.opening import open_requests
        from jobs.requests.serving import serve_choices

        key = find_subject_key(lake)
        if from_file is None:
            wishes = [read_wish(kind, str(email), purpose, values or [], key)]
        else:
            wishes = read_file(kind, purpose, values, from_file, key)
        with working("recording"):
            opened = open_requests(lake, wishes, now=now, by=name_account())
            serve_choices(lake, opened, now=now, by=name_account())
    _tell_opened(opened)


@request.command("list", epilog="Example: sophilux request list --all --format csv")
def list_requests(
    all_: Annotated[bool, typer.Option("--all", help="Answered ones too.")] = False,
    home: Home = None,
    format_: Form = Format.TABLE,
) -> None:
    """List requests that are not answered, the most urgent first."""
    with open_lake(home) as lake:
        from jobs.lake import columns as C
        from jobs.privacy.rights import request_ledger as ledger
        from jobs.privacy.rights.calendars import load_calendar

        calendar, today = load_calendar(lake.settings.holidays), datetime.now(UTC).date()
        found = [row for row in ledger.read_requests(lake) if all_ or row[C.ANSWERED_AT] is None]
        rows = [
            {
                "request": row[C.REQUEST_ID],
                "kind": row[C.KIND],
                "state": row[C.STATE],
                "received": row[C.RECEIVED_AT],
                "due": row[C.DUE_ON],
                "days left": None if row[C.ANSWERED_AT] else calendar.count_left(today, row[C.DUE_ON]),
                "approved": row[C.APPROVED_AT] is not None if row[C.KIND] == ledger.ERASE else None,
            }
            for row in sorted(found, key=lambda row: (row[C.DUE_ON], row[C.RECEIVED_AT]))
        ]
    print_rows(rows, LISTED, format_)


@request.command(epilog="Example: sophilux request show bcdfghjkmn")
def show(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="'sophilux request list' lists them.")],
    home: Home = None,
    format_: Form = Format.TABLE,
) -> None:
    """Show what happened to a request, and what the person is told."""
    with open_lake(home) as lake:
        from jobs.lake import columns as C
        from jobs.privacy.rights import request_ledger as ledger
        from jobs.requests.texts import tell_answer

        (found,) = ledger.find_requests(lake, [request_id])
        events = ledger.read_events(lake, request_id)
    shown = [{name: row[name] for name in (C.AT, C.EVENT, C.STATE, C.BY, C.DETAIL)} for row in events]
    print_rows(shown, (C.AT, C.EVENT, C.STATE, C.BY, C.DETAIL), format_)
    if format_ is Format.TABLE:
        typer.echo(
            f"\n{found[C.KIND]}, {found[C.STATE]}, received {found[C.RECEIVED_AT]:%F %T} UTC, due {found[C.DUE_ON]}."
            f"\nThe person is told: {tell_answer(found)}"
        )


@request.command(epilog="Example: sophilux request approve bcdfghjkmn")
def approve(request_ids: Ids, home: Home = None) -> None:
    """Agree that requests to erase are carried out by the next run of serve_requests."""
    with open_lake(home) as lake:
        from jobs.privacy.rights import request_ledger as ledger

        done = ledger.approve(lake, request_ids, now=datetime.now(UTC), by=name_account())
    typer.echo(f"{len(done):,} approved.")


@request.command(epilog="Example: sophilux request serve bcdfghjkmn")
def serve(
    request_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", help="None serves all that can be served at once.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")] = False,
    home: Home = None,
) -> None:
    """Serve requests now; naming one to erase is the agreement to it."""
    now, by = datetime.now(UTC), name_account()
    with open_lake(home) as lake:
        from jobs.lake import columns as C
        from jobs.privacy.rights import request_ledger as ledger
        from jobs.requests.serving import list_servable, list_unapproved, serve

        chosen = request_ids or list_servable(lake)
        erasures = [row for row in ledger.find_requests(lake, chosen) if row[C.KIND] == ledger.ERASE]
        unapproved = [row[C.REQUEST_ID] for row in erasures if row[C.APPROVED_AT] is None]
        if request_ids and unapproved:
            if not yes:
                typer.confirm(f"Erase whoever asked with {', '.join(unapproved)}, for good?", abort=True)
            ledger.approve(lake, unapproved, now=now, by=by)
        with working("serving"):
            done = serve(lake, chosen, now=now, by=by, is_asked_for=bool(request_ids))
        waiting = 0 if request_ids else len(list_unapproved(lake))
    if done:
        print_rows([{"request": r[C.REQUEST_ID], "kind": r[C.KIND], "state": r[C.STATE]} for r in done], SERVED)
    typer.echo(f"{len(done):,} served." if done else "There is nothing to serve.")
    if waiting:
        typer.echo(f"{waiting:,} to erase wait for an agreement, which 'sophilux request approve ID' gives.")


@request.command(epilog="Example: sophilux request answer bcdfghjkmn --out answers")
def answer(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="A request for access that is served.")],
    out: Annotated[Path, typer.Option(help="Folder for the file; made for you alone where there is none.")],
    encrypt_to: Annotated[str | None, typer.Option(help="The person's public key of age (age1…).")] = None,
    passphrase_file: Annotated[
        str | None, typer.Option(help="File with a passphrase in its first line; - reads it. Encrypts with age.")
    ] = None,
    home: Home = None,
) -> None:
    """Take out the file for a person who asked for their data, to send it; readable by you alone."""
    with open_lake(home) as lake:
        from jobs.privacy.rights import request_ledger as ledger
        from jobs.requests.access import answers

        ledger.find_requests(lake, [request_id])
        content, suffix = answers.read_answer(lake, request_id), answers.SUFFIX
        if encrypt_to or passphrase_file:
            passphrase = read_passphrase(passphrase_file) if passphrase_file else None
            content = answers.encrypt(content, recipient=encrypt_to, passphrase=passphrase)
            suffix = answers.ENCRYPTED
        target = out / f"{request_id}{suffix}"
        answers.write_private(target, content)
    typer.echo(f"{target}, {format_size(len(content))}. Delete it once it is sent.")


@request.command(epilog="Example: sophilux request refuse bcdfghjkmn --reason identity")
def refuse(
    request_ids: Ids,
    reason: Annotated[
        str, typer.Option(help="What the person is told: a text, or one of the words that --help lists.")
    ],
    home: Home = None,
) -> None:
    """Refuse requests; the reason is identity, unfounded, excessive, others, law, or a text that the person is told."""
    with open_lake(home) as lake:
        from jobs.requests.refusing import refuse_requests

        done = refuse_requests(lake, request_ids, reason=reason, now=datetime.now(UTC), by=name_account())
    typer.echo(f"{len(done):,} refused.")


@request.command(epilog="Example: sophilux request check --within 5")
def check(
    within: Annotated[
        int | None, typer.Option(min=0, help="Working days left at most; else SOPHILUX_REQUEST_ALERT_DAYS, else 5.")
    ] = None,
    home: Home = None,
) -> None:
    """Exit with 1 when requests are due soon and not answered, naming them; for an alert without Airflow."""
    with open_lake(home) as lake:
        from jobs.requests.deadlines import find_urgent, tell_urgent

        days = lake.settings.request_alert_days if within is None else within
        urgent = find_urgent(lake, datetime.now(UTC).date(), within=days)
    if urgent:
        typer.echo(tell_urgent(urgent), err=True)
        raise typer.Exit(1)
    typer.echo("No request is due soon.")


def _tell_opened(opened: "Sequence[Opened]") -> None:
    from jobs.lake import columns as C

    if len(opened) > 1:
        counts = Counter(one.is_new for one in opened)
        unknown = sum(not one.is_known for one in opened)
        rows = [
            {"request": o.request[C.REQUEST_ID], "kind": o.request[C.KIND], "due": o.request[C.DUE_ON]} for o in opened
        ]
        print_rows(rows, ("request", "kind", "due"))
        typer.echo(f"\n{counts[True]:,} recorded, {counts[False]:,} were there before; {unknown:,} without an account.")
        return
    (one,) = opened
    name, state, due = one.request[C.REQUEST_ID], one.request[C.STATE], one.request[C.DUE_ON]
    stranger = "" if one.is_known else " No account with this address is known."
    if one.is_new:
        typer.echo(f"Recorded as {name}, due {due}.{stranger}")
    else:
        typer.echo(f"It was recorded before as {name} ({state}, due {due}); nothing was added.{stranger}")
