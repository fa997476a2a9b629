"""Commands of erasure: finish or start a run, and certificates that can be checked again."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobs.cli.app import Form, Home
from jobs.cli.holds import check_pseudonyms
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, format_size, print_rows, working
from jobs.cli.retention import retention
from jobs.errors import UsageError

if TYPE_CHECKING:
    from jobs.erasure.outcomes import ErasureRequest, Outcome
    from jobs.erasure.verifying import Verdict
    from jobs.lake import Lake

COLUMNS: Final = ("run_id", "requests", "people", "rows", "files", "pending at partners", "created_at")
CERTIFICATE: Final = typer.Argument(metavar="CERTIFICATE", help="A file, or the run's id; see 'certificates'.")


@retention.command(epilog="Example: sophilux retention erase --email - --yes")
def erase(
    email: Annotated[list[str] | None, typer.Option(help="Address of a person; - reads one a line.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Pseudonym of a person: 32 hex digits.")] = None,
    restored: Annotated[
        bool, typer.Option("--restored", help="Whoever was erased before and is in tables again, as after a restore.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase for good; nothing can bring the people back.")] = False,
    home: Home = None,
) -> None:
    """Erase people without a request in the ledger; without any, finish runs that died."""
    check_pseudonyms(subject or [])
    with open_lake(home) as lake:
        from jobs.erasure.runs import erase as erase_people
        from jobs.erasure.runs import finish_runs

        addresses = [line for each in email or [] for line in (_read_lines() if each == "-" else [each])]
        requests = _list_requests(lake, addresses, subject or [], restored=restored)
        if requests and not yes:
            count = sum(max(len(request.subject_ids), 1) for request in requests)
            message = f"{count:,} would be erased for good; nothing was changed. Add --yes to do it."
            raise UsageError(message)
        with working("finishing runs that died") as say:
            outcomes = finish_runs(lake, progress=say)
        if requests:
            with working("erasing") as say:
                outcomes += erase_people(lake, requests, progress=say).outcomes
    _print_outcomes(outcomes)


@retention.command(epilog="Example: sophilux retention certificates")
def certificates(home: Home = None, format_: Form = Format.TABLE) -> None:
    """List the certificates of erasure, the newest first."""
    with open_lake(home) as lake:
        from jobs.erasure import certificates as kept

        rows = [_describe(kept.read(row["document"]), row["created_at"]) for row in kept.list_kept(lake)]
    print_rows(rows, COLUMNS, format_)


@retention.command(epilog="Example: sophilux retention certificate 1f2e3d4c5b6a7988 --out certificate.json")
def certificate(
    name: Annotated[str, CERTIFICATE],
    out: Annotated[Path | None, typer.Option(help="File to write it to; none prints it.")] = None,
    home: Home = None,
) -> None:
    """Hand out a certificate as a signed file."""
    with open_lake(home) as lake:
        from jobs.erasure import certificates as kept

        text = kept.write(kept.find(lake, name))
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{out} cannot be written ({error.strerror})."
        raise UsageError(message) from None
    typer.echo(f"Written to {out}.")


@retention.command(epilog="Example: sophilux retention verify certificate.json")
def verify(
    name: Annotated[str, CERTIFICATE],
    public_key: Annotated[
        Path | None, typer.Option(help="PEM file of the key it was signed with; else the ring's is taken.")
    ] = None,
    home: Home = None,
) -> None:
    """Search every byte of the lake again for whom a certificate is about; exits with 1 when something is found."""
    with open_lake(home) as lake:
        from jobs.erasure import certificates as kept
        from jobs.erasure.verifying import verify as repeat
        from jobs.privacy.signatures import read_public_key

        document = kept.find(lake, name)
        key = None if public_key is None else read_public_key(public_key)
        with working("reading") as say:
            verdict = repeat(lake, document, public_key=key, progress=say)
    _print_verdict(verdict)
    if not verdict.checked.is_clean:
        raise typer.Exit(1)


def _list_requests(
    lake: "Lake", addresses: list[str], subjects: list[str], *, restored: bool
) -> "list[ErasureRequest]":
    from jobs.erasure.outcomes import ErasureRequest
    from jobs.erasure.restored import find_restored

    named = [(frozenset([each]), frozenset[str]()) for each in subjects]
    named += [(frozenset(), frozenset([each])) for each in addresses]
    requests = [ErasureRequest(f"by-hand-{secrets.token_hex(4)}", *names) for names in named]
    back = find_restored(lake) if restored else None
    return [*requests, back] if back else requests


def _read_lines() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


def _print_outcomes(outcomes: "list[Outcome]") -> None:
    if not outcomes:
        typer.echo("There was no run to finish, and nobody to be erased.")
        return
    print_rows([vars(each) for each in outcomes], ("request_id", "state", "reason", "run_id"))
    typer.echo("\nCheck it again at any time: sophilux retention verify RUN_ID")


def _describe(document: dict[str, Any], created_at: object) -> dict[str, Any]:
    return {
        "run_id": document["run_id"],
        "requests": len(document["requests"]),
        "people": document["people"],
        "rows": sum(table["rows"] for table in document["tables"]),
        "files": sum(table["files"] for table in document["forgotten"]),
        "pending at partners": ", ".join(document["partners"]) or "none",
        "created_at": created_at,
    }


def _print_verdict(verdict: "Verdict") -> None:
    checked, facts = verdict.checked, verdict.checked.facts
    if checked.findings:
        rows = [vars(finding) for finding in checked.findings]
        print_rows(rows, ("file", "part", "kind", "times"))
        typer.echo()
    outcome = "Nothing was found." if checked.is_clean else f"{len(checked.findings):,} places hold what was erased."
    typer.echo(
        f"The signature holds. {outcome} {facts['files']:,} files, {format_size(facts['bytes'])}, unpacked "
        f"{format_size(facts['content_bytes'])}, searched for {sum(facts['searched'].values()):,} identifiers."
    )
    if checked.pending:
        typer.echo(
            f"{checked.pending:,} places hold identifiers that partners have not acknowledged to be removed yet."
        )
    if checked.held:
        typer.echo(f"{checked.held:,} places hold what legal holds keep.")
    if verdict.returned:
        typer.echo("Some of the people opened new accounts since; what is found may be theirs.")
