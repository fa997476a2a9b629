"""What a number must be to count as a payment card, a Chinese identity number or a phone number."""

import re
from datetime import date
from typing import Final

from jobs.audit.numbers import Number

CARD_RANGES: Final = (
    (16, 19, "4 62 81"),
    (16, 16, "51 52 53 54 55 " + " ".join(map(str, range(2221, 2721)))),
    (15, 15, "34 37"),
    (14, 19, "36 38 39 300 301 302 303 304 305 3095"),
    (16, 19, "6011 644 645 646 647 648 649 65 " + " ".join(map(str, range(3528, 3590)))),
    (16, 19, "50 56 57 58 60 61 63 66 67 68 69 2200 2201 2202 2203 2204"),
)
"""Fewest and most digits, and how numbers begin: Visa and UnionPay, Mastercard, American Express, Diners, Discover and
JCB, Maestro and national schemes, as they publish it."""
STARTS_BY_LENGTH: Final = {
    length: tuple(start for least, most, starts in CARD_RANGES if least <= length <= most for start in starts.split())
    for length in range(14, 20)
}
FEWEST_PHONE_DIGITS: Final = 8
MOST_PHONE_DIGITS: Final = 15
MOST_PHONE_GROUPS: Final = 6
PLUS: Final = re.compile(r"(?:^|[^0-9a-z_+*/^)])\+\(?\Z")
CHINESE_MOBILE: Final = re.compile(r"1[3-9]\d{9}")
CHINESE_MOBILE_GROUPS: Final = (3, 4, 4)
CHINESE_ID_DIGITS: Final = 17
PROVINCES: Final = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83), (91, 91))
    for code in range(first, last + 1)
)
WEIGHTS: Final = tuple(2 ** (17 - place) % 11 for place in range(17))
CHECKS: Final = "10x98765432"
CHECK_X: Final = re.compile(r"[ \-]?x(?![0-9a-z])")


def is_card(number: Number) -> bool:
    """True for a payment-card number: issued range and length, Luhn check, and digits grouped as people group them."""
    starts = STARTS_BY_LENGTH.get(len(number.digits))
    if starts is None or not number.digits.startswith(starts) or not passes_luhn(number.digits):
        return False
    return _is_grouped(number.sizes) and not number.is_in_fraction and not number.is_in_id


def is_chinese_id(number: Number) -> bool:
    """True for an identity number of GB 11643: province, a date of birth, and the check of ISO 7064 MOD 11-2."""
    digits = number.digits
    if len(digits) == CHINESE_ID_DIGITS and CHECK_X.match(number.behind):
        digits += "x"
    is_number = len(digits) == CHINESE_ID_DIGITS + 1 and digits[:2] in PROVINCES and _is_birth_date(digits[6:14])
    if not is_number or find_check_digit(digits[:CHINESE_ID_DIGITS]) != digits[-1]:
        return False
    is_grouped = _is_grouped(number.sizes)
    return is_grouped and not number.is_in_fraction and not number.is_in_id


def is_phone(number: Number) -> bool:
    """True for an international number as E.164 has them: a plus, no leading zero, 8 to 15 digits.

    Without a plus a number counts only when it is a customer's, because ids and times look the same; but for Chinese
    mobile numbers in their usual groups.
    """
    if number.sizes == CHINESE_MOBILE_GROUPS and CHINESE_MOBILE.fullmatch(number.digits):
        return not number.is_cut_out
    is_long = FEWEST_PHONE_DIGITS <= len(number.digits) <= MOST_PHONE_DIGITS and len(number.sizes) <= MOST_PHONE_GROUPS
    has_plus = is_long and number.digits[0] != "0" and PLUS.search(number.before) is not None
    return has_plus and not number.is_cut_out


def may_be_phone(number: Number) -> bool:
    """True for what is worth looking up among customers' numbers."""
    is_long = FEWEST_PHONE_DIGITS <= len(number.digits) <= MOST_PHONE_DIGITS + 2
    return is_long and len(number.sizes) <= MOST_PHONE_GROUPS and not number.is_cut_out


def passes_luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def find_check_digit(digits: str) -> str:
    """The 18th character that belongs to 17 digits, ``x`` for ten."""
    return CHECKS[sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True)) % 11]


def _is_birth_date(text: str) -> bool:
    try:
        born = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return 1900 <= born.year < 2100


def _is_grouped(sizes: tuple[int, ...]) -> bool:
    """Digits in groups of three or more (the last may be shorter), or spelled out one by one or two by two.

    Dates, times and versions are grouped otherwise.
    """
    *leading, last = sizes
    is_spelled = len(set(leading)) == 1 and max(leading) <= 2 and last <= 2
    return not leading or min(leading) >= 3 or is_spelled
