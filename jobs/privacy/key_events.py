"""The ledger of keys: when each was made and destroyed, so that a destroyed key stays so whatever becomes of the ring.

A ring may be replaced by an old backup of itself, which holds keys that were destroyed since. The ledger remembers.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.keyring import KeyEntry, KeyRing
from jobs.privacy.keyring.ring import ROTATABLE, SHARED_PREFIX

KEY_EVENTS: Final = "ledger.key_events"
CREATED: Final = "created"
DESTROYED: Final = "destroyed"


def record_keys(lake: Lake, entries: Iterable[KeyEntry], *, by: str) -> int:
    """Record what the ledger does not know yet of these keys; returns the number of events."""
    known = {(row[C.KEY_ID], row[C.EVENT]) for row in lake.read_records(KEY_EVENTS)}
    events = [event for entry in entries for event in _describe(entry, by)]
    new = [event for event in events if (event[C.KEY_ID], event[C.EVENT]) not in known]
    if new:
        lake.record(KEY_EVENTS, new)
    return len(new)


def list_destroyed(lake: Lake) -> list[KeyEntry]:
    """Every key whose destruction is recorded."""
    return [_to_entry(row) for row in lake.read_records(KEY_EVENTS) if row[C.EVENT] == DESTROYED]


def find_lost(lake: Lake, entries: Iterable[KeyEntry]) -> list[KeyEntry]:
    """Keys that were made and never destroyed, and are not in the ring."""
    there = {entry.key_id for entry in entries}
    rows = lake.read_records(KEY_EVENTS)
    gone = {row[C.KEY_ID] for row in rows if row[C.EVENT] == DESTROYED}
    return [_to_entry(row) for row in rows if row[C.KEY_ID] not in there | gone]


def find_revived(lake: Lake, entries: Iterable[KeyEntry]) -> list[KeyEntry]:
    """Living keys of the ring that were destroyed before, or whose purpose was and admits no other key."""
    destroyed = list_destroyed(lake)
    ids = {entry.key_id for entry in destroyed}
    ended = {entry.purpose for entry in destroyed if not _may_have_another(entry.purpose)}
    return [e for e in entries if e.destroyed_at is None and (e.key_id in ids or e.purpose in ended)]


def destroy_revived(lake: Lake, ring: KeyRing) -> list[KeyEntry]:
    """Make the ring forget again what was destroyed before; gives the keys that were alive in it."""
    revived = find_revived(lake, ring.entries())
    destroyed = {entry.key_id: entry for entry in list_destroyed(lake)}
    for entry in revived:
        if entry.key_id in destroyed:
            ring.bury(destroyed[entry.key_id])
        else:
            ring.destroy(entry.purpose)
    return revived


def _may_have_another(purpose: str) -> bool:
    """True where a destroyed key may have been replaced by the one that lives."""
    return purpose in ROTATABLE or purpose.startswith(SHARED_PREFIX)


def _describe(entry: KeyEntry, by: str) -> list[dict[str, Any]]:
    moments = {CREATED: entry.created, DESTROYED: entry.destroyed_at}
    return [
        {
            C.DAY: at.astimezone(UTC).date(),
            C.KEY_ID: entry.key_id,
            C.EVENT: event,
            C.PURPOSE: entry.purpose,
            C.CREATED_AT: entry.created,
            C.NOT_AFTER: entry.not_after,
            C.AT: at,
            C.BY: by,
        }
        for event, at in moments.items()
        if at is not None
    ]


def _to_entry(row: dict[str, Any]) -> KeyEntry:
    destroyed_at: datetime | None = row[C.AT] if row[C.EVENT] == DESTROYED else None
    return KeyEntry(row[C.PURPOSE], row[C.KEY_ID], row[C.CREATED_AT], row[C.NOT_AFTER], destroyed_at)
