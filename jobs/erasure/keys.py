"""Keys that erasure derives from the tombstones' one, each for a use of its own (HKDF, RFC 5869)."""

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jobs.lake import Lake
from jobs.privacy.keyring import TOMBSTONE, open_keyring
from jobs.privacy.tombstones import has_tombstones

KEY_BYTES: Final = 32


def derive_key(lake: Lake, label: str) -> bytes:
    """The key for a use.

    Raises:
        KeyRingError: the ring cannot be read, or lacks the tombstones' key although there are tombstones.
    """
    key = open_keyring(lake.settings).key(TOMBSTONE, may_make=not has_tombstones(lake))
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"sophilux {label}".encode()).derive(key.secret)
