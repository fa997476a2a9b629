"""Text of landing rows read into types, the same way in every step and on both engines.

What is empty or only white space is nothing. Times are ISO 8601 or as databases print them, UTC where they name no
offset. Numbers are plain decimals without exponent or separators.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.privacy.emails import trim_space

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TIME_PATTERN: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}(:?\d{2})?)?$"
DATE_PATTERN: Final = r"^\d{4}-\d{2}-\d{2}"
NUMBER_PATTERN: Final = r"^[+-]?\d{1,18}(\.\d*)?$"
EXACT: Final = "decimal(38,18)"
PRICE: Final = "decimal(12,2)"
CURRENCY_PATTERN: Final = "^[A-Z]{3}$"
YES: Final = ("1", "true", "t", "yes", "y")
NO: Final = ("0", "false", "f", "no", "n")
PULL_COLUMNS: Final = (C.PULL_DAY, C.ROW_NO)


def read_text(name: str) -> "Column":
    """The text without white space around it; null where nothing is left."""
    trimmed = trim_space(F.col(name))
    return F.when(trimmed != "", trimmed)


def read_time(name: str) -> "Column":
    """The instant; null where the text is none."""
    text = read_text(name)
    return F.when(text.rlike(TIME_PATTERN), text.try_cast("timestamp"))


def read_date(name: str) -> "Column":
    """The calendar day, also of a text that goes on with a time of day; null where the text is none."""
    text = read_text(name)
    return F.when(text.rlike(DATE_PATTERN), F.substring(text, 1, 10).try_cast("date"))


def read_flag(name: str, *, missing: bool, unclear: bool) -> "Column":
    """Yes or no.

    Args:
        name: text such as 1, 0, true, false, t, f.
        missing: the answer where there is no text.
        unclear: the answer where the text is neither yes nor no.
    """
    text = F.lower(read_text(name))
    stated = F.when(text.isin(*YES), F.lit(True)).when(text.isin(*NO), F.lit(False)).otherwise(F.lit(unclear))
    return F.when(text.isNull(), F.lit(missing)).otherwise(stated)


def read_number(name: str) -> "Column":
    """The exact decimal as written, to 18 places; null where the text is no plain number."""
    text = read_text(name)
    return F.when(text.rlike(NUMBER_PATTERN), text.try_cast(EXACT))


def round_price(number: "Column") -> "Column":
    """The amount to two places, half away from zero; null where it has more than ten digits before the point."""
    return F.round(number, 2).try_cast(PRICE)


def read_whole_number(name: str) -> "Column":
    """The whole number, also where it is written ``6.0``; null where it is none."""
    number = read_number(name)
    return F.when(number == F.floor(number), F.floor(number).try_cast("bigint"))


def read_currency() -> "Column":
    """Three capital letters; null where there is no text, or another one."""
    text = F.upper(read_text(C.CURRENCY))
    return F.when(text.rlike(CURRENCY_PATTERN), text)


def is_bad_currency() -> "Column":
    """True for a text that :func:`read_currency` does not take for a currency."""
    return read_text(C.CURRENCY).isNotNull() & read_currency().isNull()


def first_broken(rules: Mapping[str, "Column"]) -> "Column":
    """The reason of the first condition that holds, null where none does; a condition that is null does not hold."""
    reasons = [F.when(F.coalesce(broken, F.lit(False)), F.lit(reason)) for reason, broken in rules.items()]
    return F.coalesce(*reasons)


def row_as_text(landing: "DataFrame") -> "Column":
    """The landing row as one JSON object, without the columns that the pull added."""
    return F.to_json(F.struct(*(name for name in landing.columns if name not in PULL_COLUMNS)))


def select_rejects(rows: "DataFrame", source: str) -> "DataFrame":
    """Rows with a reason, in the columns of quarantine.

    Args:
        rows: with ``pull_day``, ``row_no``, ``reason`` and ``raw``.
        source: the database table they came from.
    """
    rejects = rows.where(F.col(C.REASON).isNotNull())
    position = F.col(C.ROW_NO).cast("string").alias(C.POSITION)
    return rejects.select(C.PULL_DAY, F.lit(source).alias(C.SOURCE), position, C.REASON, C.RAW)


def differs(left: "DataFrame", right: "DataFrame", names: tuple[str, ...]) -> "Column":
    """True where any of the columns differs between two joined frames, nothing being equal to nothing."""
    return reduce(or_, (~left[name].eqNullSafe(right[name]) for name in names))
