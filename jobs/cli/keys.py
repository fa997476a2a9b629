"""Commands for the key ring; none of them ever prints a secret."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobs.cli.account import name_account
from jobs.cli.app import Form, Home, app, parse_day
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, print_rows
from jobs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.lake import Lake
    from jobs.privacy.keyring import KeyEntry, KeyRing
    from jobs.settings import Settings

keys = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
app.add_typer(keys, name="keys", epilog="Example: sophilux keys list")

END_EVERYTHING: Final = "--end-everything"
MEANINGS: Final = {
    "subject": (
        "nobody can be found under a pseudonym again: opt-outs, access, correction and erasure of everybody in the "
        "lake can never be served, and no pull can run"
    ),
    "partner": (
        "this partner's identifiers of the epoch can never be made or recognised again: no further package in this "
        "epoch, no report read under it"
    ),
    "pair": "lists exchanged under it can never be matched again",
    "shared": "no identifier of this partner can be made again, also not with a new key under this name",
}
OTHER_MEANING: Final = "everything made with it can never be made or recognised again"

COLUMNS: Final = ("purpose", "key_id", "created", "not_after", "state")

Purpose = Annotated[str, typer.Argument(help="What the key is for, such as partner/adnet-eu/2026Q3.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@keys.callback()
def show_help(context: typer.Context) -> None:
    """List, replace and destroy the keys of the ring; secrets are never shown."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@keys.command("list", epilog="Example: sophilux keys list")
def list_keys(home: Home = None, format_: Form = Format.TABLE) -> None:
    """List keys by purpose, the destroyed ones too; secrets are never shown."""
    from jobs.privacy.keyring import open_keyring
    from jobs.settings import is_remote, load_settings

    settings = load_settings(home)
    entries = open_keyring(settings).entries()
    is_there = is_remote(settings.home) or Path(settings.home).is_dir()
    lost, revived = _compare_with_ledger(settings, entries) if is_there else ([], set())
    today = datetime.now(UTC).date()
    rows = [_to_row(entry, _describe_state(entry, today, entry.key_id in revived)) for entry in entries]
    rows += [_to_row(entry, "not in the ring") for entry in lost]
    print_rows(sorted(rows, key=lambda row: (row["purpose"], row["created"])), COLUMNS, format_)
    if lost or revived:
        typer.echo("The ring and the ledger differ; 'sophilux keys rotate' destroys or tells what is wrong.", err=True)


@keys.command(epilog="Example: sophilux keys rotate signing")
def rotate(
    purpose: Annotated[
        str | None, typer.Argument(help="signing or shuffle; none destroys what is past its day.")
    ] = None,
    home: Home = None,
) -> None:
    """Destroy keys past their last day, as rotate_keys does every day; or replace the key of one purpose."""
    with open_lake(home) as lake:
        from jobs.exports.keys import rotate as destroy_ended
        from jobs.privacy.keyring import open_keyring

        ring = open_keyring(lake.settings)
        if purpose is None:
            gone = destroy_ended(lake, ring, datetime.now(UTC).date())
            typer.echo(
                "\n".join(f"Destroyed {e.purpose} ({e.key_id})." for e in gone) or "No key is past its last day."
            )
            return
        new = ring.rotate(purpose)
        _record(lake, ring)
        typer.echo(f"The key for {purpose} is now {new.key_id}; the one before is destroyed.")
        if purpose == "signing":
            typer.echo("Partners need the new public key before they get a package signed with it.")


@keys.command(epilog="Example: sophilux keys destroy partner/adnet-eu/2026Q3")
def destroy(
    purpose: Purpose,
    yes: Yes = False,
    end_everything: Annotated[bool, typer.Option(END_EVERYTHING, help="Needed for a key the lake rests on.")] = False,
    home: Home = None,
) -> None:
    """Destroy a key for good: no copy stays in the ring, and its purpose never gets another one."""
    with open_lake(home) as lake:
        from jobs.privacy.keyring import open_keyring
        from jobs.privacy.keyring.ring import ROTATABLE

        if purpose in ROTATABLE:
            message = (
                f"Without a key for {purpose} no package can be made; 'sophilux keys rotate {purpose}' replaces it."
            )
            raise UsageError(message)
        ring = open_keyring(lake.settings)
        known = [entry for entry in ring.entries() if entry.purpose == purpose]
        living = any(entry.destroyed_at is None for entry in known)
        meaning = MEANINGS.get(purpose.partition("/")[0], OTHER_MEANING)
        if known and "/" not in purpose and not end_everything:
            message = f"Destroying the key for {purpose} means: {meaning}. If that is wanted, add {END_EVERYTHING}."
            raise UsageError(message)
        if living and not yes:
            typer.confirm(f"Destroy the key for {purpose} for good? Then {meaning}.", abort=True)
        gone = ring.destroy(purpose)
        _record(lake, ring)
    typer.echo(
        f"The key {gone.key_id} for {purpose} {'is' if living else 'was'} destroyed ({gone.destroyed_at:%F %T})."
    )
    if living:
        typer.echo("Copies in backups of the ring are not: remove those too.")


@keys.command(epilog="Example: sophilux keys make partner/adnet-eu/2026Q4")
def make(
    purpose: Purpose,
    not_after: Annotated[date | None, typer.Option(parser=parse_day, metavar="DAY", help="Its last day.")] = None,
    home: Home = None,
) -> None:
    """Make a key ahead of its first use, for a ring that is then kept where it can only be read."""
    with open_lake(home, must_exist=False) as lake:
        from jobs.privacy.epochs import last_day_of
        from jobs.privacy.keyring import open_keyring

        ring = open_keyring(lake.settings)
        key = ring.key(purpose, not_after=not_after or last_day_of(purpose))
        _record(lake, ring)
    typer.echo(f"The key for {purpose} is {key.key_id}.")


@keys.command("import", epilog="Example: sophilux keys import shared/loyalty --key-file loyalty.key")
def import_key(
    purpose: Annotated[str, typer.Argument(help="shared/ and the partner's name.")],
    key_file: Annotated[str, typer.Option(help="File with 64 hex digits or Base64; - reads standard input.")],
    replace: Annotated[bool, typer.Option("--replace", help="Destroy the partner's former key.")] = False,
    home: Home = None,
) -> None:
    """Take in a key that a partner shares with us."""
    from jobs.privacy.keyring import read_secret, shared_purpose

    partner = purpose.removeprefix(shared_purpose(""))
    if purpose != shared_purpose(partner) or not partner:
        message = f"Only keys of partners are taken in, such as shared/loyalty, got {purpose!r}; others are made here."
        raise UsageError(message)
    secret = read_secret(_read_text(key_file))
    with open_lake(home, must_exist=False) as lake:
        from jobs.privacy.keyring import open_keyring

        ring = open_keyring(lake.settings)
        entry = ring.put(purpose, secret, may_replace=replace)
        _record(lake, ring)
    typer.echo(f"The key for {purpose} is {entry.key_id}.")


@keys.command(epilog="Example: sophilux keys seal")
def seal(home: Home = None) -> None:
    """Seal an open ring file with the KMS key of the settings, once, on the way from provider file to kms."""
    from jobs.privacy.keyring import KeyRing, open_keyring
    from jobs.settings import load_settings

    settings = load_settings(home)
    if settings.keyring_provider != "kms":
        message = f"SOPHILUX_KEYRING_PROVIDER must be kms to seal the ring, got {settings.keyring_provider}."
        raise UsageError(message)
    count = open_keyring(settings).take_over(KeyRing(settings.keyring))
    typer.echo(f"{count} keys are sealed. Copies of the open file in backups are not: remove those.")


def _compare_with_ledger(settings: "Settings", entries: "Sequence[KeyEntry]") -> "tuple[list[KeyEntry], set[str]]":
    """Keys that the ring lacks, and ids of those that it should have forgotten."""
    from jobs.lake import Lake
    from jobs.privacy.key_events import find_lost, find_revived

    lake = Lake.open(settings)
    return find_lost(lake, entries), {entry.key_id for entry in find_revived(lake, entries)}


def _describe_state(entry: "KeyEntry", today: date, is_revived: bool) -> str:
    if entry.destroyed_at is not None:
        return f"destroyed {entry.destroyed_at:%Y-%m-%d}"
    if is_revived:
        return "destroyed before, back in the ring"
    return "past its last day" if entry.not_after and entry.not_after < today else "in use"


def _to_row(entry: "KeyEntry", state: str) -> dict[str, Any]:
    return {
        "purpose": entry.purpose,
        "key_id": entry.key_id,
        "created": entry.created,
        "not_after": entry.not_after,
        "state": state,
    }


def _record(lake: "Lake", ring: "KeyRing") -> None:
    from jobs.privacy.key_events import record_keys

    record_keys(lake, ring.entries(), by=name_account())


def _read_text(key_file: str) -> str:
    if key_file == "-":
        return sys.stdin.read()
    try:
        return Path(key_file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
    message = f"The key file {key_file} cannot be read ({reason})."
    raise UsageError(message)
