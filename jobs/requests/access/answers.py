"""Where the files for people lie until they are sent: ``<home>/answers``, readable by their owner only.

The folder is inside the lake's home, so that what erases a person and what proves it sees these files too; it is no
zone that anything is published from. A file goes after 30 days, or with the person.
"""

import os
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobs.audit.homes import ANSWERS
from jobs.errors import UsageError
from jobs.lake import Lake, storage
from jobs.settings import is_remote

if TYPE_CHECKING:
    from pyarrow import fs

KEPT: Final = timedelta(days=30)
SUFFIX: Final = ".zip"
ENCRYPTED: Final = ".zip.age"
OWNER_ONLY: Final = 0o600


def answer_path(lake: Lake, request_id: str) -> str:
    """Where the file of a request lies."""
    return storage.join(lake.home, ANSWERS, request_id + SUFFIX)


def keep_answer(lake: Lake, request_id: str, content: bytes) -> str:
    """Keep the file of a request, whole or not at all; gives where."""
    location = answer_path(lake, request_id)
    if not is_remote(lake.home):
        write_private(Path(location), content)
        return location
    system, path = storage.filesystem(location)
    with system.open_output_stream(path) as stream:
        stream.write(content)
    return location


def read_answer(lake: Lake, request_id: str) -> bytes:
    """The file of a request.

    Raises:
        UsageError: there is none, or it is gone.
    """
    system, path = storage.filesystem(answer_path(lake, request_id))
    try:
        with system.open_input_stream(path) as stream:
            content: bytes = stream.read()
    except FileNotFoundError:
        message = f"There is no file for request {request_id}: it is none of access, not served yet, or gone again."
        raise UsageError(message) from None
    return content


def drop_answers(lake: Lake, request_ids: Collection[str]) -> None:
    """Remove the files of requests; those that have none are no error."""
    wanted = {request_id + SUFFIX for request_id in request_ids}
    system, infos = _list(lake)
    for info in infos:
        if info.base_name in wanted:
            system.delete_file(info.path)


def drop_old_answers(lake: Lake, now: datetime) -> int:
    """Remove files that are older than they are kept, and what runs that died left; returns how many."""
    system, infos = _list(lake)
    old = [info for info in infos if info.mtime is not None and info.mtime < now - KEPT]
    for info in old:
        system.delete_file(info.path)
    return len(old)


def encrypt(content: bytes, *, recipient: str | None, passphrase: str | None) -> bytes:
    """A file that only its receiver opens, with age (https://age-encryption.org/v1).

    Raises:
        UsageError: the recipient is no public key of age.
    """
    import pyrage

    if passphrase is not None:
        sealed: bytes = pyrage.passphrase.encrypt(content, passphrase)
        return sealed
    try:
        key = pyrage.x25519.Recipient.from_str(recipient or "")
    except pyrage.RecipientError:
        key = None
    if key is None:
        message = "--encrypt-to takes a public key of age: age1 and 58 letters and digits."
        raise UsageError(message)
    encrypted: bytes = pyrage.encrypt(content, [key])
    return encrypted


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _list(lake: Lake) -> "tuple[fs.FileSystem, list[fs.FileInfo]]":
    from pyarrow import fs

    system, path = storage.filesystem(storage.join(lake.home, ANSWERS))
    found: list[fs.FileInfo] = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return system, [info for info in found if info.type == fs.FileType.File]
