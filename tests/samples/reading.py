"""Reads source drops back with the standard library only, so that counts do not rest on the code that wrote them."""

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import zstandard


def read_bytes(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix == ".gz":
        return gzip.decompress(content)
    if file.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)).read()
    return content


def read_lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Day of the drop and raw line, day by day."""
    for day in sorted(folder.iterdir()):
        for file in sorted(day.iterdir()):
            for line in read_bytes(file).splitlines():
                yield day.name, line


def read_table(root: Path, table: str) -> list[dict[str, object]]:
    with sqlite3.connect(root / "shop.db") as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]


def read_csv(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_bytes(file).decode())))


def read_carrier(folder: Path) -> Iterator[tuple[str, dict[str, str] | None]]:
    """Day of the drop and record, None where the line is no record."""
    for file in sorted(folder.iterdir()):
        day = file.name[:10]
        if ".csv" in file.name:
            for row in read_csv(file):
                yield day, None if row["order_id"] is None else {k: v for k, v in row.items() if v}
        else:
            for line in read_bytes(file).splitlines():
                yield day, json.loads(line) if line.startswith(b"{") else None


def passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
