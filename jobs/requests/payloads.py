"""What a person wrote with a request, sealed in ``vault.request_payloads`` until the request is answered, then gone.

The ledger knows pseudonyms only. Whoever works on a request may need the address it came with, and the values that a
correction is to have; both are sealed with AES-256-GCM (NIST SP 800-38D) under a key of the ring, so that neither a
copy of the lake nor an old version of the table tells them.
"""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jobs.errors import KeyRingError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.editing import edit_rows
from jobs.lake.history import forget_versions
from jobs.lake.parquet.rewriting import drop_found
from jobs.lake.pending import removing_rows
from jobs.privacy.keyring import open_keyring
from jobs.privacy.subject_ids import bucket_of

if TYPE_CHECKING:
    import pyarrow as pa

PAYLOADS: Final = "vault.request_payloads"
PURPOSE: Final = "requests"
NONCE_BYTES: Final = 12
EMAIL: Final = C.EMAIL
VALUES: Final = "values"

Payload = Mapping[str, Any]


def keep_payloads(lake: Lake, contents: Mapping[str, Payload], subjects: Mapping[str, str], at: datetime) -> None:
    """Seal what came with requests.

    Args:
        lake: the lake.
        contents: what to keep, by request.
        subjects: ``subject_id`` by request.
        at: when the requests came in.
    """
    if not contents:
        return
    key = open_keyring(lake.settings).key(PURPOSE)
    cipher = AESGCM(key.secret)
    rows = []
    for request_id, content in contents.items():
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, json.dumps(content).encode(), request_id.encode())
        subject = subjects[request_id]
        rows.append(
            {
                C.REQUEST_ID: request_id,
                C.SUBJECT_ID: subject,
                C.SUBJECT_BUCKET: bucket_of(subject),
                C.CONTENT: b64encode(sealed).decode(),
                C.KEY_ID: key.key_id,
                C.RECEIVED_AT: at,
            }
        )
    lake.record(PAYLOADS, rows)


def open_payloads(lake: Lake, request_ids: Collection[str]) -> dict[str, Payload]:
    """What came with requests, for those of which it is still there.

    Raises:
        KeyRingError: the ring has another key than the payloads were sealed with.
    """
    wanted = set(request_ids)
    rows = [row for row in lake.read_records(PAYLOADS) if row[C.REQUEST_ID] in wanted] if wanted else []
    if not rows:
        return {}
    cipher = AESGCM(open_keyring(lake.settings).key(PURPOSE, may_make=False).secret)
    return {row[C.REQUEST_ID]: _open(cipher, row) for row in rows}


def write_payload(payload: Payload) -> str:
    """What came with a request as text that people can read."""
    values = payload.get(VALUES) or {}
    return "; ".join([f"{EMAIL}: {payload.get(EMAIL, '')}", *(f"{name}: {value}" for name, value in values.items())])


def drop_payloads(lake: Lake, request_ids: Collection[str]) -> None:
    """Remove what came with requests, also from old versions of the table; a second time finishes a first that died."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not lake.exists(PAYLOADS):
        return
    wanted = pa.array(sorted(request_ids), pa.string())

    def find(rows: "pa.Table") -> "pa.ChunkedArray":
        return pc.is_in(rows[C.REQUEST_ID], value_set=wanted)

    with removing_rows(lake.home, PAYLOADS):
        edit_rows(lake, PAYLOADS, columns=[C.REQUEST_ID], find=find, edit=drop_found)
        forget_versions(lake, PAYLOADS)


def find_payloads_without_use(lake: Lake, waiting: Collection[str], *, before: datetime) -> list[str]:
    """Requests whose payload of before a time is still there although they are answered, or were never recorded."""
    old = {row[C.REQUEST_ID] for row in lake.read_records(PAYLOADS) if row[C.RECEIVED_AT] < before}
    return sorted(old - set(waiting))


def _open(cipher: AESGCM, row: Mapping[str, Any]) -> Payload:
    sealed = b64decode(row[C.CONTENT])
    try:
        opened = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row[C.REQUEST_ID].encode())
    except InvalidTag:
        opened = None
    if opened is None:
        message = (
            f"What came with request {row[C.REQUEST_ID]} is sealed with key {row[C.KEY_ID]} for {PURPOSE}, which the "
            "ring does not have; restore it from its backup."
        )
        raise KeyRingError(message)
    content: Payload = json.loads(opened)
    return content
