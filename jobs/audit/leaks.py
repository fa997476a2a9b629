"""The audit for leaks: every published byte of a lake, searched for direct identifiers.

Published is everything below the home but the zones for personal data. Nothing found is ever shown: a finding says in
which file and part of it, what kind of identifier and how often.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from jobs.audit.finder import Finder
from jobs.audit.identifiers import Identifiers, Needles
from jobs.audit.needles import Kind
from jobs.audit.search import Finding, SearchReport, search_home
from jobs.audit.vault_values import read_identifiers
from jobs.lake import Lake

EXPORTS: Final = "exports"
LOG: Final = "_delta_log/"
CURRENT: Final = "current"
OLD: Final = "old or staged"


@dataclass(frozen=True)
class LeakReport:
    """The result of an audit.

    Attributes:
        search: what was read and found.
        searched: distinct values searched for, by kind.
        skipped: values not searched for because they are not distinctive, by kind.
        seconds: how long it took.
    """

    search: SearchReport
    searched: Mapping[Kind, int]
    skipped: Mapping[Kind, int]
    seconds: float


def audit_leaks(
    lake: Lake,
    *,
    canaries: Iterable[str] = (),
    allowed: Iterable[str] = (),
    platforms: Collection[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> LeakReport:
    """Search all that is published for direct identifiers.

    Args:
        lake: the lake.
        canaries: planted texts that must not stand anywhere.
        allowed: values of the vault that may stand in published text, such as a product called like a person.
        platforms: partners that get unkeyed hashes, which are therefore no finding in their packages.
        progress: is told what is being read.

    Raises:
        UsageError: a canary is too short to be told from chance.
    """
    started = time.monotonic()
    progress("reading the vault")
    needles = _collect_needles(lake, canaries, allowed)
    search = search_published(lake.home, needles, platforms=platforms, progress=progress)
    search.findings = list(_tell_versions(lake, search.findings))
    return LeakReport(search, needles.searched, needles.skipped, time.monotonic() - started)


def search_published(
    home: str, needles: Needles, *, platforms: Collection[str] = (), progress: Callable[[str], None] = lambda _: None
) -> SearchReport:
    """Search what is published below a home; see :func:`audit_leaks`."""

    def is_accepted(path: str, kind: Kind) -> bool:
        return kind is Kind.DIGEST and any(belongs_to(path, platform) for platform in platforms)

    return search_home(home, Finder(needles), is_accepted=is_accepted, progress=progress)


def _collect_needles(lake: Lake, canaries: Iterable[str], allowed: Iterable[str]) -> Needles:
    identifiers = Identifiers()
    identifiers.add_canaries(canaries)
    read_identifiers(lake, identifiers)
    identifiers.allow(allowed)
    return identifiers.build()


def _tell_versions(lake: Lake, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, those in files of tables with the version: what is in none goes with the next vacuum."""
    current: dict[str, frozenset[str]] = {}
    for finding in findings:
        zone, _, rest = finding.file.partition("/")
        name, _, path = rest.partition("/")
        table = f"{zone}.{name}"
        if table in lake.contracts and path.endswith(".parquet") and not path.startswith(LOG):
            files = current.setdefault(table, lake.current_files(table))
            finding = replace(finding, version=CURRENT if path in files else OLD)  # noqa: PLW2901
        yield finding


def belongs_to(path: str, partner: str) -> bool:
    """True for a partner's packages."""
    return path.split("/")[:2] == [EXPORTS, partner]
