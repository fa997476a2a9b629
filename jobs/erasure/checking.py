"""Every byte below the home, searched for what was erased; the engine has no part in it.

What is found in a place where it must be for now is told apart: what partners hold until they acknowledge its removal,
and what a hold keeps.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.audit.finder import Finder
from jobs.audit.identifiers import Needles
from jobs.audit.needles import Kind
from jobs.audit.search import Finding, SearchReport, search_home
from jobs.erasure.needles import IN_PACKAGES
from jobs.erasure.packages import BOOKS
from jobs.lake import Lake

PARTNERS: Final = (IN_PACKAGES, Kind.DIGEST)
"""Kinds of what partners know people by; for platforms that is an unkeyed hash."""
SHOWN: Final = 10


@dataclass(frozen=True)
class Expected:
    """Where what was erased may be found for a while.

    Attributes:
        pending: folders, relative to the home, of what partners hold and are told.
        held: files of tables in which holds keep rows, and folders of packages that they keep.
    """

    pending: Collection[str] = ()
    held: Collection[str] = ()

    def is_pending(self, finding: Finding) -> bool:
        """True for an identifier of a partner's where it must be."""
        return finding.kind in PARTNERS and _is_below(finding.file, self.pending)

    def is_held(self, finding: Finding) -> bool:
        """True for what a hold keeps."""
        return _is_below(finding.file, self.held)


@dataclass(frozen=True)
class Checked:
    """What a search found.

    Attributes:
        findings: what must not be there.
        pending: places that hold what partners are still to remove.
        held: places that hold what a hold keeps.
        facts: what was read and looked for, for the certificate.
    """

    findings: tuple[Finding, ...]
    pending: int
    held: int
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_clean(self) -> bool:
        """True when nothing is left."""
        return not self.findings


def expect(lake: Lake, held: Collection[str] = (), packages: Collection[str] = ()) -> Expected:
    """Where something may be found.

    Args:
        lake: the lake.
        held: of :func:`jobs.erasure.held_files.list_held_files`.
        packages: folders of packages that tell partners of removals.
    """
    books = [table.replace(".", "/", 1) for table in BOOKS if table in lake.contracts]
    return Expected((*books, *packages), held)


def search(
    lake: Lake, needles: Needles, expected: Expected, *, progress: Callable[[str], None] = lambda _: None
) -> Checked:
    """Search every file below the home, the zones for personal data as well."""
    finder = Finder(needles, with_patterns=False)
    report = search_home(lake.home, finder, restricted=True, progress=progress)
    pending = [finding for finding in report.findings if expected.is_pending(finding)]
    held = [finding for finding in report.findings if expected.is_held(finding) and finding not in pending]
    left = tuple(finding for finding in report.findings if finding not in pending and finding not in held)
    return Checked(left, len(pending), len(held), _describe(report, needles, len(left)))


def describe_findings(findings: Collection[Finding]) -> str:
    """Where something is left, and never what."""
    places = [f"{finding.file}, {finding.part}: {finding.kind}" for finding in findings]
    more = f"; and {len(places) - SHOWN:,} places more" if len(places) > SHOWN else ""
    return "; ".join(places[:SHOWN]) + more


def tell_rows(rows: int) -> list[Finding]:
    """A finding for rows of tables that are told by columns alone."""
    return [Finding("tables", f"{rows:,} rows", Kind.ACCOUNT, rows)] if rows else []


def _describe(report: SearchReport, needles: Needles, findings: int) -> dict[str, Any]:
    return {
        "files": report.files,
        "bytes": report.bytes,
        "content_bytes": report.content_bytes,
        "searched": {kind.name.lower(): count for kind, count in sorted(needles.searched.items())},
        "not_distinctive": {kind.name.lower(): count for kind, count in sorted(needles.skipped.items())},
        "findings": findings,
    }


def _is_below(path: str, folders: Collection[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
