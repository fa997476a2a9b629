"""A package's way to its place: all of its files first, its manifest last; without a manifest it is no package.

On this machine a package is built beside its place and renamed. Anywhere else what an earlier try left is removed, its
manifest first, and every file is tried several times.
"""

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tenacity import Retrying, retry_if_not_exception_type, stop_after_attempt, wait_random_exponential

from jobs.errors import SophiluxError
from jobs.exports.manifests import MANIFEST
from jobs.lake import storage
from jobs.privacy.encryption import SUFFIX as ENCRYPTED
from jobs.settings import is_remote

ATTEMPTS: Final = 5
LONGEST_PAUSE: Final = 10
UNFINISHED: Final = ".unfinished"
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
DRAFT: Final = re.compile(r"\.\d{4}-\d{2}-\d{2}\.[0-9a-f]{16}")


@contextmanager
def draft_folder(target: str) -> Iterator[Path]:
    """A folder of this machine to build a package in, gone when the context ends.

    It lies beside a local target. What killed runs left of packages of the same partner, of any day, is removed, for it
    may not be encrypted yet; so hold the partner's lock.

    Args:
        target: ``…/<partner>/<day>``, the package's place.

    Raises:
        SophiluxError: others could look into the folder for temporary files.
    """
    place = _own_temporary(target) if is_remote(target) else Path(target)
    _remove_drafts(place.parent)
    draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    draft.mkdir(mode=0o700, parents=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def put_in_place(draft: Path, target: str) -> Path:
    """Make a finished draft the package of its place, instead of the one that may be there.

    Returns:
        Where its files can be read on this machine.
    """
    if is_remote(target):
        from fsspec.implementations.arrow import ArrowFSWrapper

        system, path = storage.filesystem(target)
        _upload(ArrowFSWrapper(system), path, draft)
        return draft
    place = Path(target)
    if place.exists():
        place.rename(place.with_name(f".{place.name}.{secrets.token_hex(8)}"))
    draft.rename(place)
    _remove_drafts(place.parent)
    return place


def deliver(package: Path, url: str, day: str) -> None:
    """Copy a package to ``<url>/<day>``, and remove what crashed deliveries of other days left there.

    Args:
        package: folder of this machine with the package's files.
        url: of the folder for a partner's packages, as fsspec reads it.
        day: of the package.

    Raises:
        SophiluxError: it could not be copied; nothing that could be taken for a package is there.
    """
    from fsspec import url_to_fs

    try:
        system, root = url_to_fs(url)
        system.invalidate_cache()
        _remove_unfinished(system, root, spare=day)
        _upload(system, f"{root.rstrip('/')}/{day}", package)
    except Exception as error:
        message = (
            f"The package of {day} could not be delivered ({type(error).__name__}); there is none in its place now. "
            "Check the partner's deliver_to and its credentials, and export again."
        )
        raise SophiluxError(message) from error


def _upload(system: Any, folder: str, package: Path) -> None:  # noqa: ANN401
    _remove_folder(system, folder)
    files = sorted(package.iterdir(), key=lambda path: (path.name.startswith(MANIFEST), path.name))
    _try(system.makedirs, folder, exist_ok=True)
    for path in files[:-1]:
        _try(system.put_file, str(path), f"{folder}/{path.name}")
    # Where a file is visible while it is written, half a manifest must not be.
    manifest = f"{folder}/{files[-1].name}"
    _try(system.put_file, str(files[-1]), f"{manifest}{UNFINISHED}")
    _try(_rename, system, f"{manifest}{UNFINISHED}", manifest)
    system.invalidate_cache()


def _rename(system: Any, source: str, target: str) -> None:  # noqa: ANN401
    if system.exists(source):
        system.mv(source, target)


def _remove_folder(system: Any, folder: str) -> None:  # noqa: ANN401
    """Remove the files of a folder, what makes it a package first."""
    for path in sorted(_list(system, folder), key=lambda path: not _name(path).startswith(MANIFEST)):
        _try(_remove, system, path)


def _remove(system: Any, path: str) -> None:  # noqa: ANN401
    with suppress(FileNotFoundError):
        system.rm(path, recursive=True)


def _remove_unfinished(system: Any, root: str, *, spare: str) -> None:  # noqa: ANN401
    for folder in _list(system, root):
        if not DAY.fullmatch(_name(folder)) or _name(folder) == spare:
            continue
        if not {_name(path) for path in _list(system, folder)} & {MANIFEST, f"{MANIFEST}{ENCRYPTED}"}:
            _try(_remove, system, folder)


def _list(system: Any, folder: str) -> list[str]:  # noqa: ANN401
    try:
        return [str(path).rstrip("/") for path in _try(partial(system.ls, detail=False), folder)]
    except FileNotFoundError:
        return []


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _try(work: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401
    waits = wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE)
    is_passing = retry_if_not_exception_type(FileNotFoundError)
    return Retrying(retry=is_passing, stop=stop_after_attempt(ATTEMPTS), wait=waits, reraise=True)(
        work, *args, **options
    )


def _own_temporary(target: str) -> Path:
    """A place for drafts of a remote target; the same one each time, so that a killed run's draft is found."""
    root = Path(tempfile.gettempdir(), f"sophilux-{os.getuid()}")
    root.mkdir(mode=0o700, exist_ok=True)
    facts = root.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        message = f"{root} is not a folder of yours alone; remove it, or set TMPDIR."
        raise SophiluxError(message)
    partner, _, day = target.rpartition("/")
    return root / quote(partner, safe="") / day


def _remove_drafts(folder: Path) -> None:
    for left in folder.glob(".*"):
        if DRAFT.fullmatch(left.name):
            shutil.rmtree(left)
