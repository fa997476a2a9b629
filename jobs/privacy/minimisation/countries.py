"""Countries told from free text, so that what somebody wrote into a country's field goes no further than the vault."""

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.declarations import COUNTRY, declare
from jobs.privacy.emails import trim_space

if TYPE_CHECKING:
    from pyspark.sql import Column

SHOP_NAMES: Final = (
    "Brunei", "Burma", "Cape Verde", "Channel Islands", "Czech Republic", "East Timor", "EIRE", "England",
    "European Community", "European Union", "Great Britain", "Holland", "Ivory Coast", "Kosovo", "Laos", "Macau",
    "Macedonia", "Northern Ireland", "Palestine", "RSA", "Russia", "Scotland", "South Korea", "Swaziland", "Syria",
    "The Netherlands", "Turkey", "UAE", "UK", "Unspecified", "USA", "Vatican", "Vietnam", "Wales", "West Indies",
)  # fmt: skip
"""What shops write and ISO 3166 does not: former and everyday names, and groups that invoices are sorted under."""


def read_country(text: "Column") -> "Column":
    """The country's ISO 3166 alpha-2 code in upper case, or its English name as written; null for any other text."""
    trimmed = trim_space(text)
    is_code, is_name = _patterns()
    code = F.upper(trimmed)
    return declare(COUNTRY, F.when(code.rlike(is_code), code).when(F.lower(trimmed).rlike(is_name), trimmed))


def country_codes() -> tuple[str, ...]:
    """The alpha-2 codes of ISO 3166 in upper case."""
    return _known()[0]


@cache
def _patterns() -> tuple[str, str]:
    """What codes and names match as a whole; as entries of an ``isin``, each would be a node of the plan."""
    codes, names = (("|".join(map(_quote, listed))) for listed in _known())
    return rf"\A(?:{codes})\z", rf"\A(?:{names})\z"


def _quote(text: str) -> str:
    """The text as a pattern of both engines, neither of which takes all that Python's escapes."""
    return re.sub(r"[.()\[\]{}*+?^$|\\]", r"\\\g<0>", text)


@cache
def _known() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Codes in upper case, and names in lower case."""
    import pycountry

    countries = list(pycountry.countries)
    kinds = ("name", "common_name", "official_name")
    names = {getattr(country, kind) for country in countries for kind in kinds if hasattr(country, kind)}
    codes = sorted(country.alpha_2 for country in countries)
    return tuple(codes), tuple(sorted(name.lower() for name in names.union(SHOP_NAMES)))
