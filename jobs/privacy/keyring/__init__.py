"""Secret keys by purpose, kept outside the lake: in a file, a variable, Airflow's secrets, or sealed by AWS KMS.

A key is 256 bits of the system's generator. It never appears in ``repr``, an error, a log or a plan.
"""

from jobs.privacy.keyring.keys import (
    SHUFFLE,
    SIGNING,
    SUBJECT,
    TOMBSTONE,
    Key,
    KeyEntry,
    pair_purpose,
    partner_purpose,
    read_secret,
    shared_purpose,
)
from jobs.privacy.keyring.opening import open_keyring
from jobs.privacy.keyring.ring import KeyRing

__all__ = [
    "SHUFFLE",
    "SIGNING",
    "SUBJECT",
    "TOMBSTONE",
    "Key",
    "KeyEntry",
    "KeyRing",
    "open_keyring",
    "pair_purpose",
    "partner_purpose",
    "read_secret",
    "shared_purpose",
]
