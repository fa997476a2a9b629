"""Packages for partners of kind ``pair``: one whole list of encrypted identifiers, with a signed manifest.

The list goes to the publisher's clean room, which adds its layer and matches; what we do with the publisher's list is
in :mod:`jobs.exports.pair.exchange`.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.errors import UsageError
from jobs.exports import delivery, register
from jobs.exports.checksums import measure_file
from jobs.exports.identities import NO_ADDRESS
from jobs.exports.manifests import (
    LIST,
    MANIFEST,
    Heading,
    PackageFile,
    describe_package,
    digest_manifest,
    sign_manifest,
    write_manifest,
)
from jobs.exports.pair.exchange import MINIMUM_LIST
from jobs.exports.pair.files import write_identifiers
from jobs.exports.pair.lists import PairList, encrypt_list
from jobs.exports.partners import PAIR, Partner
from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.privacy.eligibility import REASONS, SMALL_SEGMENT, add_exclusion
from jobs.privacy.encryption import encrypt_file
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.keyring import open_keyring
from jobs.privacy.rights.choices import apply_choices
from jobs.privacy.signatures import open_signer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NO_POLICY: Final = "none"
SUFFIXES: Final = {"parquet": ".parquet", "csv": ".csv"}


def export_list(
    lake: Lake, partner: Partner, day: date, *, rules: ExportRules, minimum: int = MINIMUM_LIST
) -> dict[str, Any]:
    """Make the list of a day for a partner of kind ``pair``, put it in place, deliver and register it.

    Each list is whole and stands for itself: whoever is no longer in it is no longer matched.

    Args:
        lake: the lake.
        partner: the publisher.
        day: the day of the list; it decides which keys are used.
        rules: the shop's rules for all partners.
        minimum: people the list must have.

    Returns:
        The manifest, and as ``excluded`` how many subjects each rule kept out, which the partner is not told.

    Raises:
        UsageError: the partner was sent a later list, or packages of another kind.
        KeyRingError: there is no shared secret for the day, or a key was destroyed.
        ListTooSmallError: fewer people are eligible.
        SophiluxError: the list could not be delivered.
    """
    target = storage.join(lake.home, "exports", partner.name, str(day))
    with storage.table_lock(lake.home, f"exports.{partner.name}", exclusive=True):
        entries = register.list_entries(lake, partner.name)
        register.check_is_next(entries, partner.name, day)
        _check_kind(entries, partner)
        with delivery.draft_folder(target) as draft, lake.scratch(judge(lake, partner, day, rules)) as judged:
            made = encrypt_list(lake, partner, judged.frame, day, minimum=minimum)
            manifest = _write_package(lake, partner, day, rules, made, draft)
            excluded = {**count_reasons(judged.frame), NO_ADDRESS: made.no_address}
            package = delivery.put_in_place(draft, target)
            if partner.deliver_to:
                delivery.deliver(package, partner.deliver_to, str(day))
        register.record_sent(lake, _register_entry(manifest, excluded))
    return {**manifest, "excluded": excluded}


def judge(lake: Lake, partner: Partner, day: date, rules: ExportRules) -> "DataFrame":
    """All subjects with the reason that keeps them out, if any; the list tells no segments, so none is too small."""
    subjects = lake.read("lake.subjects").transform(apply_choices, lake.read("ledger.choices"))
    nobody = lake.session.createDataFrame([], f"{C.PERSON_ID} string, {C.SEGMENT} string")
    return subjects.transform(
        add_exclusion,
        lake.read("ledger.requests"),
        nobody,
        rules=rules,
        day=day,
        countries=partner.countries,
        minimum_segment=1,
    )


def count_reasons(judged: "DataFrame") -> dict[str, int]:
    """Subjects kept out by reason; every reason is named, also with none."""
    counted = judged.where(F.col(C.REASON).isNotNull()).groupBy(C.REASON).count().collect()
    found = {row[C.REASON]: row["count"] for row in counted}
    return {reason: found.get(reason, 0) for reason in REASONS if reason != SMALL_SEGMENT}


def _check_kind(entries: list[register.Entry], partner: Partner) -> None:
    """A list removes nobody from what packages of another kind told a partner, so that partner gets none."""
    former = {entry[C.KIND] for entry in entries} - {PAIR}
    if former:
        message = (
            f"{partner.name} was sent packages of kind {', '.join(sorted(former))} and is of kind {PAIR} now; "
            "declare the new kind as a partner with a name of its own."
        )
        raise UsageError(message)


def _write_package(
    lake: Lake, partner: Partner, day: date, rules: ExportRules, made: PairList, draft: Path
) -> dict[str, Any]:
    path = draft / f"{LIST}-0000{SUFFIXES[partner.format]}"
    write_identifiers(str(path), made.points)
    plain = facts = measure_file(path)
    if partner.encrypt_to:
        facts = measure_file(encrypt_file(path, partner.encrypt_to))
    file = PackageFile(LIST, 0, len(made.points), facts, plain.sha256)
    heading = Heading(partner, (day, day), None, made.identifiers, str(rules.policy_valid_from or NO_POLICY))
    described = {**describe_package(heading, [file], lake.contracts), "pair": made.facts}
    manifest = sign_manifest(described, open_signer(open_keyring(lake.settings)))
    (draft / MANIFEST).write_bytes(write_manifest(manifest))
    if partner.encrypt_to:
        encrypt_file(draft / MANIFEST, partner.encrypt_to)
    return manifest


def _register_entry(manifest: Mapping[str, Any], excluded: Mapping[str, int]) -> register.Entry:
    """A list in the register of packages: all of its rows are additions, and nothing waits for an acknowledgement."""
    day, partner = date.fromisoformat(manifest["day"]), manifest["partner"]
    return {
        C.DAY: day,
        C.PARTNER: partner,
        C.PACKAGE: f"{partner}/{day}",
        C.KIND: manifest["kind"],
        C.STATE: register.SENT,
        C.FIRST_DAY: day,
        C.CONVERSIONS_UNTIL: None,
        C.FOLLOWS: None,
        C.EPOCH: manifest["identifiers"]["epoch"],
        C.KEY_ID: manifest["identifiers"]["key_id"],
        C.SIGNING_KEY_ID: manifest["signature"]["key_id"],
        C.POLICY_VERSION: manifest["policy_version"],
        C.ADDITION_ROWS: manifest["counts"][LIST],
        C.REMOVAL_ROWS: 0,
        C.APP_INSTALL_ROWS: 0,
        C.CONVERSION_ROWS: 0,
        C.EXCLUDED: json.dumps(excluded),
        C.MANIFEST_SHA256: digest_manifest(write_manifest(manifest)),
        C.EXPORTED_AT: datetime.now(UTC),
        C.ACKNOWLEDGED_AT: None,
    }
