"""Advertising identifiers: ``sx1-<id of the key>-<32 hex digits>``, a digest that nobody without the key can make.

The digits are the first 128 bits of HMAC-SHA-256 (RFC 2104). The prefix is public: it tells the version and the key,
and so the partner and the epoch, and nothing of a person.

A partner who shares a key with us makes the same identifiers from the addresses of its own customers. The key then has
an id that everybody who holds it can derive (:func:`as_shared`), because our ring's own id would tell the partner
nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from pyspark.sql import functions as F

from jobs.privacy.keyring import Key
from jobs.privacy.pseudonyms import keyed_digest
from jobs.privacy.subject_ids import DIGITS

if TYPE_CHECKING:
    from pyspark.sql import Column

VERSION: Final = "sx1"
KEY_ID_DIGITS: Final = 8
SHAPE: Final = f"^{VERSION}-[0-9a-f]{{{KEY_ID_DIGITS}}}-[0-9a-f]{{{DIGITS}}}$"
KEY_ID_LABEL: Final = b"sophilux key id"


def ad_id(text: "Column", name: str, key: Key) -> "Column":
    """The identifier of a text; null stays null.

    Args:
        text: what is identified: a ``subject_id``, or a normalised address.
        name: what :func:`jobs.privacy.pseudonyms.key_relation` calls the key.
        key: the key itself, for its id; of :func:`as_shared` where a partner shares it.
    """
    return F.concat(F.lit(f"{VERSION}-{key.key_id}-"), keyed_digest(text, name))


def ad_id_text(text: str, key: Key) -> str:
    """The same as :func:`ad_id` for one text."""
    return identify_under(key)(text)


def identify_under(key: Key) -> Callable[[str], str]:
    """:func:`ad_id_text` for many texts; the key is set up once."""
    ready = HMAC(key.secret, SHA256())
    prefix = f"{VERSION}-{key.key_id}-"
    size = DIGITS // 2

    def identify(text: str) -> str:
        digest = ready.copy()
        digest.update(text.encode())
        return prefix + digest.finalize()[:size].hex()

    return identify


def as_shared(key: Key) -> Key:
    """The key under the id that follows from its secret: the first 32 bits of the HMAC of a fixed label."""
    digest = HMAC(key.secret, SHA256())
    digest.update(KEY_ID_LABEL)
    return replace(key, key_id=digest.finalize().hex()[:KEY_ID_DIGITS])
