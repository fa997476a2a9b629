"""Packages kept here that hold somebody who is erased: they go as a whole, because a signed file cannot be cut.

The register says so. What partners hold by then is told them by the next package, which removes whoever is no longer
in our tables; until they acknowledge it their identifiers stay in the books of audiences, and nowhere else.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from jobs.audit.finder import Finder
from jobs.audit.needles import Kind
from jobs.audit.search import search_home
from jobs.erasure.needles import list_identifiers
from jobs.exports import register
from jobs.exports.members import LEDGER, VAULT
from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.people.held_rows import Keeper
from jobs.people.identifiers import list_ad_ids
from jobs.people.person import Person
from jobs.people.values import find_values

if TYPE_CHECKING:
    from pyarrow import fs

EXPORTS: Final = "exports"
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
BOOKS: Final = (LEDGER.members, LEDGER.changes, VAULT.members, VAULT.changes)
"""Tables that tell what partners hold and are told, under the partners' own identifiers."""
HOLDS: Final = "holds"
SEALED: Final = "sealed"
DRAFT: Final = "draft"


@dataclass(frozen=True)
class Withdrawn:
    """A package that was removed: why, and whether holds keep it all the same."""

    package: str
    reason: str
    is_held: bool = False


def withdraw(lake: Lake, people: Collection[Person], keeper: Keeper, *, at: datetime) -> list[Withdrawn]:
    """Remove every package that holds one of the people, or may: what is encrypted to a partner nobody here can read.

    Waits for exports that are at work. A second time finds nothing.

    Args:
        lake: the lake.
        people: who must be in none.
        keeper: open holds.
        at: the present time, for the register.
    """
    finder = Finder(list_identifiers(lake, people).build(), with_patterns=False)
    withdrawn = []
    for partner in [info.base_name for info in _list(storage.join(lake.home, EXPORTS))]:
        with storage.table_lock(lake.home, f"exports.{partner}", exclusive=True):
            for folder in _list_folders(lake, partner):
                reason = _judge(lake, f"{partner}/{folder}", finder)
                if reason is not None:
                    withdrawn.append(_withdraw(lake, partner, folder, reason, keeper, at))
    return withdrawn


def count_pending(lake: Lake, people: Collection[Person]) -> dict[str, int]:
    """How many identifiers of the people each partner holds, or is told of, until it acknowledges their removal."""
    identifiers = list_ad_ids(lake, people)
    found: dict[str, set[str]] = {}
    for table in BOOKS:
        for rows in scan_rows(lake, table, columns=(C.PARTNER, C.AD_ID)):
            own = rows.filter(find_values(rows[C.AD_ID], identifiers))
            for partner, ad_id in zip(own[C.PARTNER].to_pylist(), own[C.AD_ID].to_pylist(), strict=True):
                found.setdefault(partner, set()).add(ad_id)
    return {partner: len(held) for partner, held in sorted(found.items())}


def _judge(lake: Lake, package: str, finder: Finder) -> str | None:
    """Why a package must go; none where it may stay. Nobody works at a draft while its partner's lock is ours."""
    if package.partition("/")[2].startswith("."):
        return DRAFT
    report = search_home(storage.join(lake.home, EXPORTS, package), finder)
    if any(finding.kind is not Kind.UNREADABLE for finding in report.findings):
        return HOLDS
    return SEALED if report.sealed or report.findings else None


def _withdraw(lake: Lake, partner: str, folder: str, reason: str, keeper: Keeper, at: datetime) -> Withdrawn:
    package = f"{partner}/{folder}"
    is_package = DAY.fullmatch(folder) is not None
    if is_package and keeper.holds_of_package(f"{EXPORTS}/{package}", date.fromisoformat(folder)):
        return Withdrawn(package, reason, is_held=True)
    if is_package:
        register.withdraw(lake, partner, date.fromisoformat(folder), at=at)
    else:
        storage.remove_folder(storage.join(lake.home, EXPORTS, package))
    return Withdrawn(package, reason)


def _list_folders(lake: Lake, partner: str) -> Iterator[str]:
    """Packages, and what exports that died left beside them."""
    return (info.base_name for info in _list(storage.join(lake.home, EXPORTS, partner)))


def _list(location: str) -> "list[fs.FileInfo]":
    from pyarrow import fs

    system, path = storage.filesystem(location)
    found: list[fs.FileInfo] = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return [info for info in found if info.type == fs.FileType.Directory]
