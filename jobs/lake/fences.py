"""A fence around a step: what it computed from people who were forgotten meanwhile is not committed.

A step notes the versions of some tables when it starts. A commit of rows about people is refused once one of them has
moved on, and the step runs again on what there is now. An error that comes while old files are being removed is taken
for what it most likely is, a file that is gone, and the step runs again as well.
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from jobs.errors import CommitConflictError
from jobs.lake import storage

MARK: Final = ".forgotten"


_own_marks: set[bytes] = set()
"""Of this process, which knows what it removes."""


class Fence:
    """Versions that must not change.

    Args:
        read_version: the current version of a table, none while there is no such table.
        tables: whose versions count.
    """

    def __init__(self, read_version: Callable[[str], int | None], tables: Collection[str]) -> None:
        self._read_version = read_version
        self._versions: Mapping[str, int | None] = {table: read_version(table) for table in tables}

    def check(self, table: str) -> None:
        """Refuse to commit to a table.

        Raises:
            CommitConflictError: one of the versions has changed.
        """
        if self.has_moved():
            message = f"{table}: people were erased since the step began; run it again, without them."
            raise CommitConflictError(message)

    def has_moved(self) -> bool:
        """True when one of the versions has changed."""
        return any(self._read_version(table) != version for table, version in self._versions.items())

    def follow(self, table: str, before: int | None) -> None:
        """Take note of a commit of our own to a table that was at the version ``before``.

        Of anybody's commit that came in between no note is taken, and so the fence still tells that it moved.
        """
        if table in self._versions and self._versions[table] == before:
            ours = 1 if before is None else before + 1  # a new table is made empty first
            self._versions = {**self._versions, table: ours}


@contextmanager
def retry_when_forgotten(home: str, fence: Fence) -> Iterator[None]:
    """Turn errors that forgetting may have caused into a conflict, after which the step is run again."""
    before = read_mark(home)
    try:
        yield
    except CommitConflictError:
        raise
    except Exception as error:
        mark = read_mark(home)
        if mark in (before, *_own_marks) and not fence.has_moved():
            raise
        message = "People were erased while the step ran; run it again."
        raise CommitConflictError(message) from error


def mark_forgotten(home: str) -> None:
    """Note that old files are about to be removed."""
    system, path = storage.filesystem(storage.join(home, MARK))
    with system.open_output_stream(path) as stream:
        stream.write(_draw_mark())


def _draw_mark() -> bytes:
    mark = secrets.token_hex(8).encode()
    _own_marks.add(mark)
    return mark


def read_mark(home: str) -> bytes:
    """What :func:`mark_forgotten` noted last."""
    system, path = storage.filesystem(storage.join(home, MARK))
    try:
        with system.open_input_stream(path) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return b""
