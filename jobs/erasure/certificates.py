"""Certificates: what a run did and found, signed, and kept in ``ledger.certificates``; they name nobody.

A certificate is JSON in its canonical form (RFC 8785). Signed with Ed25519 is that form without ``signature.value``.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rfc8785

from jobs.errors import SophiluxError, UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.signatures import ALGORITHM, Signer, encode_public_key, is_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LEDGER: Final = "ledger.certificates"
FORMAT_VERSION: Final = 1
PARTS: Final = ("format_version", "run_id", "requests", "tables", "identifiers", "verification", "signature")

Document = dict[str, Any]


def sign(document: Mapping[str, Any], signer: Signer) -> Document:
    """The certificate with its signature."""
    signature = {"algorithm": ALGORITHM, "key_id": signer.key_id, "public_key": encode_public_key(signer.public_key)}
    unsigned = {**document, "signature": signature}
    return {**unsigned, "signature": {**signature, "value": signer.sign(rfc8785.dumps(unsigned))}}


def write(document: Mapping[str, Any]) -> str:
    """The certificate's one form."""
    return rfc8785.dumps(dict(document)).decode()


def read(text: str) -> Document:
    """The certificate of a text.

    Raises:
        UsageError: it is none.
    """
    try:
        document = json.loads(text)
        # What has no canonical form, such as NaN or half a character, nobody signed.
        rfc8785.dumps(document)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not set(PARTS) <= set(document) or not isinstance(document["signature"], dict):
        message = "That is no certificate of erasure; give the file as 'sophilux retention certificate' wrote it."
        raise UsageError(message)
    if document["format_version"] != FORMAT_VERSION:
        message = f"The certificate has format {document['format_version']}, this program reads {FORMAT_VERSION}."
        raise UsageError(message)
    return document


def check_signature(document: Mapping[str, Any], key: "Ed25519PublicKey") -> None:
    """Hold a certificate against its signature.

    Raises:
        SophiluxError: somebody changed it, or it is from somebody else.
    """
    signature = {name: value for name, value in document["signature"].items() if name != "value"}
    if signature.get("public_key") != encode_public_key(key):
        message = (
            "The certificate was signed with another key than the ring's: it is from somebody else, or the key was "
            "replaced since. Give the public key of that time with --public-key."
        )
        raise SophiluxError(message)
    value = str(document["signature"].get("value", ""))
    if not is_signed(rfc8785.dumps({**document, "signature": signature}), value, key):
        message = "The certificate's signature does not hold: somebody changed it after it was signed."
        raise SophiluxError(message)


def keep(lake: Lake, document: Document, *, day: date, at: datetime) -> None:
    """Keep a certificate in the ledger; a second time changes nothing."""
    row = {
        C.DAY: day,
        C.RUN_ID: document["run_id"],
        C.DOCUMENT: write(document),
        C.SIGNING_KEY_ID: document["signature"]["key_id"],
        C.CREATED_AT: at,
    }
    lake.record(LEDGER, [row])


def find(lake: Lake, name: str) -> Document:
    """The certificate of a file, or of a run in the ledger.

    Raises:
        UsageError: there is neither; the message lists the latest runs.
    """
    path = Path(name)
    if path.is_file():
        try:
            return read(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            message = f"{name} cannot be read as text ({type(error).__name__})."
            raise UsageError(message) from None
    rows = list_kept(lake)
    for row in rows:
        if row[C.RUN_ID] == name:
            return read(row[C.DOCUMENT])
    known = ", ".join(row[C.RUN_ID] for row in rows[:5]) or "none"
    message = f"There is no certificate {name}, neither as a file nor of a run; the latest runs: {known}."
    raise UsageError(message)


def list_kept(lake: Lake) -> list[dict[str, Any]]:
    """Certificates in the ledger, the newest first."""
    return sorted(lake.read_records(LEDGER), key=lambda row: row[C.CREATED_AT], reverse=True)
