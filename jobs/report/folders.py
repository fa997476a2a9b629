"""The report's folder: written so that readers always find whole files, and nobody else's files are touched.

``report.json`` in it says that it is a report and which files belong to it. A folder that holds anything else is
refused, and files that a later report no longer has are removed.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jobs.errors import UsageError
from jobs.lake import storage
from jobs.lake.contracts import ZONES
from jobs.settings import is_remote

MARKER: Final = "report.json"
MAKER: Final = "sophilux report"
ENTRY: Final = "index.html"
RESERVED: Final = (*ZONES, "quality")
DEFAULT_FOLDER: Final = "report"


def check_target(out: str, home: str) -> str:
    """The folder a report may be written to.

    Args:
        out: folder or URL; a path of this machine becomes absolute.
        home: the lake's home.

    Raises:
        UsageError: it is a file, holds something that is no report, or lies where the lake keeps its own files.
    """
    target = out.rstrip("/") if is_remote(out) else str(Path(out).expanduser().absolute().resolve())
    _check_outside(target, home if is_remote(home) else str(Path(home).resolve()))
    if not is_remote(target) and Path(target).exists() and not Path(target).is_dir():
        message = f"{out} is a file; --out names a folder for the report."
        raise UsageError(message)
    _check_free(target, ())
    return target


def publish(out: str, files: Mapping[str, bytes], *, made_at: datetime) -> None:
    """Put files into the report's folder, the entry page last, and remove those of the report before.

    Args:
        out: of :func:`check_target`.
        files: content by path below the folder.
        made_at: when the numbers were read.

    Raises:
        UsageError: something in the folder that belongs to no report stands where a file is to be, or nothing can be
            written there.
    """
    before = _check_free(out, files)
    try:
        _write(out, files, before, made_at)
    except OSError as error:
        message = f"The report cannot be written to {out} ({type(error).__name__}); give another folder with --out."
        raise UsageError(message) from error


def _write(out: str, files: Mapping[str, bytes], before: set[str], made_at: datetime) -> None:
    _write_marker(out, {*before, *files}, made_at)
    for path in sorted(files, key=lambda path: (path == ENTRY, path.endswith(".html"), path)):
        storage.replace_file(storage.join(out, path), files[path])
    for path in before - set(files):
        storage.remove_file(storage.join(out, path))
    _write_marker(out, files, made_at)


def _check_outside(target: str, home: str) -> None:
    above = f"{target}/"
    inside = above.removeprefix(f"{home}/").partition("/")[0] if above.startswith(f"{home}/") else None
    if inside == "" or f"{home}/".startswith(above):
        message = f"{target} is or holds the lake itself; give the report a folder of its own, such as {home}/report."
        raise UsageError(message)
    if inside is not None and (inside in RESERVED or inside.startswith((".", "_"))):
        message = f"{target} is where the lake keeps its own files; give the report a folder such as {home}/report."
        raise UsageError(message)


def _check_free(out: str, files: Iterable[str]) -> set[str]:
    """Files of the report that is there already; none where there is no folder or an empty one."""
    from pyarrow import fs

    system, path = storage.filesystem(out)
    found = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    root = path.strip("/")
    there = {info.path.strip("/").removeprefix(root).strip("/") for info in found if info.type == fs.FileType.File}
    if not there:
        return set()
    known = _read_marker(out)
    if known is None:
        message = f"{out} holds something that is no report; give --out another folder, or empty this one."
        raise UsageError(message)
    strange = sorted((there - known - {MARKER}) & set(files))
    if strange:
        message = f"{out} holds {strange[0]}, which belongs to no report; move it away first."
        raise UsageError(message)
    return known & there


def _read_marker(out: str) -> set[str] | None:
    """Files of a report; none where the folder is no report's."""
    system, path = storage.filesystem(storage.join(out, MARKER))
    try:
        with system.open_input_stream(path) as stream:
            marker: Any = json.loads(stream.read().decode("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    is_marker = isinstance(marker, dict) and marker.get("made_by") == MAKER and isinstance(marker.get("files"), list)
    if not is_marker:
        return None
    return {name for name in map(str, marker["files"]) if ".." not in name.split("/") and not name.startswith("/")}


def _write_marker(out: str, files: Iterable[str], made_at: datetime) -> None:
    marker = {"made_by": MAKER, "made_at": made_at.isoformat(timespec="seconds"), "files": sorted(files)}
    storage.replace_file(storage.join(out, MARKER), (json.dumps(marker, indent=1) + "\n").encode("utf-8"))
