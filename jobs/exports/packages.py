"""Packages for ad partners: ``exports/<partner>/<day>/`` with two Parquet files and a manifest.

A package is there as a whole or not at all. On this machine it is built beside its place and renamed; on an object
store the manifest is written last, and a folder without one is no package. A re-run replaces the package with the
same identifiers, because they depend on the partner's key of the calendar quarter only.
"""

import json
import secrets
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.exports import audiences
from jobs.exports.partners import Partner, load_partners
from jobs.lake import Days, Lake, storage
from jobs.lake import columns as C
from jobs.lake.packages import PackageFile, write_package_file
from jobs.lake.reports import StepReport
from jobs.privacy.choices import apply_choices
from jobs.privacy.eligibility import REASONS, add_exclusion, keep_eligible
from jobs.privacy.keyring import Key, KeyRing, partner_purpose
from jobs.privacy.pseudonyms import key_relation
from jobs.settings import is_remote

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REGISTER: Final = "ledger.exports"
AUDIENCE: Final = "exports.audience"
APP_INSTALLS: Final = "exports.app_installs"
MANIFEST: Final = "manifest.json"
FORMAT_VERSION: Final = 1


def name_epoch(day: date) -> str:
    """The calendar quarter whose key a day's identifiers are made with, such as ``2026Q4``."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def package_folder(partner: str, day: date) -> str:
    """Folder of a package below the lake's home."""
    return f"exports/{partner}/{day}"


def export_partner(lake: Lake, partner: Partner, day: date) -> dict[str, Any]:
    """Build one partner's package of a day, put it in place and register it.

    Returns:
        The manifest, and as ``excluded`` how many subjects each rule kept out, which the partner is not told.

    Raises:
        KeyRingError: the partner's key of the epoch was destroyed.
    """
    subjects = lake.read("lake.subjects").transform(apply_choices, lake.read("ledger.choices"))
    clicks = lake.read("lake.clicks")
    segments = audiences.find_segments(clicks, lake.read("lake.products"), subjects, day=day)
    installs = audiences.find_installs(clicks, subjects, day=day)
    key = KeyRing(lake.settings.keyring).key(partner_purpose(partner.name, name_epoch(day)))
    target = storage.join(lake.home, package_folder(partner.name, day))
    judged = subjects.transform(add_exclusion, day=day, countries=partner.countries)
    with storage.table_lock(lake.home, f"exports.{partner.name}", exclusive=True), lake.scratch(judged) as scratch:
        draft = _begin(target)
        try:
            keys = key_relation(lake.session, **{audiences.AD_KEY: key})
            eligible = keep_eligible(scratch.frame)
            files = [
                _write(lake, AUDIENCE, audiences.build_audience(eligible, segments, keys), draft),
                _write(lake, APP_INSTALLS, audiences.build_app_installs(eligible, installs, keys), draft),
            ]
            manifest = _describe(lake, partner, day, key, files)
            excluded = count_excluded(scratch.frame)
            _finish(draft, target, manifest)
        except BaseException:
            storage.remove_folder(draft)
            raise
    done = {**manifest, "excluded": excluded}
    lake.record(REGISTER, [_register_row(done, day)])
    return done


def count_excluded(judged: "DataFrame") -> dict[str, int]:
    """Subjects kept out by reason; every reason is named, also with none."""
    counted = judged.where(F.col(C.REASON).isNotNull()).groupBy(C.REASON).count().collect()
    found = {row[C.REASON]: row["count"] for row in counted}
    return {reason: found.get(reason, 0) for reason in REASONS}


def run(lake: Lake, days: Days) -> StepReport:
    """Export the last day's packages of all partners."""
    partners = load_partners(lake.settings.partners)
    manifests = [export_partner(lake, partner, days.last) for partner in partners]
    rows = sum(file["rows"] for manifest in manifests for file in manifest["files"].values())
    return StepReport(rows_out=rows)


def _write(lake: Lake, table: str, rows: "DataFrame", folder: str) -> PackageFile:
    name = table.partition(".")[2]
    return write_package_file(lake, rows, lake.contracts[table], storage.join(folder, f"{name}.parquet"))


def _describe(lake: Lake, partner: Partner, day: date, key: Key, files: list[PackageFile]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for file, table in zip(files, (AUDIENCE, APP_INSTALLS), strict=True):
        contract = lake.contracts[table]
        facts = {name: value for name, value in asdict(file).items() if name != "name"}
        schema = [{"name": column.name, "type": column.type} for column in contract.columns]
        described[file.name] = {"contract": table, "contract_version": contract.version, **facts, "schema": schema}
    return {
        "format_version": FORMAT_VERSION,
        "partner": partner.name,
        "day": str(day),
        "epoch": name_epoch(day),
        "key_id": key.key_id,
        "files": described,
    }


def _register_row(manifest: dict[str, Any], day: date) -> dict[str, Any]:
    files = manifest["files"]
    return {
        C.DAY: day,
        C.PARTNER: manifest["partner"],
        C.PACKAGE: f"{manifest['partner']}/{day}",
        C.EPOCH: manifest["epoch"],
        C.KEY_ID: manifest["key_id"],
        C.AUDIENCE_ROWS: files["audience.parquet"]["rows"],
        C.APP_INSTALL_ROWS: files["app_installs.parquet"]["rows"],
        C.EXCLUDED: json.dumps(manifest["excluded"]),
        C.EXPORTED_AT: datetime.now(UTC),
    }


def _begin(target: str) -> str:
    """Folder to build a package in; what a crashed run of the same package left is removed."""
    if is_remote(target):
        storage.remove_folder(target)
        return target
    place = Path(target)
    for left in place.parent.glob(f".{place.name}.*"):
        storage.remove_folder(str(left))
    return str(place.with_name(f".{place.name}.{secrets.token_hex(8)}"))


def _finish(draft: str, target: str, manifest: dict[str, Any]) -> None:
    system, path = storage.filesystem(storage.join(draft, MANIFEST))
    with system.open_output_stream(path) as sink:
        sink.write(json.dumps(manifest, indent=1).encode())
    if draft == target:
        return
    place = Path(target)
    if place.exists():
        place.rename(place.with_name(f".{place.name}.{secrets.token_hex(8)}"))
    Path(draft).rename(place)
    for left in place.parent.glob(f".{place.name}.*"):
        storage.remove_folder(str(left))
