"""The shop's exchange rates from a CSV file into ``lake.exchange_rates``, which is replaced as a whole.

The file has the columns ``currency`` (three capital letters), ``valid_from`` (a day) and ``rate``: what one unit was
worth in the reporting currency from that day on. A shop that sells in its reporting currency only needs none.
"""

import csv
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from jobs.errors import UsageError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport

TABLE: Final = "lake.exchange_rates"
HEADER: Final = (C.CURRENCY, C.VALID_FROM, C.RATE)
CURRENCY: Final = re.compile("[A-Z]{3}")
PLACES: Final = Decimal("1e-8")
HIGHEST: Final = Decimal(10) ** 9
TOLD: Final = 10
Rate = tuple[str, date, Decimal]


def read_rates(file: Path, reporting: str) -> list[Rate]:
    """The rates of a file, by currency and day.

    Raises:
        UsageError: the file has mistakes, all of which are told by line, ten at most.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        message = f"The exchange rates in {file.name} cannot be read: {type(error).__name__}."
        raise UsageError(message) from None
    reader = csv.DictReader(text.splitlines())
    mistakes: list[str] = []
    if set(reader.fieldnames or ()) != set(HEADER):
        mistakes.append(f"line 1: the columns must be {', '.join(HEADER)}")
    rates: dict[tuple[str, date], Decimal] = {}
    for row in () if mistakes else reader:
        rate, found = _read_row(row, reporting)
        if rate and rate[:2] in rates:
            found.append("the same currency and day stand twice")
        if rate:
            rates[rate[:2]] = rate[2]
        mistakes += [f"line {reader.line_num}: {mistake}" for mistake in found]
    if mistakes:
        more = f"; and {len(mistakes) - TOLD} more" if len(mistakes) > TOLD else ""
        told = "; ".join(mistakes[:TOLD]) + more
        message = f"The exchange rates in {file.name} are not as they must be: {told}."
        raise UsageError(message)
    return sorted((*key, value) for key, value in rates.items())


def run(lake: Lake, days: Days) -> StepReport:  # noqa: ARG001
    """Replace the rates by those of the file; without a file there are none.

    Raises:
        UsageError: the file has mistakes; the rates stay as they were.
    """
    reporting = lake.settings.currency
    rates = read_rates(lake.settings.rates, reporting)
    rows = [(*rate, reporting) for rate in rates]
    frame = lake.session.createDataFrame(rows, lake.contracts[TABLE].engine_schema())
    lake.replace(TABLE, frame)
    return StepReport(rows_in=len(rows), rows_out=len(rows))


def _read_row(row: dict[str, str], reporting: str) -> tuple[Rate | None, list[str]]:
    values = {name: (row.get(name) or "").strip() for name in HEADER}
    mistakes = list(_find_mistakes(values, reporting))
    if mistakes or None in row:
        return None, mistakes or ["too many values"]
    rate = Decimal(values[C.RATE]).quantize(PLACES)
    return (values[C.CURRENCY], date.fromisoformat(values[C.VALID_FROM]), rate), []


def _find_mistakes(values: dict[str, str], reporting: str) -> Iterator[str]:
    if not CURRENCY.fullmatch(values[C.CURRENCY]):
        yield "currency must be three capital letters"
    elif values[C.CURRENCY] == reporting:
        yield f"{reporting} is the reporting currency and has no rate"
    try:
        date.fromisoformat(values[C.VALID_FROM])
    except ValueError:
        yield "valid_from must be a day such as 2026-03-02"
    try:
        rate = Decimal(values[C.RATE])
    except InvalidOperation:
        yield "rate must be a number"
        return
    if not (rate.is_finite() and PLACES <= rate < HIGHEST):
        yield "rate must be above 0 and below 1,000,000,000"
