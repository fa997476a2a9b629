"""Every way by which something made from a direct identifier may leave the vault, by name.

A column that is declared carries its declaration in the plan, and the lake refuses any other that goes back to a direct
identifier. Whoever reviews what leaves reads this list, and where ``declare(`` is called.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jobs.lake.lineage import mark

if TYPE_CHECKING:
    from pyspark.sql import Column


@dataclass(frozen=True)
class Declaration:
    """Something that is done to values, and why what comes out identifies nobody directly.

    Attributes:
        name: as it stands in plans and in ``sophilux lineage``.
        why: what the claim rests on.
        is_reversible: true where a dictionary undoes it; such values go to partners only who were accepted as such.
    """

    name: str
    why: str
    is_reversible: bool = False


KEYED_DIGEST: Final = Declaration(
    "keyed digest", "HMAC-SHA-256 under a key that lies outside the lake; without the key no dictionary leads back."
)
UNKEYED_DIGEST: Final = Declaration(
    "unkeyed digest", "SHA-256 as platforms demand it; a dictionary of addresses leads back.", is_reversible=True
)
MASKED: Final = Declaration("masked text", "E-mail addresses and payment-card numbers are replaced in free text.")
COUNTRY: Final = Declaration("known country", "Only codes and names that a list of countries holds are kept.")
LISTED: Final = Declaration("one of a list", "Only values that stand in the code are kept.")
CODE: Final = Declaration(
    "code of a thing",
    "At most 64 characters as codes have them, no payment card and no e-mail address; digits of a phone would pass.",
)
MEASURE: Final = Declaration("measure", "A number of at most nine digits before the point, too short for a card.")
TIME: Final = Declaration("time of an event", "A time that is no birthday: when a click or a parcel was seen.")
ADULT_MONTH: Final = Declaration("coarsened to month", "The month of a majority, shared by everybody born in a month.")
CALENDAR: Final = Declaration("calendar", "Numbers of days and periods, from the calendar or a shop's settings alone.")

DECLARATIONS: Final = (
    KEYED_DIGEST,
    UNKEYED_DIGEST,
    MASKED,
    COUNTRY,
    LISTED,
    CODE,
    MEASURE,
    TIME,
    ADULT_MONTH,
    CALENDAR,
)


def declare(what: Declaration, values: "Column") -> "Column":
    """The same values, marked in the plan as made in the declared way; the engines optimise the mark away."""
    return mark(values, what.name, is_reversible=what.is_reversible)
