"""Commands of a PAIR exchange with a publisher, in the order of the protocol's steps."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli.app import Day, Home, app, parse_day
from jobs.cli.lake import open_lake
from jobs.cli.output import working
from jobs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.exports.partners import Partner
    from jobs.lake import Lake

commands = typer.Typer(
    name="pair", no_args_is_help=True, help="Match lists with a publisher without showing them (IAB Tech Lab PAIR 1.1)."
)
app.add_typer(commands)

PartnerName = Annotated[str, typer.Argument(metavar="PARTNER", help="A partner of kind pair in the partners file.")]
Theirs = Annotated[str, typer.Option(metavar="FILE", help="The publisher's list: .csv, .csv.zst or .parquet.")]
Out = Annotated[str, typer.Option(metavar="FILE", help="File to write: .csv, .csv.zst or .parquet.")]


@commands.command(epilog="Example: sophilux pair secret news-fr --from 2026-03-02 --file secret.txt")
def secret(
    partner: PartnerName,
    first: Annotated[
        date, typer.Option("--from", parser=parse_day, metavar="DAY", help="First of the 30 days it is for, in UTC.")
    ],
    file: Annotated[
        Path, typer.Option(metavar="FILE", help="The secret in Base64 or hex; remove the file afterwards.")
    ],
    home: Home = None,
) -> None:
    """Take in the secret that the publisher shares with us for 30 days."""
    from jobs.privacy.keyring import open_keyring
    from jobs.privacy.pair.keys import put_shared_secret, read_secret

    with open_lake(home) as lake:
        _check_partner(lake, partner)
        entry = put_shared_secret(open_keyring(lake.settings), partner, read_secret(_read_text(file)), first)
        typer.echo(f"The secret shared with {partner} is key {entry.key_id}, for {first} to {entry.not_after}.")


@commands.command(epilog="Example: sophilux pair encrypt news-fr --day 2026-03-09")
def encrypt(partner: PartnerName, day: Day, home: Home = None) -> None:
    """Encrypt our list of a day for the publisher, as its package of that day."""
    with open_lake(home) as lake:
        from jobs.exports.manifests import LIST
        from jobs.exports.pair.packages import export_list
        from jobs.exports.partners import load_eligibility
        from jobs.runner import check_past

        check_past(day)
        found = _check_partner(lake, partner)
        with working(f"encrypting for {partner}"):
            manifest = export_list(lake, found, day, rules=load_eligibility(lake.settings.partners))
        kept_out = ", ".join(f"{count:,} {reason}" for reason, count in manifest["excluded"].items())
        typer.echo(f"{manifest['counts'][LIST]:,} identifiers in {lake.home}/exports/{partner}/{day}")
        typer.echo(f"Kept out: {kept_out}. To be matched until {manifest['pair']['matched_within']['last']}.")


@commands.command(epilog="Example: sophilux pair reencrypt news-fr --day 2026-03-09 --theirs news.csv --out both.csv")
def reencrypt(partner: PartnerName, day: Day, theirs: Theirs, out: Out, home: Home = None) -> None:
    """Put our layer on the publisher's list; hand the result back, and keep it with its note for the match."""
    with open_lake(home) as lake:
        from jobs.exports.pair.exchange import reencrypt_list

        _check_partner(lake, partner)
        with working(f"re-encrypting {theirs}"):
            done = reencrypt_list(lake, partner, day, theirs=theirs, out=out)
        typer.echo(f"{done.rows:,} identifiers in {out}.{_tell_rejects(done.rejects)}")


@commands.command(
    epilog="Example: sophilux pair match news-fr --day 2026-03-09 --ours ours.csv --theirs both.csv --out activate.csv"
)
def match(
    partner: PartnerName,
    day: Day,
    ours: Annotated[str, typer.Option(metavar="FILE", help="Our list as the publisher gave it back.")],
    theirs: Annotated[str, typer.Option(metavar="FILE", help="The publisher's list as 'pair reencrypt' wrote it.")],
    out: Out,
    home: Home = None,
) -> None:
    """Match both lists under all three layers; write the publisher's identifiers for activation, tell match rates."""
    with open_lake(home) as lake:
        from jobs.exports.pair.exchange import match_lists

        _check_partner(lake, partner)
        with working("matching"):
            found = match_lists(lake, partner, day, ours=ours, theirs=theirs, out=out)
        again = "" if found.told_for == day else f" They are told once in 30 days, and these are of {found.told_for}."
        typer.echo(f"Matched: {found.own_rate} of our list, {found.their_rate} of theirs.{again}")
        typer.echo(f"For activation: {out}.{_tell_rejects(found.rejects)}")


def _check_partner(lake: "Lake", name: str) -> "Partner":
    from jobs.exports.partners import PAIR, find_partner

    partner = find_partner(lake.settings.partners, name)
    if partner.kind != PAIR:
        message = f"{name} is a partner of kind {partner.kind}; these commands are for kind {PAIR}."
        raise UsageError(message)
    return partner


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file} cannot be read as a secret ({type(error).__name__})."
        raise UsageError(message) from None


def _tell_rejects(rejects: "Mapping[str, int]") -> str:
    found = ", ".join(f"{count:,} {reason}" for reason, count in sorted(rejects.items()) if count)
    return f" Left out: {found}." if found else ""
