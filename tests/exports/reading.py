"""Packages as a partner reads them."""

import json
from pathlib import Path

import pyarrow as pa

from jobs.exports.packages import export_partner
from jobs.exports.partners import Partner
from jobs.lake.shards import read_shard
from jobs.lake.types import arrow_schema
from jobs.privacy.epochs import epoch_of
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.identifiers import ad_id_text
from jobs.privacy.keyring import open_keyring, partner_purpose

from .conftest import DAY

EUROPE = Partner("adnet-eu", ("DE", "FR"), minimum_segment=1)
WORLD = Partner("worldads", ("all",), minimum_segment=1)
RULES = ExportRules()
SHARED = Partner("loyalty", ("all",), kind="shared-key", profile="google", minimum_segment=1)
PLATFORM = Partner("bigads", ("all",), kind="platform", platform="meta", accept_reversible=True,
                   reason="the platform takes nothing else", minimum_segment=1)  # fmt: skip


def export(lake, partner=EUROPE, day=DAY, rules=RULES) -> dict:
    return export_partner(lake, partner, day, rules=rules)


def folder(lake, partner=EUROPE, day=DAY) -> Path:
    return Path(lake.home) / "exports" / partner.name / str(day)


def contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


def read_manifest(place: Path) -> dict:
    return json.loads((place / "manifest.json").read_bytes())


def read_rows(place: Path, kind: str) -> list[dict]:
    manifest = read_manifest(place)
    columns = manifest["schemas"][kind]["columns"]
    schema = arrow_schema((column["name"], column["type"]) for column in columns)
    files = sorted(name for name, file in manifest["files"].items() if file["kind"] == kind)
    pieces = [piece for name in files for piece in read_shard(place / name, schema, manifest["format"])]
    return pa.concat_tables(pieces).to_pylist()


def read(lake, kind, partner=EUROPE, day=DAY) -> list[dict]:
    return read_rows(folder(lake, partner, day), kind)


def ids(lake, kind="additions", partner=EUROPE, day=DAY) -> set[str]:
    found = [row["ad_id"] for row in read(lake, kind, partner, day)]
    assert len(found) == len(set(found)) or kind in ("app_installs", "conversions")
    return set(found)


def make_id(lake, subject_id, partner=EUROPE, day=DAY) -> str:
    purpose = partner_purpose(partner.name, epoch_of(day, partner.epoch).name)
    return ad_id_text(subject_id, open_keyring(lake.settings).key(purpose))
