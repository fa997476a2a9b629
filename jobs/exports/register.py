"""The register of packages in ``ledger.exports``: what went to whom, and how far it got.

A partner has at most one package that was ``sent`` and waits for its acknowledgement; the next one supersedes it.
"""

from datetime import date, datetime
from typing import Any, Final

from jobs.errors import UsageError
from jobs.exports.partners import PLATFORM, Partner
from jobs.lake import Lake, storage
from jobs.lake import columns as C

REGISTER: Final = "ledger.exports"
SENT: Final = "sent"
ACKNOWLEDGED: Final = "acknowledged"
SUPERSEDED: Final = "superseded"

Entry = dict[str, Any]


def list_entries(lake: Lake, partner: str) -> list[Entry]:
    """A partner's packages by day."""
    rows = [row for row in lake.read_records(REGISTER) if row[C.PARTNER] == partner]
    return sorted(rows, key=lambda row: row[C.DAY])


def find_acknowledged(entries: list[Entry]) -> Entry | None:
    """The last package that was acknowledged."""
    return next((entry for entry in reversed(entries) if entry[C.STATE] == ACKNOWLEDGED), None)


def check_is_next(entries: list[Entry], partner: str, day: date) -> None:
    """Refuse to hand over a day that the partner has been told of, or is past.

    Raises:
        UsageError: a package of a later day was sent, or that of the day was acknowledged.
    """
    newest = entries[-1] if entries else None
    if newest is None or newest[C.DAY] < day or (newest[C.DAY] == day and newest[C.STATE] != ACKNOWLEDGED):
        return
    state = newest[C.STATE]
    message = (
        f"{partner} was sent the package of {newest[C.DAY]} already ({state}), so there is none of {day} to make: "
        "packages go forward only. Export a later day."
    )
    raise UsageError(message)


def check_kind(entries: list[Entry], partner: Partner) -> None:
    """Refuse identifiers that a dictionary undoes to a partner who holds others, and the other way round.

    Raises:
        UsageError: the partner was sent packages of the other sort.
    """
    former = {entry[C.KIND] for entry in entries}
    if any((kind == PLATFORM) != (partner.kind == PLATFORM) for kind in former):
        message = (
            f"{partner.name} was sent packages of kind {', '.join(sorted(former))} and is of kind {partner.kind} now; "
            "declare the new kind as a partner with a name of its own."
        )
        raise UsageError(message)


def record_sent(lake: Lake, entry: Entry) -> None:
    """Register a package, and what it supersedes."""
    waiting = [row for row in list_entries(lake, entry[C.PARTNER]) if row[C.STATE] == SENT]
    over = [{**row, C.STATE: SUPERSEDED} for row in waiting if row[C.DAY] != entry[C.DAY]]
    lake.record(REGISTER, [*over, entry])


def withdraw(lake: Lake, partner: str, day: date, *, at: datetime) -> None:
    """Remove the files of a package that are kept here, because somebody in them was erased.

    What the partner was told stays as it is; a second time finishes a first that died.
    """

    def choose(rows: list[Entry]) -> list[Entry]:
        return [{**row, C.WITHDRAWN_AT: at} for row in rows if row[C.PARTNER] == partner and row[C.DAY] == day]

    # The register first: a run that dies in between finds the files again.
    lake.extend(REGISTER, [str(day)], choose)
    storage.remove_folder(storage.join(lake.home, "exports", partner, str(day)))
