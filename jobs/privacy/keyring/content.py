"""What a ring holds, as JSON: one entry per key; a destroyed key leaves its entry without the secret.

No error here carries the text it was found in: a parser's own errors quote it, so they are never chained to ours.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from jobs.errors import KeyRingError
from jobs.privacy.keyring.keys import KeyEntry

VERSION: Final = 1
KEY_ID: Final = re.compile("[0-9a-f]{8}")
PURPOSE: Final = re.compile("[A-Za-z0-9][A-Za-z0-9 ._-]*(/[A-Za-z0-9][A-Za-z0-9 ._-]*){0,2}")


@dataclass(frozen=True)
class Entry:
    """One key as it is written down.

    Attributes:
        public: all that may be shown.
        secret: what a provider made of the secret; empty once it is destroyed.
        check: derived from the secret and ``public``; tells that neither was changed. Rings of old lack it.
    """

    public: KeyEntry
    secret: str = field(repr=False)
    check: str | None = None

    @property
    def is_alive(self) -> bool:
        """True while the key can be used."""
        return self.public.destroyed_at is None


def write_ring(entries: Iterable[Entry]) -> str:
    """The ring as JSON."""
    return json.dumps({"version": VERSION, "keys": [_to_json(entry) for entry in entries]}, indent=1)


def read_ring(fetch: Callable[[], str | None], place: str) -> tuple[Entry, ...]:
    """The entries of a ring; none where there is no ring yet.

    Args:
        fetch: gives JSON as :func:`write_ring` makes it. It is asked here, so that no frame of a traceback holds the
            text when this fails.
        place: what the ring is called in an error.

    Raises:
        KeyRingError: it is no ring, or something in it contradicts itself.
    """
    found = _parse(fetch())
    if found is None:
        message = f"{place} is not a key ring (JSON with 'keys'); restore it from your backup."
        raise KeyRingError(message)
    version, entries = found
    if version != VERSION:
        message = f"{place} is a key ring of version {version}, this program reads {VERSION}; use a newer program."
        raise KeyRingError(message)
    mistakes = [f"key {number} is incomplete" for number, entry in enumerate(entries, 1) if entry is None]
    known = tuple(entry for entry in entries if entry is not None)
    mistakes += _find_contradictions(known)
    if mistakes:
        message = f"{place} is not as it was written: {'; '.join(mistakes)}; restore it from your backup."
        raise KeyRingError(message)
    return known


def _parse(text: str | None) -> tuple[int, list[Entry | None]] | None:
    """The ring's version and entries, nothing in place of one that is incomplete; nothing where it is no ring."""
    if text is None:
        return VERSION, []
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        return None
    version = document.get("version", VERSION)
    return (version, [_read_entry(key) for key in document["keys"]]) if isinstance(version, int) else None


def _read_entry(document: object) -> Entry | None:
    """The entry; nothing where a field is missing or no such value."""
    if not isinstance(document, dict):
        return None
    purpose, key_id, secret, check = (document.get(name) for name in ("purpose", "id", "secret", "check"))
    try:
        created = datetime.fromisoformat(document["created"])
        not_after = document["not_after"] and date.fromisoformat(document["not_after"])
        destroyed_at = document["destroyed_at"] and datetime.fromisoformat(document["destroyed_at"])
    except (KeyError, TypeError, ValueError):
        return None
    is_named = isinstance(purpose, str) and PURPOSE.fullmatch(purpose) and isinstance(key_id, str)
    if not is_named or not KEY_ID.fullmatch(str(key_id)):
        return None
    if not isinstance(secret, str) or not isinstance(check, str | None):
        return None
    return Entry(KeyEntry(str(purpose), str(key_id), created, not_after or None, destroyed_at or None), secret, check)


def _find_contradictions(entries: tuple[Entry, ...]) -> list[str]:
    alive = Counter(entry.public.purpose for entry in entries if entry.is_alive)
    ids = Counter(entry.public.key_id for entry in entries)
    return [
        *(f"{purpose} has {count} keys" for purpose, count in alive.items() if count > 1),
        *(f"{count} keys have the id {key_id}" for key_id, count in ids.items() if count > 1),
        *(
            f"the key {entry.public.key_id} for {entry.public.purpose} is {'alive' if entry.is_alive else 'destroyed'} "
            f"{'without' if entry.is_alive else 'but has'} a secret"
            for entry in entries
            if entry.is_alive == (entry.secret == "")
        ),
    ]


def _to_json(entry: Entry) -> dict[str, str | None]:
    public = entry.public
    return {
        "purpose": public.purpose,
        "id": public.key_id,
        "created": public.created.isoformat(timespec="seconds"),
        "not_after": public.not_after.isoformat() if public.not_after else None,
        "destroyed_at": public.destroyed_at.isoformat(timespec="seconds") if public.destroyed_at else None,
        "secret": entry.secret,
        "check": entry.check,
    }
