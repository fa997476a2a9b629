"""Payment-card numbers and e-mail addresses taken out of free text and URLs.

A card number is 13 to 19 digits, also written with single spaces or hyphens between them, that passes the Luhn check
(ISO/IEC 7812-1, annex B). In a longer run of digits any such stretch counts, so a long number that is no card may be
masked as well; the other way round would let a card through that has a digit beside it. ``%40`` counts as ``@``.
"""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

EMAIL: Final = r"(?i)[^\s@/?&=,;:<>()\[\]\"']{1,64}(@|%40)[a-z0-9.-]{1,253}\.[a-z]{2,63}"
CARD: Final = r"[0-9](?:[ -]?[0-9]){12,}"
SHORTEST_CARD: Final = 13
LONGEST_CARD: Final = 19
EMAIL_MASK: Final = "[email]"
CARD_MASK: Final = "[card]"


def mask_text(text: "Column") -> "Column":
    """The text with e-mail addresses and payment-card numbers replaced by ``[email]`` and ``[card]``."""
    without_emails = F.regexp_replace(text, EMAIL, EMAIL_MASK)
    return F.when(text.rlike(CARD), _mask_cards(without_emails)).otherwise(without_emails)


def _mask_cards(text: "Column") -> "Column":
    candidates = F.regexp_extract_all(text, F.lit(f"({CARD})"), F.lit(1))
    cards = F.filter(candidates, lambda number: _holds_card(F.regexp_replace(number, "[ -]", "")))
    return F.aggregate(cards, text, lambda masked, number: F.replace(masked, number, F.lit(CARD_MASK)))


def _holds_card(digits: "Column") -> "Column":
    """True when any 13 to 19 neighbouring digits pass the Luhn check, so that digits beside a card do not hide it."""
    starts = F.sequence(F.lit(1), F.length(digits) - SHORTEST_CARD + 1)

    def starts_card(start: "Column") -> "Column":
        return reduce(or_, (_is_card(digits, start, n) for n in range(SHORTEST_CARD, LONGEST_CARD + 1)))

    return F.exists(starts, starts_card)


def _is_card(digits: "Column", start: "Column", length: int) -> "Column":
    number = F.substring(digits, start, F.lit(length))
    return (F.length(number) == length) & F.call_function("luhn_check", number)


def is_card_number(text: "Column") -> "Column":
    """True when the whole text is a payment-card number of 14 to 19 digits; false for null.

    13 digits are left out: no issuer gives such cards any more, and product codes (EAN-13) are that long.
    """
    digits = F.regexp_replace(text, "[ -]", "")
    is_long = digits.rlike(r"^[0-9]{14,19}$")
    return F.coalesce(is_long & F.call_function("luhn_check", F.when(is_long, digits)), F.lit(False))
