"""UID2, version 1: spaces (U+0020) around are dropped, A to Z lowercased; Gmail's rule for ``gmail.com`` only.

Nothing else is white space, and no other letter has a lower case. A space inside is refused: UID2's own clients keep
it or not, depending on the language.

References:
    unifiedid.com/docs/getting-started/gs-normalization-encoding; uid2-client-python, ``uid2_client/input_util.py``.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.emails.addresses import (
    GMAIL,
    SPACE_INSIDE,
    InvalidAddressError,
    find_mailbox,
    find_mailbox_text,
    is_at,
    split_address,
)
from jobs.privacy.emails.ascii_case import lower_ascii, lower_ascii_text
from jobs.privacy.emails.profile import Encoding, Profile

if TYPE_CHECKING:
    from pyspark.sql import Column

SHAPE: Final = "^[^@ ]+@[^@ ]+$"


def normalise(address: "Column") -> "Column":
    """The address under this profile; null where it cannot be one."""
    trimmed = lower_ascii(F.trim(address))
    mailbox = find_mailbox(trimmed)
    gmail = F.when(mailbox != "", F.concat(mailbox, F.lit(f"@{GMAIL}")))
    return F.when(trimmed.rlike(SHAPE), F.when(is_at(trimmed, GMAIL), gmail).otherwise(trimmed))


def normalise_text(address: str) -> str:
    """The same as :func:`normalise` for one text.

    Raises:
        InvalidAddressError: the text cannot be normalised.
    """
    trimmed = lower_ascii_text(address.strip(" "))
    local, domain = split_address(trimmed)
    if " " in trimmed:
        raise InvalidAddressError(SPACE_INSIDE)
    return f"{find_mailbox_text(local)}@{domain}" if domain == GMAIL else trimmed


UID2: Final = Profile("uid2", 1, normalise, normalise_text, Encoding.BASE64)
