"""A package's manifest: what the package is, what every file must be, and the signature over both.

The file holds the canonical form of its JSON (RFC 8785) and nothing else, so that no byte of it can change unnoticed.
Signed is the canonical form without ``signature.value``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import rfc8785
from jsonschema import Draft202012Validator

from jobs.exports.checksums import FileFacts, hash_bytes
from jobs.exports.identities import Identifiers
from jobs.exports.partners import PAIR, Partner
from jobs.lake import Days
from jobs.lake.contracts import Contract
from jobs.privacy.signatures import ALGORITHM, Signer, encode_public_key

MANIFEST: Final = "manifest.json"
FORMAT_VERSION: Final = 3
KINDS: Final = ("additions", "removals", "app_installs", "conversions")
LIST: Final = "pair_identifiers"
"""The one kind of rows of a partner of kind ``pair``."""
SCHEMA_FILE: Final = Path(__file__).with_name("manifest.schema.json")


@dataclass(frozen=True)
class PackageFile:
    """One file of a package; ``facts`` are those of the file as it is handed over.

    Attributes:
        kind: one of :data:`KINDS`, or :data:`LIST`.
        sha256: of the content; for an encrypted file, of what decryption gives.
    """

    kind: str
    shard: int
    rows: int
    facts: FileFacts
    sha256: str


@dataclass(frozen=True)
class Heading:
    """What a package is.

    Attributes:
        period: first and last day since the package it follows; the last is the package's day.
        follows: day and digest of the acknowledged package that this one builds on.
        policy_version: the privacy policy that consent was given under.
        conversions: days of the purchases it tells; none where no week was over.
        clicks_until: last day whose clicks are in its segments and apps; none where no day's are.
    """

    partner: Partner
    period: tuple[date, date]
    follows: tuple[date, str] | None
    identifiers: Identifiers
    policy_version: str
    conversions: Days | None = None
    clicks_until: date | None = None


def describe_package(
    heading: Heading, files: Sequence[PackageFile], contracts: Mapping[str, Contract]
) -> dict[str, Any]:
    """The manifest without its signature."""
    partner, (first, last) = heading.partner, heading.period
    kinds = (LIST,) if partner.kind == PAIR else KINDS
    days = heading.conversions
    told = {
        "conversions": days and {"first": str(days.first), "last": str(days.last)},
        "clicks_until": heading.clicks_until and str(heading.clicks_until),
    }
    follows = heading.follows and {"day": str(heading.follows[0]), "manifest_sha256": heading.follows[1]}
    return {
        "format_version": FORMAT_VERSION,
        "partner": partner.name,
        "kind": partner.kind,
        "day": str(last),
        "period": {"first": str(first), "last": str(last)},
        "follows": follows,
        **({} if partner.kind == PAIR else told),
        "identifiers": heading.identifiers.describe(),
        "policy_version": heading.policy_version,
        "format": partner.format,
        "encryption": "age" if partner.encrypt_to else "none",
        "counts": {kind: sum(file.rows for file in files if file.kind == kind) for kind in kinds},
        "files": {file.facts.name: _describe_file(file) for file in files},
        "schemas": {kind: _describe_schema(contracts[f"exports.{kind}"]) for kind in kinds},
    }


def sign_manifest(manifest: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The manifest with its signature."""
    public_key = encode_public_key(signer.public_key)
    signature = {"algorithm": ALGORITHM, "key_id": signer.key_id, "public_key": public_key}
    unsigned = {**manifest, "signature": signature}
    return {**unsigned, "signature": {**signature, "value": signer.sign(rfc8785.dumps(unsigned))}}


def signed_part(manifest: Mapping[str, Any]) -> bytes:
    """What the signature of a manifest is over."""
    signature = {name: value for name, value in manifest["signature"].items() if name != "value"}
    return rfc8785.dumps({**manifest, "signature": signature})


def write_manifest(manifest: Mapping[str, Any]) -> bytes:
    """The manifest's file."""
    return rfc8785.dumps(dict(manifest))


def read_manifest(content: bytes) -> dict[str, Any]:
    """The manifest of a file's content.

    Raises:
        ValueError: the content is no manifest of this format, in words.
    """
    try:
        manifest = json.loads(content)
        mistakes = sorted(error.json_path for error in _validator().iter_errors(manifest))
        is_canonical = not mistakes and rfc8785.dumps(manifest) == content
    except (ValueError, RecursionError):
        message = "it is no JSON"
        raise ValueError(message) from None
    if mistakes:
        message = f"it is no manifest of format {FORMAT_VERSION} (see {', '.join(mistakes[:5])})"
        raise ValueError(message)
    if not is_canonical:
        message = "it is not in the one form that a manifest is written in (RFC 8785)"
        raise ValueError(message)
    return dict(manifest)


def digest_manifest(content: bytes) -> str:
    """What a package is known by in the register: SHA-256 of its manifest, not encrypted."""
    return hash_bytes(content)


def _describe_file(file: PackageFile) -> dict[str, Any]:
    return {
        "kind": file.kind,
        "shard": file.shard,
        "rows": file.rows,
        "bytes": file.facts.bytes,
        "xxh3_128": file.facts.xxh3_128,
        "sha256": file.sha256,
    }


def _describe_schema(contract: Contract) -> dict[str, Any]:
    columns = [{"name": c.name, "type": c.type, "required": c.required} for c in contract.columns]
    return {"contract": contract.name, "version": contract.version, "columns": columns}


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
