"""A partner says that it has applied a package: from then on the next package builds on it."""

from datetime import UTC, date, datetime

from pyspark.sql import functions as F

from jobs.errors import UsageError
from jobs.exports import members, register
from jobs.exports.partners import PAIR
from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.lake.history import forget_versions
from jobs.privacy import tombstones


def acknowledge(lake: Lake, partner: str, day: date, manifest_sha256: str | None = None) -> bool:
    """Record that a partner has applied the package of a day, and take over its changes.

    What a crash interrupted is finished by acknowledging again.

    Args:
        lake: the lake.
        partner: its name.
        day: of the package.
        manifest_sha256: of the package that the partner applied, as ``sophilux partner-verify`` tells it; a day's
            package may have been made anew since it was fetched. None takes the one that was sent last.

    Returns:
        False when it was acknowledged before, which changes nothing.

    Raises:
        UsageError: no package of that day was sent, a later one superseded it, or its manifest is another.
        SophiluxError: its changes are not all there any more; nothing was acknowledged.
    """
    _check_manifest(_find_sent(register.list_entries(lake, partner), partner, day), manifest_sha256)
    with storage.table_lock(lake.home, f"exports.{partner}", exclusive=True):
        entry = _find_sent(register.list_entries(lake, partner), partner, day)
        _check_manifest(entry, manifest_sha256)
        books = members.choose_books(entry[C.KIND])
        package_id = members.name_package(partner, entry[C.MANIFEST_SHA256])
        is_new = bool(entry[C.STATE] == register.SENT)
        if is_new:
            expected = entry[C.ADDITION_ROWS] + entry[C.REMOVAL_ROWS]
            members.apply_changes(lake, books, package_id=package_id, partner=partner, day=day, expected=expected)
            done = {**entry, C.STATE: register.ACKNOWLEDGED, C.ACKNOWLEDGED_AT: datetime.now(UTC)}
            lake.record(register.REGISTER, [done])
        if entry[C.REMOVAL_ROWS]:
            _forget_removed(lake, books, package_id, entry)
        members.forget_changes(lake, books, package_id)
        if entry[C.REMOVAL_ROWS]:
            forget_versions(lake, books.members)
            forget_versions(lake, books.changes)
    return is_new


def _forget_removed(lake: Lake, books: members.Books, package_id: str, entry: register.Entry) -> None:
    """Withdraw a package that removed somebody who was erased: its file was all that still knew the identifier."""
    if not tombstones.has_tombstones(lake):
        return
    changes = lake.read(books.changes).where((F.col(C.PACKAGE_ID) == package_id) & (F.col(C.CHANGE) == members.REMOVE))
    if tombstones.find_erased(lake, changes.select(C.AD_ID), tombstones.AD_ID).count():
        register.withdraw(lake, entry[C.PARTNER], entry[C.DAY], at=datetime.now(UTC))


def _check_manifest(entry: register.Entry, manifest_sha256: str | None) -> None:
    if manifest_sha256 is not None and manifest_sha256.strip().lower() != entry[C.MANIFEST_SHA256]:
        message = (
            f"The package of {entry[C.DAY]} for {entry[C.PARTNER]} has manifest {entry[C.MANIFEST_SHA256]}; the "
            "partner applied another, perhaps one that was made anew since. Nothing was acknowledged; send it again."
        )
        raise UsageError(message)


def _find_sent(entries: list[register.Entry], partner: str, day: date) -> register.Entry:
    entry = next((entry for entry in entries if entry[C.DAY] == day), None)
    waiting = ", ".join(str(entry[C.DAY]) for entry in entries if entry[C.STATE] == register.SENT) or "none"
    if entry is None:
        message = f"No package of {day} was sent to {partner!r}; waiting for an acknowledgement: {waiting}."
        raise UsageError(message)
    if entry[C.KIND] == PAIR:
        message = f"{partner} gets whole lists, of which none builds on another; there is nothing to acknowledge."
        raise UsageError(message)
    if entry[C.STATE] == register.SUPERSEDED:
        message = (
            f"The package of {day} for {partner} was superseded by a later one, which says all of it again; "
            f"waiting for an acknowledgement: {waiting}."
        )
        raise UsageError(message)
    return entry
