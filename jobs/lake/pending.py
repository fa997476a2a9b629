"""Notes of tables whose removed rows still lie in files that no version needs.

A note is an empty file ``.retention/pending/<table>``, written before a table loses rows and removed after its old
files are gone. A run that died between the two leaves it, and whoever cleans up next finishes the work: the table alone
would not tell, because a second run finds no row to remove.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from jobs.lake import storage
from jobs.settings import is_remote

NOTES: Final = ".retention/pending"
REMOTE_PATIENCE: Final = timedelta(hours=2)
"""Age from which a clean-up settles a note on an object store, where it leaves what is younger than an hour."""


@contextmanager
def removing_rows(home: str, table: str) -> Iterator[None]:
    """Remove rows and then their files; whatever ends in between leaves the note."""
    mark_pending(home, table)
    yield
    clear_pending(home, table)


def mark_pending(home: str, table: str) -> None:
    """Note that a table's removed files must go."""
    system, path = storage.filesystem(storage.join(home, NOTES))
    system.create_dir(path, recursive=True)
    with system.open_output_stream(storage.join(path, table)):
        pass


def list_pending(home: str) -> list[str]:
    """Tables whose removed files must still go."""
    from pyarrow import fs

    system, path = storage.filesystem(storage.join(home, NOTES))
    return sorted(info.base_name for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True)))


def clear_pending(home: str, table: str) -> None:
    """Note that a table was cleaned up; a note that is not there is no error."""
    system, path = storage.filesystem(storage.join(home, NOTES, table))
    if is_remote(home):
        [note] = system.get_file_info([path])
        if note.mtime is None or note.mtime > datetime.now(UTC) - REMOTE_PATIENCE:
            return
    try:
        system.delete_file(path)
    except FileNotFoundError:
        return
