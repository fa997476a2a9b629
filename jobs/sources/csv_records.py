"""CSV lines to records, where one line that cannot be understood never takes its neighbours with it.

The first line that is not blank is the header; it must name the fields that every record has. The delimiter is the
comma, semicolon, tab or bar that the header uses. A quoted field may hold line breaks, which become line feeds.
A quote that is opened and not closed spoils its own line only: reading goes on with the next one.
"""

import csv
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DELIMITERS = ",;\t|"
RECORD_LINES = 100
RECORD_CHARACTERS = 1024**2
QUOTE_NOT_CLOSED = "a quote is never closed"
NOT_CSV = "cannot be split into fields"


@dataclass(frozen=True)
class Line:
    """One line of a file; ``defect`` is what was wrong with it before anybody looked at its fields."""

    number: int
    text: str
    defect: str | None


@dataclass(frozen=True)
class Record:
    """One record: number of its first line, its text, and its fields as JSON or what is wrong with it."""

    number: int
    raw: str
    as_json: str | None
    defect: str | None


@dataclass(frozen=True)
class Header:
    """Names and delimiter of a file's fields; ``defect`` says why its records cannot be understood."""

    names: tuple[str, ...]
    delimiter: str
    defect: str | None


def read_header(text: str, required: Sequence[str]) -> Header:
    """The header a line is, with a defect where it is none or lacks a required field."""
    delimiter = max(DELIMITERS, key=text.count)
    try:
        row = next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        row = []
    names = tuple(name.strip().lower() for name in row)
    missing = [name for name in required if name not in names]
    if missing:
        return Header(names, delimiter, f"header lacks {', '.join(missing)}")
    if len(set(names)) < len(names):
        return Header(names, delimiter, "header names a field twice")
    return Header(names, delimiter, None)


def read_records(lines: Iterator[Line], required: Sequence[str]) -> Iterator[Record]:
    """Records of one file; the header is none, unless it cannot be used: then it is landed like all the rest."""
    first = next(filter(is_line, lines), None)
    if first is None:
        return
    header = read_header(first.text, required)
    if first.defect or header.defect:
        defect = header.defect or "header cannot be read"
        yield Record(first.number, first.text, None, first.defect or defect)
        yield from (Record(line.number, line.text, None, line.defect or defect) for line in filter(is_line, lines))
        return
    yield from _read_body(lines, header)


def is_line(line: Line) -> bool:
    """False for white space between records."""
    return bool(line.text.strip() or line.defect)


def _read_body(lines: Iterator[Line], header: Header) -> Iterator[Record]:
    waiting: deque[Line] = deque()
    while line := (waiting.popleft() if waiting else next(lines, None)):
        if is_line(line):
            yield _read_record(line, waiting, lines, header)


def _read_record(line: Line, waiting: deque[Line], lines: Iterator[Line], header: Header) -> Record:
    """The record that begins with a line; lines taken in vain go back to ``waiting``."""
    if line.defect:
        return Record(line.number, line.text, None, line.defect)
    record, defect = _parse(line.text, header)
    if defect != QUOTE_NOT_CLOSED:
        return Record(line.number, line.text, record, defect)
    taken: list[Line] = []
    text = line.text
    while following := _take_following(text, taken, waiting, lines):
        taken.append(following)
        text = f"{text}\n{following.text}"
        if '"' not in following.text:
            continue
        record, joined_defect = _parse(text, header)
        if joined_defect is None:
            return Record(line.number, text, record, None)
        if joined_defect != QUOTE_NOT_CLOSED:
            break
    waiting.extendleft(reversed(taken))
    return Record(line.number, line.text, None, defect)


def _take_following(text: str, taken: list[Line], waiting: deque[Line], lines: Iterator[Line]) -> Line | None:
    """The next line of an open quote; none where the record is too large already or the line has a defect."""
    if len(taken) + 1 >= RECORD_LINES or len(text) > RECORD_CHARACTERS:
        return None
    following = waiting.popleft() if waiting else next(lines, None)
    if following is not None and following.defect:
        waiting.appendleft(following)
        return None
    return following


def _parse(text: str, header: Header) -> tuple[str | None, str | None]:
    """A record's fields as JSON, empty ones left out; or the defect."""
    try:
        fields = next(csv.reader([text], delimiter=header.delimiter, strict=True))
    except csv.Error as error:
        return None, QUOTE_NOT_CLOSED if "unexpected end" in str(error) else NOT_CSV
    if len(fields) != len(header.names):
        return None, f"{len(fields)} fields where the header has {len(header.names)}"
    record = {name: value for name, value in zip(header.names, fields, strict=True) if value}
    return json.dumps(record, ensure_ascii=False), None
