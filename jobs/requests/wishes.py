"""What people ask for, as it comes in: on the command line, or in a file of many.

A file is CSV with a header, or JSON Lines; the fields are ``email``, ``kind``, ``purpose``, and for corrections those
of :data:`jobs.requests.corrections.FIELDS`. When one row is wrong nothing of the file is recorded, and all wrong rows
are told at once by the number of their line, so that the same file can be mended and given again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from jobs.errors import UsageError
from jobs.lake import columns as C
from jobs.privacy.keyring import Key
from jobs.privacy.rights.choices import ADS, FLAGS
from jobs.privacy.rights.request_ledger import CORRECT, KINDS, OPT_IN, OPT_OUT
from jobs.privacy.subject_ids import make_subject_id
from jobs.requests.corrections import FIELDS, read_values
from jobs.sources.csv_records import Line, read_records

CHOICES: Final = (OPT_OUT, OPT_IN)
ASKED: Final = (C.EMAIL, C.KIND, C.PURPOSE)
MOST_TOLD: Final = 100
Given = Mapping[str, object]


@dataclass(frozen=True)
class Wish:
    """One thing that one person asks for; printing it shows nothing of the person.

    Attributes:
        kind: one of :data:`jobs.privacy.rights.request_ledger.KINDS`.
        subject_id: pseudonym of the address.
        purpose: of an opt-out or opt-in: ``ads`` or ``personalisation``.
        email: the address as it was written.
        values: new values of a correction.
    """

    kind: str
    subject_id: str = field(repr=False)
    purpose: str | None = None
    email: str = field(default="", repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_wish(given: Given, key: Key, today: date) -> Wish:
    """A wish from its fields.

    Raises:
        UsageError: with everything that is wrong; names fields, and shows no value of a person.
    """
    fields = {name.strip().lower(): value for name, value in given.items() if value not in (None, "")}
    mistakes: list[str] = []
    kind = str(fields.get(C.KIND, ""))
    if kind not in KINDS:
        mistakes.append(f"kind must be one of {', '.join(KINDS)}")
    subject_id = ""
    try:
        subject_id = make_subject_id(str(fields.get(C.EMAIL, "")), key)
    except UsageError as error:
        mistakes.append(str(error).rstrip("."))
    values, wrong = _read_values(kind, fields, today)
    purpose, misplaced = _read_purpose(kind, fields)
    mistakes += [*wrong, *misplaced]
    if mistakes:
        raise UsageError("; ".join(mistakes) + ".")
    return Wish(kind, subject_id, purpose, str(fields[C.EMAIL]).strip(), values)


def read_wishes(text: str, key: Key, today: date, *, kind: str | None = None) -> list[Wish]:
    """The wishes of a file.

    Args:
        text: CSV with a header, or one JSON object a line.
        key: of ``subject_id``.
        today: the present day.
        kind: of rows that name none.

    Raises:
        UsageError: rows are wrong; all of them are told by line, without their content.
    """
    wishes, mistakes = [], []
    for number, record, defect in _read_rows(text.removeprefix("\ufeff")):
        if record is None:
            mistakes.append(f"line {number}: {defect}")
            continue
        try:
            wishes.append(read_wish({C.KIND: kind, **record}, key, today))
        except UsageError as error:
            mistakes.append(f"line {number}: {str(error).removesuffix('.')}")
    if mistakes:
        told = "\n".join(mistakes[:MOST_TOLD])
        more = f"\nand {len(mistakes) - MOST_TOLD:,} more" if len(mistakes) > MOST_TOLD else ""
        total = len(wishes) + len(mistakes)
        message = f"{len(mistakes):,} of {total:,} rows are wrong; nothing was recorded:\n{told}{more}"
        raise UsageError(message)
    if not wishes:
        message = "There is no request in the file; nothing was recorded."
        raise UsageError(message)
    return wishes


def _read_values(kind: str, fields: Given, today: date) -> tuple[dict[str, str], list[str]]:
    others = {name: value for name, value in fields.items() if name not in ASKED}
    if kind == CORRECT:
        return read_values(others, today)
    known, unknown = sorted(set(others) & set(FIELDS)), set(others) - set(FIELDS)
    mistakes = [f"{', '.join(known)} can only come with a request to correct"] if known and kind in KINDS else []
    return {}, [*mistakes, f"{len(unknown)} of its fields are none of {', '.join(ASKED)}"] if unknown else mistakes


def _read_purpose(kind: str, fields: Given) -> tuple[str | None, list[str]]:
    given = fields.get(C.PURPOSE)
    if kind not in CHOICES:
        is_misplaced = given is not None and kind in KINDS
        return None, [f"purpose can only come with {' or '.join(CHOICES)}"] if is_misplaced else []
    purpose = str(given or ADS)
    return purpose, [] if purpose in FLAGS else [f"purpose must be one of {', '.join(FLAGS)}"]


def _read_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | None, str | None]]:
    """Number of the line, its fields, and what is wrong with it."""
    # Only what ends a line in files: str.splitlines would break at form feeds and other separators inside a field.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if text.lstrip().startswith("{"):
        for number, line in enumerate(lines, 1):
            if line.strip():
                record = _read_object(line)
                yield number, record, None if record is not None else "no JSON object with a text in each field"
        return
    numbered = (Line(number, line, None) for number, line in enumerate(lines, 1))
    for row in read_records(numbered, (C.EMAIL,)):
        yield row.number, json.loads(row.as_json) if row.as_json else None, row.defect


def _read_object(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_flat = isinstance(record, dict) and all(isinstance(value, str) or value is None for value in record.values())
    return record if is_flat else None
