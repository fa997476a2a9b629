"""Commands that check what really lies on the disk."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.cli.app import Form, Home, app
from jobs.cli.lake import open_lake
from jobs.cli.output import Format, format_size, print_rows, working
from jobs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.audit.leaks import LeakReport
    from jobs.audit.needles import Kind
    from jobs.lake import Lake

audit = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(audit, name="audit", epilog="Example: sophilux audit leaks")


@audit.callback()
def describe() -> None:
    """Search what really lies on the disk."""


@audit.command(epilog="Example: sophilux audit leaks --home shop --canary canaries.txt")
def leaks(
    home: Home = None,
    canary: Annotated[
        Path | None, typer.Option(help="File of planted texts, one a line, that must stand nowhere.")
    ] = None,
    allow: Annotated[
        Path | None,
        typer.Option(help="File of texts, one a line, that may stand anywhere although somebody is called so."),
    ] = None,
    format_: Form = Format.TABLE,
) -> None:
    """Search every byte of every published zone for direct identifiers; exits with 1 when there are any."""
    with open_lake(home) as lake:
        from jobs.audit.leaks import audit_leaks

        canaries, allowed = _read_lines(canary), _read_lines(allow)
        platforms = _list_platforms(lake)
        with working("reading the vault") as say:
            report = audit_leaks(lake, canaries=canaries, allowed=allowed, platforms=platforms, progress=say)
    _print_report(report, format_)
    if report.search.findings:
        raise typer.Exit(1)


def _read_lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        message = f"{file} cannot be read as UTF-8 text; it must hold one text a line."
        raise UsageError(message) from None


def _list_platforms(lake: "Lake") -> list[str]:
    from jobs.exports.partners import PLATFORM, load_partners

    file = lake.settings.partners
    return [partner.name for partner in load_partners(file) if partner.kind == PLATFORM] if file.exists() else []


def _print_report(report: "LeakReport", format_: Format) -> None:
    findings = [vars(finding) for finding in report.search.findings]
    columns = ("file", "version", "part", "kind", "times")
    if format_ is Format.JSON:
        typer.echo(json.dumps({"findings": findings, "summary": _summarise(report)}, ensure_ascii=False, indent=1))
    elif format_ is Format.CSV:
        print_rows(findings, columns, format_)
    else:
        if findings:
            print_rows(findings, columns)
            typer.echo()
        typer.echo(_describe(report))


def _summarise(report: "LeakReport") -> dict[str, Any]:
    read = {name: value for name, value in vars(report.search).items() if name != "findings"}
    searched, skipped = dict(report.searched), dict(report.skipped)
    return {**read, "searched": searched, "skipped": skipped, "seconds": round(report.seconds, 1)}


def _describe(report: "LeakReport") -> str:
    search = report.search
    places = len(search.findings)
    outcome = f"{places:,} places hold what must not be published." if places else "Nothing was found."
    return (
        f"{outcome} {search.files:,} files, {format_size(search.bytes)}, unpacked {format_size(search.content_bytes)}, "
        f"in {report.seconds:.1f} s.\n"
        f"Searched for {_list_counts(report.searched)}; and for whatever looks like an e-mail address, a phone number, "
        "a payment card or a Chinese ID number.\n"
        f"Too common to be searched for: {_list_counts(report.skipped)}.\n"
        f"Not read: {search.restricted_files:,} files in zones for personal data, and the inside of {search.sealed:,} "
        "files encrypted to a partner."
    )


def _list_counts(counts: "Mapping[Kind, int]") -> str:
    return ", ".join(f"{count:,} × {kind}" for kind, count in counts.items()) or "nothing"
