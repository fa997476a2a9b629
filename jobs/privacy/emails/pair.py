"""PAIR, version 1: A to Z lowercased, and nothing else: no trimming, no provider's rule.

References:
    IAB Tech Lab, PAIR 1.1, table 1 of "Canonical representation of Common Match keys".
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.emails.addresses import ONE_AT, split_address
from jobs.privacy.emails.ascii_case import lower_ascii, lower_ascii_text
from jobs.privacy.emails.profile import Encoding, Profile

if TYPE_CHECKING:
    from pyspark.sql import Column


def normalise(address: "Column") -> "Column":
    """The address under this profile; null where there is not one ``@`` with something on both sides."""
    return F.when(address.rlike(ONE_AT), lower_ascii(address))


def normalise_text(address: str) -> str:
    """The same as :func:`normalise` for one text.

    Raises:
        InvalidAddressError: there is not one ``@`` with something on both sides.
    """
    split_address(address)
    return lower_ascii_text(address)


PAIR: Final = Profile("pair", 1, normalise, normalise_text, Encoding.HEX)
