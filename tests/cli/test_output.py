"""What is printed can be read by people, and by programs without loss."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

from jobs.cli.output import Format, format_size, print_rows

ROW = {"text": 'a,"b"\nc', "number": -1, "money": Decimal("1.50"), "day": date(2024, 1, 31), "none": None}
ROW |= {"at": datetime(2024, 1, 31, 10, tzinfo=UTC), "formula": "=1+1", "raw": b"\x01"}


def capture(capsys, format_):
    print_rows([ROW], tuple(ROW), format_)
    return capsys.readouterr().out


def test_csv_reads_back(capsys):
    row = next(csv.DictReader(io.StringIO(capture(capsys, Format.CSV))))
    assert row["text"] == ROW["text"]
    assert (row["number"], row["money"], row["day"], row["none"]) == ("-1", "1.50", "2024-01-31", "")


def test_csv_holds_no_formula(capsys):
    row = next(csv.DictReader(io.StringIO(capture(capsys, Format.CSV))))
    assert row["formula"] == "'=1+1"


def test_json_reads_back(capsys):
    (row,) = json.loads(capture(capsys, Format.JSON))
    assert row == {
        "text": ROW["text"],
        "number": -1,
        "money": "1.50",
        "day": "2024-01-31",
        "none": None,
        "at": "2024-01-31T10:00:00+00:00",
        "formula": "=1+1",
        "raw": "01",
    }


def test_json_without_rows_is_an_empty_list(capsys):
    print_rows([], ("a",), Format.JSON)
    assert json.loads(capsys.readouterr().out) == []


def test_a_table_off_a_terminal_is_not_cut(capsys):
    print_rows([{"name": "x" * 300, "markup": "[red]not markup[/red]"}], ("name", "markup"))
    out = capsys.readouterr().out
    assert "x" * 300 in out
    assert "[red]not markup[/red]" in out


def test_sizes_are_read_by_people():
    assert [format_size(size) for size in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
