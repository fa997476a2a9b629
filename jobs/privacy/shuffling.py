"""The order of a package's rows: by a keyed digest of the identifier, so that no two orders can be lined up.

The key of an order is derived (HKDF, RFC 5869) from the ring's ``shuffle`` key for one partner and epoch.
"""

from typing import TYPE_CHECKING, Final

from jobs.privacy.keyring import SHUFFLE, Key, KeyRing
from jobs.privacy.pseudonyms import key_relation, keyed_digest, with_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

INFO: Final = "sophilux row order"
NAME: Final = "order"


def order_key(ring: KeyRing, partner: str, epoch: str | None) -> Key:
    """The key of a partner's row order in an epoch.

    Raises:
        KeyRingError: the ring cannot be read or changed, or its shuffle key was destroyed.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = ring.key(SHUFFLE)
    info = "\0".join((INFO, partner, epoch or "")).encode()
    secret = HKDF(SHA256(), len(key.secret), salt=None, info=info).derive(key.secret)
    return Key(f"{key.purpose}/{partner}/{epoch}", key.key_id, secret)


def add_order(rows: "DataFrame", *, by: "Column", name: str, key: Key, session: "SparkSession") -> "DataFrame":
    """Rows with a further column of lowercase hex to sort by.

    Args:
        rows: any rows.
        by: text that the order follows; equal texts come together.
        name: of the new column.
        key: of :func:`order_key`.
        session: gives the relation the key enters through.
    """
    keyed = rows.transform(with_keys, key_relation(session, **{NAME: key}))
    return keyed.withColumn(name, keyed_digest(by, NAME)).select(*rows.columns, name)
