"""What a person may have corrected, and what each value must look like."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from jobs.lake import columns as C
from jobs.privacy.minimisation.countries import country_codes

FIELDS: Final = (C.FULL_NAME, C.PHONE, C.STREET, C.CITY, C.POSTCODE, C.COUNTRY, C.BIRTH_DATE)
EARLIEST_BIRTH: Final = date(1900, 1, 1)
LONGEST: Final = 200
PHONE: Final = re.compile(r"\+?[0-9](?:[ ()./-]?[0-9]){5,14}\)?")
POSTCODE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 -]{0,14}[A-Za-z0-9])?")
HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def read_values(values: Mapping[str, object], today: date) -> tuple[dict[str, str], list[str]]:
    """Values as they are to be recorded, and everything that is wrong with them.

    Args:
        values: by field, as they came.
        today: nobody is born after it.

    Returns:
        The values without white space around them, and mistakes that name fields and never a value.
    """
    unknown = len(set(values) - set(FIELDS))
    mistakes = [f"{unknown} of its fields cannot be corrected; what can is {', '.join(FIELDS)}"] if unknown else []
    cleaned = {name: str(values[name]).strip() for name in FIELDS if name in values}
    if not cleaned and not mistakes:
        mistakes.append(f"a correction needs at least one of {', '.join(FIELDS)}")
    for name, value in cleaned.items():
        rule = _find_broken_rule(name, value, today)
        if rule:
            mistakes.append(f"{name} {rule}")
    return {name: _write(name, value) for name, value in cleaned.items()}, mistakes


def _find_broken_rule(name: str, value: str, today: date) -> str | None:
    if not value:
        return "must not be empty; what we should no longer have is a request to erase"
    if len(value) > LONGEST or HIDDEN.search(value):
        return f"must be one line of at most {LONGEST} characters, none of them invisible"
    is_right, rule = RULES.get(name, (lambda _: True, ""))
    if name == C.BIRTH_DATE:
        return None if _is_birth_date(value, today) else "must be a day such as 1990-05-17, from 1900 until today"
    return None if is_right(value) else rule


def _is_birth_date(value: str, today: date) -> bool:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return False
    return day.isoformat() == value and EARLIEST_BIRTH <= day <= today


def _is_country(value: str) -> bool:
    return value.upper() in country_codes()


def _write(name: str, value: str) -> str:
    return value.upper() if name == C.COUNTRY else value


RULES: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    C.FULL_NAME: (lambda value: any(character.isalpha() for character in value), "must have a letter"),
    C.PHONE: (
        lambda value: PHONE.fullmatch(value) is not None,
        "must have 6 to 15 digits, with spaces, dashes or brackets at most, and may begin with +",
    ),
    C.POSTCODE: (lambda value: POSTCODE.fullmatch(value) is not None, "must have letters and digits, at most 16"),
    C.COUNTRY: (_is_country, "must be a two-letter code of ISO 3166, such as CN"),
}
