"""Values read out of text that may hold anything, each too narrow to hold a direct identifier.

Lines of clients and carriers are direct identifiers as a whole; what is kept of them goes through one of these.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.declarations import CODE, LISTED, MEASURE, TIME, declare
from jobs.privacy.minimisation.masks import holds_card, holds_email

if TYPE_CHECKING:
    from pyspark.sql import Column

CODE_PATTERN: Final = r"^[A-Za-z0-9._:/ -]{1,64}$"
IDENTIFIER_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,64}$"
CAMPAIGN_PATTERN: Final = r"^[A-Za-z0-9 ._-]{1,64}$"
PARCEL_NUMBER_PATTERN: Final = r"^(?:00[0-9]{18}|9[1-5][0-9]{20})$"
"""Parcel numbers by standard (SSCC with its 00, or USPS), which are longer than any card."""
MEASURE_END: Final = 1_000_000_000


def keep_listed(text: "Column", allowed: Collection[str]) -> "Column":
    """The text where it is one of the allowed ones, else null."""
    return declare(LISTED, F.when(text.isin(*allowed), text))


def keep_code(text: "Column") -> "Column":
    """The text where it looks like a code or a name of a thing, else null; free text has no business there."""
    is_code = text.rlike(CODE_PATTERN) & ~holds_card(text) & ~holds_email(text)
    return declare(CODE, F.when(is_code, text))


def keep_identifier(text: "Column") -> "Column":
    """The text where it is an identifier of a thing without a payment-card number in it, else null."""
    return declare(CODE, F.when(text.rlike(IDENTIFIER_PATTERN) & ~holds_card(text), text))


def keep_campaign(text: "Column") -> "Column":
    """The text where it is a campaign's name without a payment-card number in it, else null."""
    return declare(CODE, F.when(text.rlike(CAMPAIGN_PATTERN) & ~holds_card(text), text))


def keep_parcel_number(text: "Column") -> "Column":
    """The text where it is an identifier of a thing or a parcel's number by standard, else null."""
    is_identifier = text.rlike(IDENTIFIER_PATTERN) & ~holds_card(text)
    return declare(CODE, F.when(is_identifier | text.rlike(PARCEL_NUMBER_PATTERN), text))


def keep_measure(text: "Column", type_: str) -> "Column":
    """The number, where it is one of at most nine digits before the point, else null.

    Args:
        text: a number as text.
        type_: ``bigint`` or ``double``.
    """
    number = text.try_cast(type_)
    return declare(MEASURE, F.when((number > -MEASURE_END) & (number < MEASURE_END), number))


def keep_time(instant: "Column") -> "Column":
    """The time of an event, told apart from times that say something about a person, such as a birthday."""
    return declare(TIME, instant)
