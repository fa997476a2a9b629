"""Meta, version 1: white space around is dropped and letters are lowercased; no provider's rule.

32 or 64 hexadecimal digits count as an address that was hashed already (MD5 or SHA-256) and are passed on as they are,
in lower case.

References:
    developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters;
    facebook-python-business-sdk, ``serverside/normalize.py``.
"""

import re
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.emails.addresses import ONE_AT, split_address, strip_space, trim_ascii_space
from jobs.privacy.emails.beyond_ascii import choose_path
from jobs.privacy.emails.profile import Encoding, Profile

if TYPE_CHECKING:
    from pyspark.sql import Column

DIGEST: Final = "^(?:[0-9a-f]{32}){1,2}$"
_DIGEST: Final = re.compile(DIGEST)


def normalise(address: "Column") -> "Column":
    """The address under this profile, or the digest that it is; null where it is neither."""
    trimmed = F.lower(trim_ascii_space(address))
    is_address = trimmed.rlike(f"{ONE_AT}|{DIGEST}")
    return choose_path(address, is_address=is_address, normal=trimmed, rule=normalise_text)


def normalise_text(address: str) -> str:
    """The same as :func:`normalise` for one text.

    Raises:
        InvalidAddressError: the text is neither.
    """
    trimmed = strip_space(address).lower()
    if not _DIGEST.fullmatch(trimmed):
        split_address(trimmed)
    return trimmed


META: Final = Profile("meta", 1, normalise, normalise_text, Encoding.HEX, takes_digests=True)
