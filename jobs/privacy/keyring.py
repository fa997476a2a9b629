"""Secret keys by purpose, kept in a file outside the lake that only its owner may read.

A key is made on first use with the system's generator (256 bits). It never appears in ``repr``, a log or a plan.
"""

import base64
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jobs.errors import KeyRingError

KEY_BYTES: Final = 32
SUBJECT: Final = "subject"
FIELDS: Final = frozenset({"purpose", "id", "destroyed_at", "secret"})


@dataclass(frozen=True)
class Key:
    """One key; printing it shows its purpose and id only."""

    purpose: str
    key_id: str
    secret: bytes = field(repr=False)


def partner_purpose(partner: str, epoch: str) -> str:
    """The purpose of the key for one partner's identifiers in one epoch, such as ``partner/adnet/2026Q4``."""
    return f"partner/{partner}/{epoch}"


class KeyRing:
    """Keys of one installation.

    Args:
        path: the ring's file; made with mode 0600 in a folder of mode 0700 when the first key is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def key(self, purpose: str, *, may_make: bool = True) -> Key:
        """The key of a purpose, made when there is none yet.

        Args:
            purpose: what the key is for.
            may_make: false where a key must be there already, because data was made with it.

        Raises:
            KeyRingError: the file may be read by others, is not a key ring, lacks the key, or the key was destroyed.
        """
        known = self._find(self._read(), purpose)
        if known is None and not may_make:
            message = (
                f"The key ring {self._path} has no key for {purpose}, but the lake holds data made with one; "
                "restore the ring from your backup, or set SOPHILUX_KEYRING_FILE."
            )
            raise KeyRingError(message)
        if known is None:
            with self._locked():
                entries = self._read()
                known = self._find(entries, purpose)
                if known is None:
                    known = _new_entry(purpose)
                    self._write([*entries, known])
        if known["destroyed_at"]:
            message = f"The key for {purpose} was destroyed on {known['destroyed_at'][:10]}; that is final."
            raise KeyRingError(message)
        return Key(purpose, known["id"], base64.b64decode(known["secret"]))

    @staticmethod
    def _find(entries: list[dict[str, Any]], purpose: str) -> dict[str, Any] | None:
        return next((entry for entry in entries if entry["purpose"] == purpose), None)

    def _read(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        mode = stat.S_IMODE(self._path.stat().st_mode)
        if mode & 0o077:
            message = f"The key ring {self._path} may be read by others (mode {mode:04o}); run 'chmod 600' on it."
            raise KeyRingError(message)
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))["keys"]
            if not all(entry.keys() >= FIELDS for entry in entries):
                raise KeyError
        except (ValueError, KeyError, TypeError, AttributeError):
            message = f"{self._path} is not a key ring (JSON with 'keys'); restore it from your backup."
            raise KeyRingError(message) from None
        return list(entries)

    def _write(self, entries: list[dict[str, Any]]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "keys": entries}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _new_entry(purpose: str) -> dict[str, Any]:
    return {
        "purpose": purpose,
        "id": secrets.token_hex(4),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "not_after": None,
        "destroyed_at": None,
        "secret": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(),
    }
