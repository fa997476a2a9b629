"""Payment-card numbers and e-mail addresses taken out of free text and URLs.

A card number is 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1, annex B). Between two digits up to three
separators may stand: any character that is no letter or digit, also percent-encoded. In a longer run of digits any
such stretch counts, so a long number that is no card may be masked as well; the other way round would let a card
through that has a digit beside it.

An e-mail address is what :mod:`jobs.privacy.emails` takes for one, without the characters that delimit the parts of a
URL. ``%40`` counts as ``@``, also when it was encoded again.
"""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.declarations import MASKED, declare
from jobs.privacy.emails import NOT_IN_DOMAIN, NOT_IN_LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column

URL_DELIMITERS: Final = "/?&=:%"
ENCODED_CHARACTER: Final = "%(?:25)*(?:2[7BbDdEe]|5[Ff]|[89A-Fa-f][0-9A-Fa-f])"
"""An apostrophe, plus, hyphen, dot, underscore, or a byte of a letter outside ASCII."""
AT: Final = "(?:@|%(?:25)*40)"
EMAIL: Final = (
    f"(?:[^{NOT_IN_LOCAL}{URL_DELIMITERS}]|{ENCODED_CHARACTER}){{1,64}}{AT}"
    f"(?:[^{NOT_IN_DOMAIN}{URL_DELIMITERS}.-]|{ENCODED_CHARACTER})"
    f"[^{NOT_IN_DOMAIN}{URL_DELIMITERS}]*(?:{ENCODED_CHARACTER}[^{NOT_IN_DOMAIN}{URL_DELIMITERS}]*){{0,16}}"
    f"\\.(?:[^{NOT_IN_DOMAIN}{URL_DELIMITERS}.]|{ENCODED_CHARACTER}){{2,63}}"
)
ENCODED_SEPARATOR: Final = "%(?:25)*(?:2[0B-Fb-f]|5[Ff]|[Cc]2%(?:25)*[Aa]0)"
SEPARATORS: Final = f"(?:{ENCODED_SEPARATOR}|[^0-9A-Za-z%]){{0,3}}"
CARD: Final = f"[0-9](?:{SEPARATORS}[0-9]){{12,}}"
LONG_CARD: Final = f"[0-9](?:{SEPARATORS}[0-9]){{13,}}"
NOT_A_DIGIT: Final = f"{ENCODED_SEPARATOR}|[^0-9]"
HASH: Final = "^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
SHORTEST_CARD: Final = 13
LONGEST_CARD: Final = 19
ISSUED: Final = {
    14: "^3[0689]",
    15: "^3[47]",
    16: "^(?:4|5|6|2[2-7]|35)",
    17: "^(?:5|6)",
    18: "^(?:5|6)",
    19: "^(?:4|5|6)",
}
"""How numbers of each length begin that card schemes issue."""
EMAIL_MASK: Final = "[email]"
CARD_MASK: Final = "[card]"


def mask_text(text: "Column") -> "Column":
    """The text with e-mail addresses and payment-card numbers replaced by ``[email]`` and ``[card]``."""
    without_emails = F.when(text.rlike(AT), F.regexp_replace(text, EMAIL, EMAIL_MASK)).otherwise(text)
    return declare(MASKED, F.when(text.rlike(CARD), _mask_cards(without_emails)).otherwise(without_emails))


def holds_card(code: "Column") -> "Column":
    """True when a code or a name of a thing contains a payment-card number of 14 to 19 digits; false for null.

    A code is refused as a whole, so less counts than in :func:`mask_text`: only numbers that begin as card schemes
    issue them, and nothing in a hash or UUID. 13 digits are left out: no issuer gives such cards any more, and
    product codes (EAN-13) are that long.
    """
    runs = F.regexp_extract_all(code, F.lit(f"({LONG_CARD})"), F.lit(1))
    found = F.exists(runs, lambda run: _has_card(_digits(run), tuple(ISSUED), _is_issued))
    is_hash = code.rlike(HASH) & code.rlike("[a-f]")
    is_candidate = F.when(F.octet_length(code) > SHORTEST_CARD, code.rlike(LONG_CARD)).otherwise(F.lit(False))
    return F.when(is_candidate, ~is_hash & found).otherwise(F.lit(False))


def holds_email(code: "Column") -> "Column":
    """True when a code or a name of a thing contains an e-mail address; false for null."""
    return F.when(code.rlike(AT), code.rlike(EMAIL)).otherwise(F.lit(False))


def _mask_cards(text: "Column") -> "Column":
    candidates = F.regexp_extract_all(text, F.lit(f"({CARD})"), F.lit(1))
    lengths = tuple(range(SHORTEST_CARD, LONGEST_CARD + 1))
    cards = F.filter(candidates, lambda number: _has_card(_digits(number), lengths, _is_card))
    return F.aggregate(cards, text, lambda masked, number: F.replace(masked, number, F.lit(CARD_MASK)))


def _digits(number: "Column") -> "Column":
    return F.regexp_replace(number, NOT_A_DIGIT, "")


def _has_card(
    digits: "Column", lengths: tuple[int, ...], is_card: "Callable[[Column, Column, int], Column]"
) -> "Column":
    """True when any neighbouring digits of one of the lengths are a card, so that digits beside it do not hide it."""
    starts = F.sequence(F.lit(1), F.length(digits) - min(lengths) + 1)
    return F.exists(starts, lambda start: reduce(or_, (is_card(digits, start, length) for length in lengths)))


def _is_card(digits: "Column", start: "Column", length: int) -> "Column":
    number = F.substring(digits, start, F.lit(length))
    return (F.length(number) == length) & F.call_function("luhn_check", number)


def _is_issued(digits: "Column", start: "Column", length: int) -> "Column":
    return F.substring(digits, start, F.lit(length)).rlike(ISSUED[length]) & _is_card(digits, start, length)
