"""Keyed pseudonyms computed by the engine: HMAC-SHA-256 (RFC 2104), 128 bits kept, 32 lowercase hex digits.

A key must not stand in a query plan, so it enters as a one-row relation that is cross-joined; plans then show the
name of a column, never its value. The relation holds the two padded keys of HMAC, so each digest costs two ``sha2``.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.privacy.declarations import KEYED_DIGEST, declare
from jobs.privacy.keyring import Key
from jobs.privacy.subject_ids import BUCKETS, DIGITS, find_subject_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

BLOCK_BYTES: Final = 64
INNER_PAD: Final = 0x36
OUTER_PAD: Final = 0x5C


def key_relation(session: "SparkSession", **keys: Key) -> "DataFrame":
    """One row with two binary columns per key, ``_<name>_inner`` and ``_<name>_outer``."""
    return session.createDataFrame(_pad_keys(keys))


def subject_keys(lake: Lake) -> "DataFrame":
    """The key relation of ``subject_id``, with the name ``subject``.

    Raises:
        KeyRingError: the ring has no such key although the lake holds pseudonyms made with one; a new key would
            give everybody a second pseudonym, and nobody could be found under the first.
    """
    return key_relation(lake.session, subject=find_subject_key(lake))


def keyed_digest(text: "Column", name: str) -> "Column":
    """HMAC of a text column under the key that :func:`key_relation` calls ``name``; null stays null."""
    inner = F.sha2(F.concat(F.col(f"_{name}_inner"), text.cast("binary")), 256)
    outer = F.sha2(F.concat(F.col(f"_{name}_outer"), F.unhex(inner)), 256)
    return declare(KEYED_DIGEST, F.substring(outer, 1, DIGITS))


def subject_bucket(subject_id: "Column") -> "Column":
    """Number from 0 to 255 that files are clustered by; null stays null."""
    bucket = F.pmod(F.xxhash64(subject_id), F.lit(BUCKETS)).cast("int")
    return F.when(subject_id.isNotNull(), bucket)


def with_keys(rows: "DataFrame", keys: "DataFrame") -> "DataFrame":
    """Rows with the key columns beside them, for :func:`keyed_digest`; the caller's last select drops them."""
    return rows.crossJoin(F.broadcast(keys))


def _pad_keys(keys: "Mapping[str, Key]") -> "pa.Table":
    """The relation; made apart, so that no frame of ours holds a key while the engine is asked."""
    import pyarrow as pa

    columns: dict[str, pa.Array] = {}
    for name, key in keys.items():
        block = key.secret.ljust(BLOCK_BYTES, b"\0")
        columns[f"_{name}_inner"] = pa.array([bytes(b ^ INNER_PAD for b in block)], pa.binary())
        columns[f"_{name}_outer"] = pa.array([bytes(b ^ OUTER_PAD for b in block)], pa.binary())
    return pa.table(columns)
