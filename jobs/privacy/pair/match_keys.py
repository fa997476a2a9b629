"""Match keys of PAIR 1.1: from an address's SHA-256 to the 64 bytes that are mapped onto the group.

The protocol leaves two things open that both sides must do alike: how a match key is hashed with the secret they
share, and how the result becomes a point. Here it is done as in the public implementation of a clean room: SHA-256
over the secret followed by the hex digits, SHA-512 over that, and the map of RFC 9496, section 4.3.4. Where a clean
room adds the third layer itself there is no secret, and nothing stands before the digits.

References:
    IAB Tech Lab, PAIR 1.1, 2025, "Canonical representation of Common Match keys" and "Two Data Clean Rooms".
    Optable, match 1.4.0, package pair, 2024.
"""

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

SHARED_COLUMN: Final = "_shared_secret"


def make_seed(digits: str, shared: bytes) -> bytes:
    """The 64 bytes of one match key.

    Args:
        digits: SHA-256 of the address under profile ``pair``, as 64 lowercase hex digits.
        shared: the secret that publisher and advertiser share; empty where a clean room adds the third layer.
    """
    salted = Hash(SHA256())
    salted.update(shared + digits.encode())
    spread = Hash(SHA512())
    spread.update(salted.finalize())
    return spread.finalize()


def secret_relation(session: "SparkSession", shared: bytes) -> "DataFrame":
    """One row with the shared secret, to cross-join, because a plan must not show it."""
    import pyarrow as pa

    return session.createDataFrame(pa.table({SHARED_COLUMN: pa.array([shared], pa.binary())}))


def match_seed(digits: "Column") -> "Column":
    """:func:`make_seed` of a column beside :func:`secret_relation`, as binary; null stays null."""
    salted = F.sha2(F.concat(F.col(SHARED_COLUMN), F.encode(digits, "UTF-8")), 256)
    return F.unhex(F.sha2(F.unhex(salted), 512))
