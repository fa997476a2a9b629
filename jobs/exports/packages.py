"""Packages for ad partners: ``exports/<partner>/<day>/`` with what changed in the partner's audience, and a manifest.

A package tells the changes since the last one that the partner acknowledged. Until it is acknowledged, the same day can
be exported again, which replaces the package by one of the same content, and a later day supersedes it.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import SophiluxError, UsageError
from jobs.exports import contents, delivery, members, register
from jobs.exports.identities import NO_ADDRESS
from jobs.exports.manifests import (
    MANIFEST,
    PackageFile,
    describe_package,
    digest_manifest,
    sign_manifest,
    write_manifest,
)
from jobs.exports.partners import Partner, find_partner, find_recipients, load_eligibility
from jobs.exports.plans import Plan, make_plan
from jobs.lake import Days, Lake, storage
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.privacy.eligibility import keep_eligible
from jobs.privacy.encryption import encrypt_file
from jobs.privacy.export_rules import ExportRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def package_folder(partner: str, day: date) -> str:
    """Folder of a package below the lake's home."""
    return f"exports/{partner}/{day}"


def export_partner(lake: Lake, partner: Partner, day: date, *, rules: ExportRules) -> dict[str, Any]:
    """Build one partner's package of a day, put it in place, deliver and register it.

    Args:
        lake: the lake.
        partner: who gets it.
        day: the day it is of.
        rules: the shop's rules for all partners.

    Returns:
        The manifest, and as ``excluded`` how many subjects each rule kept out, which the partner is not told.

    Raises:
        UsageError: the partner's kind has no packages, or it was sent this day or a later one.
        KeyRingError: a key was destroyed, is past its last day or cannot be read.
        SophiluxError: the package could not be delivered.
    """
    target = storage.join(lake.home, package_folder(partner.name, day))
    with storage.table_lock(lake.home, f"exports.{partner.name}", exclusive=True):
        plan = make_plan(lake, partner, day, rules)
        with delivery.draft_folder(target) as draft, contents.judge_subjects(lake, plan) as judged:
            manifest = _build(lake, plan, judged.frame, draft)
            excluded = contents.count_excluded(judged.frame, plan)
            package = delivery.put_in_place(draft, target)
            if partner.deliver_to:
                delivery.deliver(package, partner.deliver_to, str(day))
        entry = _register_entry(manifest, excluded, plan.conversions_until)
        register.record_sent(lake, entry)
        members.forget_others(lake, plan.books, partner.name, plan.name_package(entry[C.MANIFEST_SHA256]))
    return {**manifest, "excluded": excluded}


def run(lake: Lake, days: Days, *, part: str | None = None) -> StepReport:
    """Export the last day's packages of all partners, or of the one named by ``part``.

    Raises:
        SophiluxError: some could not be exported; the others were.
    """
    file = lake.settings.partners
    chosen = find_recipients(file) if part is None else [find_partner(file, part)]
    return export_all(lake, chosen, days.last, rules=load_eligibility(file))


def export_all(lake: Lake, partners: Iterable[Partner], day: date, *, rules: ExportRules) -> StepReport:
    """Export a day's packages of several partners.

    Raises:
        SophiluxError: some could not be exported; the others were.
    """
    rows, failed, warnings = 0, [], []
    for partner in partners:
        try:
            manifest = export_partner(lake, partner, day, rules=rules)
        except SophiluxError as error:
            failed.append(error)
            continue
        rows += sum(manifest["counts"].values())
        missing = manifest["excluded"].get(NO_ADDRESS, 0)
        warnings += [f"{partner.name}: {missing:,} subjects have no address that its profile takes"] if missing else []
    if failed:
        raise _join_errors(failed)
    return StepReport(rows_out=rows, warnings=warnings)


def _build(lake: Lake, plan: Plan, judged: "DataFrame", draft: Path) -> dict[str, Any]:
    """Write a whole package into a draft, and keep what it changes until it is acknowledged."""
    audience = keep_eligible(judged)
    with lake.scratch(contents.find_changes(lake, plan, audience)) as changes:
        files = contents.write_files(lake, plan, audience=audience, changes=changes.frame, draft=draft)
        manifest = _write_manifest(lake, plan, files, draft)
        members.record_changes(
            lake,
            plan.books,
            changes.frame,
            package_id=plan.name_package(digest_manifest(write_manifest(manifest))),
            partner=plan.partner.name,
            day=plan.day,
            epoch=plan.identifiers.epoch,
            key_id=plan.identifiers.key_id,
        )
    return manifest


def _write_manifest(lake: Lake, plan: Plan, files: list[PackageFile], draft: Path) -> dict[str, Any]:
    manifest = sign_manifest(describe_package(plan.heading, files, lake.contracts), plan.signer)
    path = draft / MANIFEST
    path.write_bytes(write_manifest(manifest))
    if plan.partner.encrypt_to:
        encrypt_file(path, plan.partner.encrypt_to)
    return manifest


def _join_errors(errors: list[SophiluxError]) -> SophiluxError:
    if len(errors) == 1:
        return errors[0]
    kind = UsageError if all(isinstance(error, UsageError) for error in errors) else SophiluxError
    return kind(" ".join(str(error) for error in errors))


def _register_entry(manifest: Mapping[str, Any], excluded: dict[str, int], conversions_until: date) -> register.Entry:
    day, counts, partner = date.fromisoformat(manifest["day"]), manifest["counts"], manifest["partner"]
    return {
        C.DAY: day,
        C.PARTNER: partner,
        C.PACKAGE: f"{partner}/{day}",
        C.KIND: manifest["kind"],
        C.STATE: register.SENT,
        C.FIRST_DAY: date.fromisoformat(manifest["period"]["first"]),
        C.CONVERSIONS_UNTIL: conversions_until,
        C.FOLLOWS: manifest["follows"] and manifest["follows"]["manifest_sha256"],
        C.EPOCH: manifest["identifiers"]["epoch"],
        C.KEY_ID: manifest["identifiers"]["key_id"],
        C.SIGNING_KEY_ID: manifest["signature"]["key_id"],
        C.POLICY_VERSION: manifest["policy_version"],
        C.ADDITION_ROWS: counts["additions"],
        C.REMOVAL_ROWS: counts["removals"],
        C.APP_INSTALL_ROWS: counts["app_installs"],
        C.CONVERSION_ROWS: counts["conversions"],
        C.EXCLUDED: json.dumps(excluded),
        C.MANIFEST_SHA256: digest_manifest(write_manifest(manifest)),
        C.EXPORTED_AT: datetime.now(UTC),
        C.ACKNOWLEDGED_AT: None,
    }
