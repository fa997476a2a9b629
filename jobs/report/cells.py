"""Values as cells of files that people open in a spreadsheet.

A spreadsheet runs text that looks like a formula, and names of products come from whoever typed them.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")
LONGEST_TEXT: Final = 32_767
"""Characters that a cell of a spreadsheet holds."""


def looks_like_formula(text: str) -> bool:
    """True for text that some spreadsheet may run instead of showing it."""
    return text.lstrip(" \u00a0\ufeff\u200b").startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS)


def defuse(text: str) -> str:
    """Text that a spreadsheet shows as it is: what looks like a formula gets an apostrophe in front."""
    return f"'{text}" if looks_like_formula(text) else text


def to_csv(value: object) -> object:
    """A value as a cell of a CSV file; null is empty, times are in UTC."""
    if isinstance(value, str):
        return defuse(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return to_utc(value).isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else value


def to_json(value: object) -> object:
    """A value as the pages read it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return to_utc(value).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value


def to_utc(value: datetime) -> datetime:
    """A time in UTC, without a zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
