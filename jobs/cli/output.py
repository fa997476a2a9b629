"""What the command line prints: tables for people, CSV and JSON for programs, progress for whoever waits."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from jobs.report.cells import defuse

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL: Final = 1_000
KIB: Final = 1024


class Format(StrEnum):
    """Forms of a result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on, on a terminal only; gives a function that changes what is shown."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(what) as status:
        yield status.update


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], format_: Format = Format.TABLE) -> None:
    """Print rows to standard output in one of the forms."""
    if format_ is Format.CSV:
        _print_csv(rows, columns)
    elif format_ is Format.JSON:
        lines = (json.dumps({name: _to_json(row[name]) for name in columns}, ensure_ascii=False) for row in rows)
        sys.stdout.write("[" + ",\n ".join(lines) + "]\n")
    else:
        _print_table(rows, columns)


def format_size(size: int) -> str:
    """Bytes in the unit people read, such as ``1.5 MiB``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < KIB:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= KIB
    return f"{amount:.1f} TiB"


def format_cell(value: object) -> str:
    """A value as people read it; null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def _print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = _console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    listed = list(rows)
    for name in columns:
        is_number = any(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in listed)
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text(format_cell(row[name])) for name in columns))
    console.print(table)


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)


def _print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_to_csv(name) for name in columns)
    writer.writerows([_to_csv(row[name]) for name in columns] for row in rows)


def _to_csv(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return defuse(value) if isinstance(value, str) else _to_json(value)


def _to_json(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): _to_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(inner) for inner in value]
    return str(value)
