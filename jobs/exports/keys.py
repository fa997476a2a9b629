"""Destroys keys past their last day: from then on nobody, we included, can tell whose identifiers they made.

The ledger learns of every key that the ring made meanwhile. A key that was destroyed before and is back, as after an
old backup of the ring was restored, is destroyed again.
"""

from datetime import date
from typing import TYPE_CHECKING, Final

from jobs.errors import KeyRingError
from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.privacy.epochs import last_day_of
from jobs.privacy.key_events import destroy_revived, find_lost, find_revived, record_keys
from jobs.privacy.keyring import KeyEntry, KeyRing, open_keyring

if TYPE_CHECKING:
    from collections.abc import Iterable

BY: Final = "rotate_keys"


def find_ended(entries: "Iterable[KeyEntry]", day: date) -> list[KeyEntry]:
    """Living keys whose last day is before the day."""
    living = [entry for entry in entries if entry.destroyed_at is None]
    return [entry for entry in living if (last := entry.not_after or last_day_of(entry.purpose)) and last < day]


def rotate(lake: Lake, ring: KeyRing, day: date) -> list[KeyEntry]:
    """Destroy what is past its last day on a day, and record it; gives the keys that went.

    Raises:
        KeyRingError: keys should go and the ring can only be read, or it lacks keys that are recorded.
    """
    entries = ring.entries()
    going = {entry.key_id: entry for entry in [*find_revived(lake, entries), *find_ended(entries, day)]}
    if ring.is_writable:
        destroy_revived(lake, ring)
        for entry in find_ended(ring.entries(), day):
            ring.destroy(entry.purpose)
    record_keys(lake, ring.entries(), by=BY)
    if going and not ring.is_writable:
        message = (
            f"The ring can only be read and has keys that must go: {_list_purposes(going.values())}; "
            "destroy them where the ring is kept."
        )
        raise KeyRingError(message)
    if lost := find_lost(lake, ring.entries()):
        message = f"The ring lacks keys that were made: {_list_purposes(lost)}; restore it from your backup."
        raise KeyRingError(message)
    return list(going.values())


def run(lake: Lake, days: Days) -> StepReport:
    """Destroy and record as of the last day."""
    gone = rotate(lake, open_keyring(lake.settings), days.last)
    return StepReport(rows_out=len(gone))


def _list_purposes(entries: "Iterable[KeyEntry]") -> str:
    return ", ".join(sorted(entry.purpose for entry in entries))
