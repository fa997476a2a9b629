"""What lies below a lake's home, and which of it only readers of personal data may see."""

from dataclasses import dataclass
from typing import BinaryIO, Final

from jobs.lake import storage
from jobs.lake.contracts import PERSONAL_ZONES

ANSWERS: Final = "answers"
"""Files for people who asked for their data, until they are sent."""
RESTRICTED: Final = (*PERSONAL_ZONES, ANSWERS)


@dataclass(frozen=True)
class Entry:
    """A file or folder; ``path`` is relative to the home."""

    path: str
    size: int
    is_folder: bool

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_restricted(self) -> bool:
        """True in zones for personal data."""
        return self.path.partition("/")[0] in RESTRICTED


def list_entries(home: str) -> list[Entry]:
    """Everything below a home in order, hidden files and those that belong to no table included."""
    from pyarrow import fs

    system, root = storage.filesystem(home)
    found = system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    entries = (
        Entry(info.path.removeprefix(root).strip("/"), info.size or 0, info.type == fs.FileType.Directory)
        for info in found
        if info.type in (fs.FileType.File, fs.FileType.Directory)
    )
    return sorted(entries, key=lambda entry: entry.path)


def open_file(home: str, path: str) -> BinaryIO:
    """A file below the home, which can seek.

    Raises:
        FileNotFoundError: it is gone.
    """
    system, root = storage.filesystem(home)
    file: BinaryIO = system.open_input_file(storage.join(root, path))
    return file
