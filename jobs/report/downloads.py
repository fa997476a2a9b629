"""Tables as CSV and XLSX, for a spreadsheet.

Both hold the same rows. CSV begins with a byte order mark, without which Excel takes UTF-8 for something else. Text in
XLSX is written as text, whatever it looks like, and stays text when somebody edits the cell.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Contract
from jobs.report.cells import LONGEST_TEXT, looks_like_formula, to_csv, to_utc

if TYPE_CHECKING:
    import pyarrow as pa
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

XLSX_ROWS: Final = 100_000
"""Rows of a sheet at most; more take minutes to write and to open."""
BATCH_ROWS: Final = 10_000
FIRST_TIME: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no zones
WIDEST: Final = 44
MEASURED_ROWS: Final = 200
FORMATS: Final = {
    "header": {"bold": True, "bg_color": "#0b4f4a", "font_color": "#ffffff", "valign": "top"},
    "text": {},
    "risky": {"quote_prefix": True},
    "integer": {"num_format": "#,##0"},
    "number": {"num_format": "#,##0.00"},
    "fraction": {"num_format": "0.0000"},
    "date": {"num_format": "yyyy-mm-dd"},
    "time": {"num_format": "yyyy-mm-dd hh:mm:ss"},
    "title": {"bold": True, "font_size": 14},
    "wrapped": {"text_wrap": True, "valign": "top"},
}


@dataclass(frozen=True)
class Sheet:
    """A table to write: its rows in order, and what the reader should know of it."""

    title: str
    rows: "pa.Table"
    contract: Contract
    notes: tuple[str, ...]
    made_at: datetime


def write_csv(sheet: Sheet) -> bytes:
    """The table as CSV in UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(sheet.rows.column_names)
    writer.writerows([to_csv(value) for value in row] for row in _iterate(sheet.rows))
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def write_xlsx(sheet: Sheet) -> bytes:
    """The table as a workbook: its rows, and a sheet that says what they are."""
    from xlsxwriter import Workbook

    target = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(target, {**options, "strings_to_numbers": False, "nan_inf_to_errors": True}) as workbook:
        workbook.set_properties({"title": sheet.title, "created": to_utc(sheet.made_at)})
        formats = {name: workbook.add_format(look) for name, look in FORMATS.items()}
        _write_rows(workbook, sheet, formats)
        _write_about(workbook, sheet, formats)
    return target.getvalue()


def count_xlsx(rows: int) -> int:
    """Rows that the workbook of a table of so many holds."""
    return min(rows, XLSX_ROWS)


def _write_rows(workbook: "Workbook", sheet: Sheet, formats: "dict[str, Format]") -> None:
    page = workbook.add_worksheet(sheet.title[:31])
    page.freeze_panes(1, 0)
    names = sheet.rows.column_names
    for place, name in enumerate(names):
        page.set_column(place, place, _measure(sheet.rows, name))
    page.autofilter(0, 0, max(1, count_xlsx(sheet.rows.num_rows)), len(names) - 1)
    for place, name in enumerate(names):
        page.write_string(0, place, name, formats["header"])
    for number, row in enumerate(_iterate(sheet.rows.slice(0, XLSX_ROWS)), start=1):
        for place, value in enumerate(row):
            write_cell(page, number, place, value, formats)


def write_cell(page: "Worksheet", row: int, column: int, value: object, formats: "dict[str, Format]") -> None:
    """One value in its own type; text is never anything but text."""
    if value is None:
        return
    if isinstance(value, bool):
        page.write_boolean(row, column, value)
    elif isinstance(value, str):
        look = "risky" if looks_like_formula(value) else "text"
        page.write_string(row, column, value[:LONGEST_TEXT], formats[look])
    elif isinstance(value, datetime):
        page.write_number(row, column, to_serial(value), formats["time"])
    elif isinstance(value, date):
        page.write_datetime(row, column, value, formats["date"])
    else:
        look = {int: "integer", Decimal: "number"}.get(type(value), "fraction")
        page.write_number(row, column, value, formats[look])  # type: ignore[arg-type]


def to_serial(value: datetime) -> float:
    """A time as spreadsheets count it: days since 1899-12-30, in UTC, exact to a tenth of a second.

    More digits would show nothing, and may be those of a payment card.
    """
    return round((to_utc(value) - FIRST_TIME) / timedelta(days=1), 6)


def _write_about(workbook: "Workbook", sheet: Sheet, formats: "dict[str, Format]") -> None:
    page = workbook.add_worksheet("About")
    page.set_column(0, 0, 24)
    page.set_column(1, 1, 90)
    page.write_string(0, 0, sheet.title, formats["title"])
    made = f"{to_utc(sheet.made_at):%Y-%m-%d %H:%M} UTC"
    rows, kept = sheet.rows.num_rows, count_xlsx(sheet.rows.num_rows)
    told = f"{rows:,}" if kept == rows else f"the first {kept:,} of {rows:,}; the CSV file holds all"
    lines = [("What", sheet.contract.purpose), ("Made", made), ("Rows", told)]
    lines += [("Note", note) for note in sheet.notes]
    lines += [(column.name, column.description or "–") for column in sheet.contract.columns]
    for number, (name, text) in enumerate(lines, start=2):
        page.write_string(number, 0, name, formats["wrapped"])
        page.write_string(number, 1, text, formats["wrapped"])


def _measure(rows: "pa.Table", name: str) -> int:
    """A width that fits the name and the first values."""
    shown = rows.column(name).slice(0, MEASURED_ROWS).to_pylist()
    longest = max((len(str(value)) for value in shown if value is not None), default=0)
    return min(WIDEST, max(len(name), longest) + 3)


def _iterate(rows: "pa.Table") -> Iterator[tuple[Any, ...]]:
    """Rows one after the other, never all of them as objects."""
    for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
