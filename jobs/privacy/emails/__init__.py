"""E-mail addresses brought to one form, so that one person's address gives one identifier.

Every platform has rules of its own, and the same address gives a different identifier under each: hence profiles with
a name and a version. Each is there for a column and for one text, which give the same. What no profile can normalise
is null (for a text: an error with the reason), never a value that several people would share.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from jobs.privacy.emails.addresses import (
    NOT_IN_DOMAIN,
    NOT_IN_LOCAL,
    WHITE_SPACE,
    InvalidAddressError,
    trim_space,
)
from jobs.privacy.emails.google import GOOGLE, GOOGLE_DATA_MANAGER
from jobs.privacy.emails.meta import META
from jobs.privacy.emails.pair import PAIR
from jobs.privacy.emails.profile import Encoding, Profile
from jobs.privacy.emails.sophilux import SHAPE, SOPHILUX, normalise_email, normalise_email_text
from jobs.privacy.emails.uid2 import UID2

__all__ = [
    "NOT_IN_DOMAIN",
    "NOT_IN_LOCAL",
    "PROFILES",
    "SHAPE",
    "WHITE_SPACE",
    "Encoding",
    "InvalidAddressError",
    "Profile",
    "normalise_email",
    "normalise_email_text",
    "trim_space",
]

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {profile.name: profile for profile in (SOPHILUX, UID2, GOOGLE, GOOGLE_DATA_MANAGER, META, PAIR)}
)
