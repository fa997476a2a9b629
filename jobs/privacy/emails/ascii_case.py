"""Lower case of the letters A to Z and of no others."""

import string
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.emails.beyond_ascii import is_ascii

if TYPE_CHECKING:
    from pyspark.sql import Column

_TO_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def lower_ascii(text: "Column") -> "Column":
    """The text with A to Z lowercased."""
    letters = F.translate(text, string.ascii_uppercase, string.ascii_lowercase)
    return F.when(is_ascii(text), F.lower(text)).otherwise(letters)


def lower_ascii_text(text: str) -> str:
    """The same as :func:`lower_ascii` for one text."""
    return text.lower() if text.isascii() else text.translate(_TO_LOWER)
