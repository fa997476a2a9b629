"""Downloads hold the table, and nothing in them runs."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.audit.numbers import find_numbers
from jobs.audit.patterns import is_card
from jobs.report import downloads
from jobs.report.cells import looks_like_formula, to_csv
from jobs.report.downloads import Sheet, write_csv, write_xlsx
from jobs.report.tables import SHOWN
from tests.report.shop import INJECTION, MADE_AT
from tests.report.spreadsheets import count_formulas, read_cells

ATTACKS = [
    "=1+1",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "\n=cmd|' /C calc'!A0",
    "＝1+1",
    "\ufeff=1+1",
]


def parse_csv(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf"), "Excel takes UTF-8 without a mark for something else"
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def excel_value(value):
    """What a spreadsheet holds for a value."""
    if isinstance(value, datetime):
        return (value - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, date):
        return float((value - date(1899, 12, 30)).days)
    return float(value)


def sheet_of(rows: pa.Table, contracts, table="marts.also_bought", title="Sheet") -> Sheet:
    return Sheet(title, rows, contracts[table], ("A note.",), MADE_AT)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.slug)
def test_csv_and_xlsx_hold_every_row_and_column_of_the_table(shown, shop, report):
    rows = shop.read_arrow(shown.table).sort_by([(name, "ascending") for name in shown.order])
    expected = [list(row.values()) for row in rows.to_pylist()]
    read = parse_csv((report / "downloads" / f"{shown.slug}.csv").read_bytes())
    assert read[0] == rows.column_names
    assert read[1:] == [[str(to_csv(value)) for value in row] for row in expected]
    cells = read_cells((report / "downloads" / f"{shown.slug}.xlsx").read_bytes())
    assert cells[0] == rows.column_names
    width = len(rows.column_names)
    found = [row + [None] * (width - len(row)) for row in cells[1:]]
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        assert got == [
            pytest.approx(excel_value(value)) if isinstance(excel_value(value), float) else value for value in wanted
        ]


def test_nothing_in_any_download_is_computed_or_followed(report):
    assert INJECTION in (report / "downloads" / "bestsellers.csv").read_text(encoding="utf-8-sig").replace('""', '"')
    for path in (report / "downloads").glob("*.xlsx"):
        assert count_formulas(path.read_bytes()) == 0
    for path in (report / "downloads").glob("*.csv"):
        cells = [cell for row in parse_csv(path.read_bytes()) for cell in row]
        assert not [cell for cell in cells if looks_like_formula(cell) and not re.fullmatch(r"-[0-9.]+", cell)]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_name_that_is_a_formula_is_inert_in_both(attack, contracts):
    rows = pa.table({"product_name": [attack, "plain"]})
    sheet = sheet_of(rows, contracts)
    assert parse_csv(write_csv(sheet))[1] == [f"'{attack}"]
    book = write_xlsx(sheet)
    assert count_formulas(book) == 0
    assert read_cells(book)[1][0].replace("\r", "").replace("_x000D_", "") == attack.replace("\r", "")


def test_numbers_below_zero_stay_numbers(contracts):
    sheet = sheet_of(pa.table({"rank_change": [-3], "revenue": [Decimal("-1.50")]}), contracts)
    assert parse_csv(write_csv(sheet))[1] == ["-3", "-1.50"]
    assert read_cells(write_xlsx(sheet))[1] == [-3.0, -1.5]


@pytest.mark.parametrize(
    "at", [datetime(2026, 11, 26, 11, 24, 57, 717306, tzinfo=UTC), datetime(2026, 3, 9, 23, 59, 59, 999999, tzinfo=UTC)]
)
def test_a_time_has_no_more_digits_than_it_takes_to_show_it(contracts, at):
    """The first, to the microsecond, has digits that pass for those of a payment card, as one time in thirteen has."""
    _, (cell,) = read_cells(write_xlsx(sheet_of(pa.table({"released_at": [at]}), contracts)))
    expected = excel_value(at)
    assert abs(cell - expected) < 0.1 / 86_400
    assert len(re.sub(r"\D", "", repr(cell))) <= 11
    assert any(map(is_card, find_numbers(repr(expected).encode()))) is (at.hour == 11)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(TEXT, min_size=1, max_size=5))
def test_any_text_comes_back_and_none_runs(names, contracts):
    sheet = sheet_of(pa.table({"product_name": names, "rank": list(range(len(names)))}), contracts)
    cells = [row[0] for row in parse_csv(write_csv(sheet))[1:]]
    assert [
        cell.removeprefix("'") if looks_like_formula(name) else cell for cell, name in zip(cells, names, strict=True)
    ] == names
    assert not any(looks_like_formula(cell) for cell in cells)
    book = write_xlsx(sheet)
    assert count_formulas(book) == 0
    assert [(row[0] or "") for row in read_cells(book)[1:]] == names


def test_a_table_too_long_for_a_sheet_says_so(contracts, monkeypatch):
    monkeypatch.setattr(downloads, "XLSX_ROWS", 3)
    sheet = sheet_of(pa.table({"rank": [1, 2, 3, 4, 5]}), contracts)
    book = write_xlsx(sheet)
    assert len(read_cells(book)) == 1 + 3
    about = [cell for row in read_cells(book, sheet=2) for cell in row]
    assert "the first 3 of 5; the CSV file holds all" in about
    assert len(parse_csv(write_csv(sheet))) == 1 + 5


def test_an_empty_table_has_its_heads(contracts):
    sheet = sheet_of(contracts["marts.also_bought"].arrow_schema().empty_table(), contracts)
    names = list(contracts["marts.also_bought"].column_names)
    assert parse_csv(write_csv(sheet)) == [names]
    assert read_cells(write_xlsx(sheet)) == [names]


def test_a_workbook_explains_its_columns(contracts):
    about = read_cells(write_xlsx(sheet_of(pa.table({"rank": [1]}), contracts)), sheet=2)
    told = {row[0]: row[1] for row in about if len(row) > 1}
    assert told["What"] == contracts["marts.also_bought"].purpose
    assert told["orders"] == "Orders with both"
    assert told["Note"] == "A note."
