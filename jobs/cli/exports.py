"""Commands that hand packages to partners, and what a partner runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobs.cli.app import Day, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import format_size, print_rows, working

if TYPE_CHECKING:
    from jobs.exports.verification import Verdict

FAILED: Final = 1

PartnerName = Annotated[str, typer.Argument(metavar="PARTNER", help="A name of the partners file.")]


@app.command(epilog="Example: sophilux export adnet-eu --day 2024-01-14")
def export(partner: PartnerName, day: Day, home: Home = None) -> None:
    """Build one partner's package of a day; the flow export_audiences builds all."""
    with open_lake(home) as lake:
        from jobs.exports.packages import export_partner, package_folder
        from jobs.exports.partners import find_partner, load_eligibility
        from jobs.runner import check_past

        check_past(day)
        found = find_partner(lake.settings.partners, partner)
        rules = load_eligibility(lake.settings.partners)
        with working(f"exporting {partner}"):
            manifest = export_partner(lake, found, day, rules=rules)
        rows = [{"file": n, "rows": f["rows"], "size": format_size(f["bytes"])} for n, f in manifest["files"].items()]
        print_rows(rows, ("file", "rows", "size"))
        kept_out = ", ".join(f"{count:,} {reason}" for reason, count in manifest["excluded"].items())
        typer.echo(f"\nKept out: {kept_out}. Package: {lake.home}/{package_folder(partner, day)}")


@app.command(epilog="Example: sophilux acknowledge adnet-eu --day 2024-01-14")
def acknowledge(
    partner: PartnerName,
    day: Day,
    manifest: Annotated[
        str | None, typer.Option(metavar="SHA256", help="What 'partner-verify' told the partner; refused when another.")
    ] = None,
    home: Home = None,
) -> None:
    """Record that a partner has applied the package of a day; the next one tells what changed since."""
    with open_lake(home) as lake:
        from jobs.exports.acknowledgements import acknowledge as record

        with working(f"acknowledging {partner}"):
            is_new = record(lake, partner, day, manifest)
    typer.echo("Acknowledged." if is_new else "It was acknowledged before; nothing changed.")


@app.command("partner-key", epilog="Example: sophilux partner-key > sophilux.pub")
def partner_key(home: Home = None) -> None:
    """Print the public key that partners verify packages with."""
    with open_lake(home) as lake:
        from jobs.privacy.keyring import open_keyring
        from jobs.privacy.signatures import open_signer, write_public_key

        typer.echo(write_public_key(open_signer(open_keyring(lake.settings)).public_key), nl=False)


@app.command("partner-verify", epilog="Example: sophilux partner-verify 2024-01-14 --public-key sophilux.pub")
def partner_verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The package's folder.")],
    public_key: Annotated[Path, typer.Option(help="Our public key in PEM, got by another way than the package.")],
    identity: Annotated[Path | None, typer.Option(help="Your age identity, for an encrypted package.")] = None,
) -> None:
    """Check a package before using it: who made it, and that nothing was changed, lost or added; 1 when not."""
    from jobs.exports.verification import verify_package
    from jobs.privacy.encryption import read_identity
    from jobs.privacy.signatures import read_public_key

    opened = read_identity(identity) if identity else None
    verdict = verify_package(folder, read_public_key(public_key), opened)
    for sentence in verdict.failures or [_approve(verdict)]:
        typer.echo(sentence)
    if verdict.failures:
        typer.echo("Do not use this package.", err=True)
        raise typer.Exit(FAILED)


def _approve(verdict: "Verdict") -> str:
    from jobs.exports.manifests import KINDS

    manifest: dict[str, Any] = verdict.manifest or {}
    counts = ", ".join(f"{manifest['counts'][kind]:,} {kind.replace('_', ' ')}" for kind in KINDS)
    follows = manifest["follows"]["day"] if manifest["follows"] else "nothing"
    return (
        f"Genuine and whole: {manifest['partner']}, {manifest['day']}, after {follows}; {counts}. "
        f"Manifest {verdict.manifest_sha256}."
    )
