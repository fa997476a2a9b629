"""The ring: keys by purpose, made on first use, replaced, and destroyed for good."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.keyring.content import PURPOSE, Entry, read_ring, write_ring
from jobs.privacy.keyring.files import RingFile
from jobs.privacy.keyring.keys import KEY_BYTES, SHARED, SHUFFLE, SIGNING, Key, KeyEntry
from jobs.privacy.keyring.providers import Provider
from jobs.privacy.keyring.sealing import open_entry, seal

ROTATABLE: Final = (SIGNING, SHUFFLE)
"""Purposes whose key may be replaced by a new one at any time, because nothing has to be recognised under it later."""
SHARED_PREFIX: Final = f"{SHARED}/"


def read_clock() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)


class KeyRing:
    """Keys of one installation.

    Args:
        provider: where the ring lies; a path stands for a file.
        clock: gives the time that new and destroyed keys are stamped with.
    """

    def __init__(self, provider: Provider | Path, *, clock: Callable[[], datetime] = read_clock) -> None:
        self._provider: Provider = RingFile(provider) if isinstance(provider, Path) else provider
        self._clock = clock

    @property
    def is_writable(self) -> bool:
        """False where keys are made and destroyed by other means."""
        return self._provider.is_writable

    def key(self, purpose: str, *, may_make: bool = True, not_after: date | None = None, on: date | None = None) -> Key:
        """The key of a purpose, made when there is none yet.

        Args:
            purpose: what the key is for.
            may_make: false where a key must be there already, because data was made with it.
            not_after: the last day of a key that is made now, or that has no such day yet.
            on: the day it is to be used on; none for keys without a last day.

        Raises:
            KeyRingError: the ring cannot be read or changed, lacks the key, or the key was destroyed or is past its
                last day.
        """
        known = _find(self._read(), purpose)
        if known is None and not may_make:
            message = (
                f"{self._provider.place} has no key for {purpose}, but the lake holds data made with one; "
                f"{self._provider.remedy}."
            )
            raise KeyRingError(message)
        if known is None:
            known = self._make(purpose, not_after)
        if known.is_alive and known.public.not_after is None and not_after and self.is_writable:
            known = self._limit(purpose, not_after)
        _check_usable(known.public, on)
        return open_entry(self._provider, known)

    def find(self, purpose: str, *, on: date | None = None) -> Key | None:
        """The key of a purpose; none where it was never made, or was destroyed.

        Raises:
            KeyRingError: the ring cannot be read, or the key is past its last day on the day given.
        """
        known = _find(self._read(), purpose)
        if known is None or not known.is_alive:
            return None
        _check_usable(known.public, on)
        return open_entry(self._provider, known)

    def entries(self) -> tuple[KeyEntry, ...]:
        """All keys, the destroyed ones too, without their secrets and without opening one."""
        return tuple(entry.public for entry in self._read())

    def put(self, purpose: str, secret: bytes, *, not_after: date | None = None, may_replace: bool = False) -> KeyEntry:
        """Take in a key that was made elsewhere; the same one again changes nothing.

        Args:
            purpose: what the key is for.
            secret: 32 bytes.
            not_after: last day on which it may be used.
            may_replace: true destroys another key that a partner shared before.

        Raises:
            KeyRingError: it is not 256 bits, the purpose has another key, or had one that was destroyed.
        """
        if len(secret) != KEY_BYTES:
            message = f"A key has {KEY_BYTES} bytes, got {len(secret)} for {purpose}."
            raise KeyRingError(message)
        with self._provider.locked():
            entries = self._read()
            known = _find(entries, purpose)
            if known is None:
                return self._add(entries, purpose, secret, not_after)
            _check_usable(known.public, None)
            if secrets.compare_digest(open_entry(self._provider, known).secret, secret):
                return known.public
            if not (may_replace and purpose.startswith(SHARED_PREFIX)):
                message = f"{self._provider.place} has another key for {purpose}; nothing was changed."
                raise KeyRingError(message)
            return self._add(_swap(entries, known, self._end(known)), purpose, secret, not_after)

    def rotate(self, purpose: str) -> KeyEntry:
        """Make a new key for a purpose without epochs, and destroy the former one.

        Raises:
            UsageError: keys of this purpose are not replaced.
            KeyRingError: the purpose's key was destroyed, or the ring cannot be changed.
        """
        if purpose not in ROTATABLE:
            message = f"Only the keys for {' and '.join(ROTATABLE)} are replaced by new ones, not that for {purpose}."
            raise UsageError(message)
        with self._provider.locked():
            entries = self._read()
            former = _find(entries, purpose)
            if former is not None:
                _check_usable(former.public, None)
                entries = _swap(entries, former, self._end(former))
            return self._add(entries, purpose, secrets.token_bytes(KEY_BYTES), None)

    def destroy(self, purpose: str) -> KeyEntry:
        """Destroy the key of a purpose for good: the ring forgets the secret and will make no other one.

        A second call changes nothing.

        Raises:
            UsageError: there is no key for it.
            KeyRingError: the ring cannot be read or changed.
        """
        with self._provider.locked():
            known = self._know(purpose)
            if not known.is_alive:
                return known.public
            ended = self._end(known)
            self._write(_swap(self._read(), known, ended))
            return ended.public

    def bury(self, gone: KeyEntry) -> None:
        """Make a key that was destroyed before destroyed in this ring too, as after an old backup was put back."""
        with self._provider.locked():
            others = [entry for entry in self._read() if entry.public.key_id != gone.key_id]
            self._write([Entry(gone, ""), *others])

    def take_over(self, former: "KeyRing") -> int:
        """Write the keys of a ring that lies in another form in the same place down in this ring's form.

        Returns:
            The number of living keys that were written.

        Raises:
            KeyRingError: a key of the former ring cannot be opened, or a sealed one is among them already.
        """
        with self._provider.locked():
            entries = former._read()
            keys = {entry.public.key_id: open_entry(former._provider, entry) for entry in entries if entry.is_alive}
            self._write(
                [seal(self._provider, e.public, keys[e.public.key_id].secret) if e.is_alive else e for e in entries]
            )
            return len(keys)

    def _read(self) -> tuple[Entry, ...]:
        return read_ring(self._provider.read, self._provider.place)

    def _write(self, entries: Iterable[Entry]) -> None:
        self._provider.write(write_ring(entries))

    def _make(self, purpose: str, not_after: date | None) -> Entry:
        with self._provider.locked():
            entries = self._read()
            if _find(entries, purpose) is None:
                self._add(entries, purpose, secrets.token_bytes(KEY_BYTES), not_after)
            return self._know(purpose)

    def _limit(self, purpose: str, not_after: date) -> Entry:
        """Give the living key of a purpose its last day."""
        with self._provider.locked():
            known = self._know(purpose)
            if known.is_alive and known.public.not_after is None:
                limited = seal(
                    self._provider, replace(known.public, not_after=not_after), open_entry(self._provider, known).secret
                )
                self._write(_swap(self._read(), known, limited))
            return self._know(purpose)

    def _know(self, purpose: str) -> Entry:
        """The key of a purpose that must be there."""
        known = _find(self._read(), purpose)
        if known is None:
            message = f"{self._provider.place} has no key for {purpose}; 'sophilux keys list' lists the keys."
            raise UsageError(message)
        return known

    def _add(self, entries: Sequence[Entry], purpose: str, secret: bytes, not_after: date | None) -> KeyEntry:
        if not PURPOSE.fullmatch(purpose):
            message = f"A key's purpose looks like partner/name/2026Q4, got {purpose!r}."
            raise KeyRingError(message)
        used = {entry.public.key_id for entry in entries}
        key_id = next(drawn for drawn in iter(lambda: secrets.token_hex(4), "") if drawn not in used)
        new = seal(self._provider, KeyEntry(purpose, key_id, self._read_clock(), not_after, None), secret)
        self._write([*entries, new])
        return new.public

    def _read_clock(self) -> datetime:
        """The present second, which is as exact as the ring is written."""
        return self._clock().replace(microsecond=0)

    def _end(self, entry: Entry) -> Entry:
        return Entry(replace(entry.public, destroyed_at=self._read_clock()), "")


def _find(entries: Iterable[Entry], purpose: str) -> Entry | None:
    """The living key of a purpose, else the latest destroyed one."""
    of_purpose = [entry for entry in entries if entry.public.purpose == purpose]
    return next((entry for entry in of_purpose if entry.is_alive), of_purpose[-1] if of_purpose else None)


def _swap(entries: Iterable[Entry], old: Entry, new: Entry) -> tuple[Entry, ...]:
    return tuple(new if entry == old else entry for entry in entries)


def _check_usable(entry: KeyEntry, on: date | None) -> None:
    if entry.destroyed_at is not None:
        message = f"The key for {entry.purpose} was destroyed on {entry.destroyed_at:%Y-%m-%d}; that is final."
        raise KeyRingError(message)
    if on is not None and entry.not_after is not None and on > entry.not_after:
        message = (
            f"The key for {entry.purpose} was for use until {entry.not_after}, not on {on}; "
            "use the key of the epoch that day is in."
        )
        raise KeyRingError(message)
