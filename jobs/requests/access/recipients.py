"""To whom data about the person went: every package of the register, and whether it had an identifier of theirs.

What a package held is read from its files as long as they are kept; of one that is encrypted, or of a list for a
PAIR exchange, nobody but its receiver can tell.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from jobs.exports.manifests import KINDS, MANIFEST
from jobs.exports.register import REGISTER
from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.lake.shards import CSV
from jobs.people.identifiers import list_ad_ids
from jobs.people.person import Person
from jobs.privacy.encryption import SUFFIX

if TYPE_CHECKING:
    import pyarrow as pa

EXPORTS: Final = "exports"
TOLD: Final = {
    "additions": "your identifier with country and interest",
    "removals": "to remove your identifier",
    "app_installs": "apps not to be advertised to you",
    "conversions": "purchases of yours",
}
NOT_READABLE: Final = "not known: only the receiver can read this package"
NOT_KEPT: Final = "not known: the package is not kept here any more"
IDENTIFIERS: Final = {
    "opaque": "an identifier that only this partner gets, and that cannot be turned back into your address",
    "shared-key": "an identifier made of your address with a key that the partner shares with us",
    "platform": "a hash of your address, as the platform demands it",
    "pair": "an encrypted identifier that can only be matched together with the partner",
}


@dataclass(frozen=True)
class Handover:
    """One package: what it told about the person; empty where nothing, or why that is not known."""

    day: date
    told: tuple[str, ...] = ()
    unknown: str | None = None


@dataclass(frozen=True)
class Recipient:
    """A partner that packages went to, the first first."""

    partner: str
    identifiers: str
    handovers: tuple[Handover, ...] = field(default=())

    @property
    def told(self) -> tuple[Handover, ...]:
        """Packages that told about the person."""
        return tuple(handover for handover in self.handovers if handover.told)

    @property
    def unknown(self) -> tuple[Handover, ...]:
        """Packages of which nobody can tell any more."""
        return tuple(handover for handover in self.handovers if handover.unknown)


def find_recipients(lake: Lake, person: Person) -> list[Recipient]:
    """Every partner of the register, with what its packages told about the person."""
    identifiers = list_ad_ids(lake, [person])
    entries = sorted(lake.read_records(REGISTER), key=lambda row: (row[C.PARTNER], row[C.DAY]))
    partners = {entry[C.PARTNER]: entry[C.KIND] for entry in entries}
    return [
        Recipient(
            partner,
            IDENTIFIERS.get(kind, kind),
            tuple(_look_into(lake, entry, identifiers) for entry in entries if entry[C.PARTNER] == partner),
        )
        for partner, kind in partners.items()
    ]


def _look_into(lake: Lake, entry: dict[str, Any], identifiers: Collection[str]) -> Handover:
    folder = storage.join(lake.home, EXPORTS, entry[C.PACKAGE])
    manifest = _read_manifest(folder)
    if manifest is None:
        return Handover(entry[C.DAY], unknown=NOT_READABLE if _is_encrypted(folder) else NOT_KEPT)
    files = {name: said["kind"] for name, said in manifest["files"].items() if said["kind"] in KINDS}
    if len(files) < len(manifest["files"]) or any(name.endswith(SUFFIX) for name in files):
        return Handover(entry[C.DAY], unknown=NOT_READABLE)
    kinds = {kind for name, kind in files.items() if _holds(folder, name, manifest["format"], identifiers)}
    return Handover(entry[C.DAY], tuple(TOLD[kind] for kind in KINDS if kind in kinds))


def _is_encrypted(folder: str) -> bool:
    from pyarrow import fs

    system, path = storage.filesystem(folder)
    found = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return any(info.base_name.endswith(SUFFIX) for info in found)


def _read_manifest(folder: str) -> dict[str, Any] | None:
    system, path = storage.filesystem(storage.join(folder, MANIFEST))
    try:
        with system.open_input_stream(path) as stream:
            manifest: dict[str, Any] = json.loads(stream.read())
    except (OSError, ValueError):
        return None
    return manifest


def _holds(folder: str, name: str, format_: str, identifiers: Collection[str]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(identifiers), pa.string())
    return any(pc.any(pc.is_in(ids, value_set=wanted)).as_py() for ids in _read_ids(folder, name, format_))


def _read_ids(folder: str, name: str, format_: str) -> "Iterator[pa.Array]":
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow import parquet as pq

    system, path = storage.filesystem(storage.join(folder, name))
    if format_ != CSV:
        with system.open_input_file(path) as source, pq.ParquetFile(source) as file:
            yield from (batch.column(0) for batch in file.iter_batches(columns=[C.AD_ID]))
        return
    options = csv.ConvertOptions(column_types={C.AD_ID: pa.string()}, include_columns=[C.AD_ID])
    parsing = csv.ParseOptions(newlines_in_values=True)
    with (
        system.open_input_stream(path, compression="zstd") as source,
        csv.open_csv(source, parse_options=parsing, convert_options=options) as reader,
    ):
        yield from (batch.column(0) for batch in reader)
