"""Folders that retention removes: old packages, and what crashes left."""

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from jobs.lake import storage
from jobs.lake.scratch import FOLDER as SCRATCH

if TYPE_CHECKING:
    from pyarrow import fs

EXPORTS: Final = "exports"
MANIFEST: Final = "manifest.json"
LEFTOVER_SECONDS: Final = 86_400


@dataclass(frozen=True)
class Package:
    """A partner's package of a day; ``folder`` is relative to the home, rows as its manifest says, 0 without one."""

    location: str
    folder: str
    day: date
    rows: int
    bytes: int


def list_packages(home: str) -> list[Package]:
    """Packages of all partners, oldest first."""
    found = []
    for partner in _list(storage.join(home, EXPORTS)):
        for info in _list(storage.join(home, EXPORTS, partner.base_name)):
            day = _read_day(info.base_name)
            if day is not None:
                folder = storage.join(EXPORTS, partner.base_name, info.base_name)
                location = storage.join(home, folder)
                size = sum(file.size or 0 for file in _list(location))
                found.append(Package(location, folder, day, _count_rows(location), size))
    return sorted(found, key=lambda package: (package.day, package.location))


def remove_packages(locations: Collection[str]) -> None:
    """Remove package folders."""
    for location in locations:
        storage.remove_folder(location)


def remove_leftovers(home: str) -> list[str]:
    """Remove scratch folders and unfinished packages older than a day, which only a crash leaves behind."""
    oldest = time.time() - LEFTOVER_SECONDS
    removed = []
    for location, info in _list_leftovers(home):
        if info.mtime is not None and info.mtime.timestamp() < oldest:
            storage.remove_folder(location)
            removed.append(location)
    return removed


def _list_leftovers(home: str) -> "Iterator[tuple[str, fs.FileInfo]]":
    for info in _list(storage.join(home, SCRATCH)):
        yield storage.join(home, SCRATCH, info.base_name), info
    for partner in _list(storage.join(home, EXPORTS)):
        folder = storage.join(home, EXPORTS, partner.base_name)
        yield from ((storage.join(folder, i.base_name), i) for i in _list(folder) if i.base_name.startswith("."))


def _list(location: str) -> "list[fs.FileInfo]":
    from pyarrow import fs

    system, path = storage.filesystem(location)
    found: list[fs.FileInfo] = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return found


def _read_day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def _count_rows(location: str) -> int:
    system, path = storage.filesystem(storage.join(location, MANIFEST))
    try:
        with system.open_input_stream(path) as stream:
            files = json.loads(stream.read())["files"]
    except (OSError, ValueError, KeyError):
        return 0
    return sum(file["rows"] for file in files.values())
