"""Folders and files of a lake, on this machine or an object store.

Locks are advisory file locks; on an object store they do nothing, and one writer per table is the scheduler's duty.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.settings import is_remote

if TYPE_CHECKING:
    from pyarrow import fs

LOCKS = ".locks"


def join(*parts: str) -> str:
    """Parts of a location joined with slashes."""
    return "/".join(part.rstrip("/") for part in parts)


def filesystem(location: str) -> tuple["fs.FileSystem", str]:
    """Arrow's file system for a location, and the path inside it."""
    from pyarrow import fs

    if is_remote(location):
        system, path = fs.FileSystem.from_uri(location)
        return system, path
    return fs.LocalFileSystem(), location


def remove_folder(location: str) -> None:
    """Remove a folder with all it holds; one that is not there is no error."""
    from pyarrow import fs

    system, path = filesystem(location)
    if system.get_file_info(path).type == fs.FileType.Directory:
        system.delete_dir(path)


def remove_empty_folders(location: str, *, spare: str) -> None:
    """Remove folders below a location that hold nothing, but the one called ``spare``; object stores have none."""
    if is_remote(location):
        return
    for folder, _, _ in os.walk(location, topdown=False):
        if folder != location and spare not in Path(folder).relative_to(location).parts:
            with suppress(OSError):
                Path(folder).rmdir()


def remove_file(location: str) -> None:
    """Remove a file; one that is not there is no error."""
    from pyarrow import fs

    system, path = filesystem(location)
    if system.get_file_info(path).type == fs.FileType.File:
        system.delete_file(path)


def replace_file(location: str, content: bytes) -> None:
    """Write a file that readers see complete or not at all; an object store does that by itself."""
    system, path = filesystem(location)
    if is_remote(location):
        with system.open_output_stream(path) as stream:
            stream.write(content)
        return
    draft = f"{path}.{secrets.token_hex(4)}.tmp"
    system.create_dir(path.rpartition("/")[0], recursive=True)
    with system.open_output_stream(draft) as stream:
        stream.write(content)
    system.move(draft, path)


@contextmanager
def table_lock(home: str, table: str, *, exclusive: bool) -> Iterator[None]:
    """Keep vacuum (exclusive) away from files that a writer (shared) has not committed yet."""
    if is_remote(home):
        yield
        return
    folder = Path(home) / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / table, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@contextmanager
def use_lock(home: str, name: str) -> Iterator[None]:
    """Show for the length of the context that something is in use; see :func:`is_in_use`."""
    with table_lock(home, name, exclusive=False):
        try:
            yield
        finally:
            if not is_remote(home):
                (Path(home) / LOCKS / name).unlink(missing_ok=True)


def is_in_use(home: str, name: str) -> bool:
    """Whether a process that is alive has it in use; on an object store nobody can tell, and the answer is no."""
    try:
        handle = os.open(Path(home) / LOCKS / name, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
