"""Whether a partner's package names somebody, told from its files and the keys that are alive."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from pyarrow import fs

from jobs.lake import Lake, shards, storage
from jobs.lake import columns as C
from jobs.people.identifiers import list_ad_ids
from jobs.people.person import Person
from jobs.people.values import find_values
from jobs.privacy.keyring import open_keyring

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

MANIFEST: Final = "manifest.json"
FORMATS: Final = {suffix: name for name, suffix in shards.SUFFIXES.items()}


def may_name(lake: Lake, folder: str, people: Collection[Person]) -> bool:
    """False where it is certain that none of the people is in a package.

    Args:
        lake: the lake.
        folder: of the package, relative to the home.
        people: whom to look for.
    """
    manifest = _read_manifest(lake, folder)
    if manifest is None or not _is_alive(lake, manifest):
        return True
    identifiers = list_ad_ids(lake, people)
    if not identifiers:
        return False
    return any(column is None or _is_any(column, identifiers) for column in _list_columns(lake, folder))


def _read_manifest(lake: Lake, folder: str) -> dict[str, Any] | None:
    system, path = storage.filesystem(storage.join(lake.home, folder, MANIFEST))
    try:
        with system.open_input_stream(path) as stream:
            manifest = json.loads(stream.read())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def _is_alive(lake: Lake, manifest: dict[str, Any]) -> bool:
    """True where the identifiers of the package can be made again: without a key, or under one that is there."""
    told = manifest.get("identifiers")
    if not isinstance(told, dict) or "key_id" not in told:
        return False
    if manifest.get("kind") == "shared-key":
        return True
    entries = open_keyring(lake.settings).entries()
    alive = {entry.key_id for entry in entries if entry.destroyed_at is None}
    return told["key_id"] is None or told["key_id"] in alive


def _list_columns(lake: Lake, folder: str) -> "Iterator[ChunkedArray | None]":
    """The identifiers of each piece of a package; none for a file that cannot be read."""
    system, path = storage.filesystem(storage.join(lake.home, folder))
    for info in system.get_file_info(fs.FileSelector(path)):
        if info.base_name == MANIFEST:
            continue
        suffix = "".join(Path(info.base_name).suffixes)
        if suffix not in FORMATS:
            yield None
            continue
        yield from _read_identifiers(Path(info.path), FORMATS[suffix])


def _read_identifiers(path: Path, form: str) -> "Iterator[ChunkedArray | None]":
    try:
        for rows in shards.read_shard(path, pa.schema([(C.AD_ID, pa.string())]), form):
            yield rows[C.AD_ID]
    except (OSError, ValueError, KeyError):
        yield None


def _is_any(column: "ChunkedArray", identifiers: Collection[str]) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(find_values(column, identifiers)).as_py())
