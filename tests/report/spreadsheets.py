"""Reads a workbook as a spreadsheet would: what each cell holds, and whether it would be computed."""

import io
import re
import zipfile
from xml.etree import ElementTree as ET

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_cells(content: bytes, sheet: int = 1) -> list[list[object]]:
    """Rows of a sheet; texts as str, numbers as float, booleans as bool, empty cells as None."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        shared = _read_shared(book)
        root = ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    rows = []
    for row in root.iter(f"{MAIN}row"):
        cells: dict[int, object] = {}
        for cell in row.iter(f"{MAIN}c"):
            cells[_column(cell.get("r", ""))] = _read_cell(cell, shared)
        rows.append([cells.get(place) for place in range(max(cells) + 1)])
    return rows


def count_formulas(content: bytes) -> int:
    """Cells, names and links that a spreadsheet would compute or follow."""
    found = 0
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        for name in book.namelist():
            text = book.read(name).decode("utf-8", "replace")
            found += len(re.findall(r"<f[ >]|<hyperlink|externalLink|oleObject|ddeLink", text))
    return found


def _read_shared(book: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    root = ET.fromstring(book.read("xl/sharedStrings.xml"))
    return ["".join(part.text or "" for part in item.iter(f"{MAIN}t")) for item in root.iter(f"{MAIN}si")]


def _read_cell(cell: ET.Element, shared: list[str]) -> object:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{MAIN}t"))
    value = cell.find(f"{MAIN}v")
    if value is None or value.text is None:
        return None
    readers = {"s": lambda text: shared[int(text)], "b": lambda text: text == "1", "str": str, "n": float}
    return readers[kind](value.text)


def _column(reference: str) -> int:
    number = 0
    for letter in re.match(r"[A-Z]+", reference)[0]:
        number = number * 26 + ord(letter) - 64
    return number - 1
