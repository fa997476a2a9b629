"""The file a person gets: a page to read, and each table as JSON and CSV, packed into one ZIP."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from jobs.lake.contracts import Column
from jobs.requests.access.collecting import Holding
from jobs.requests.access.page import write_page
from jobs.requests.access.recipients import Recipient
from jobs.requests.access.wording import heading_of, order_columns, tell_purpose, tell_reason, tell_term, title_of

PAGE: Final = "index.html"
RECIPIENTS: Final = "who-received-data"
FOLDERS: Final = {"csv": "tables", "json": "data"}
FORMULA: Final = re.compile(r"^[\s]*[=+\-@＝＋－＠]|^[\t\r\n]")
"""Texts that a spreadsheet would run."""
BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""
EARLIEST: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Answer:
    """All that the person is told.

    Attributes:
        made_at: when, UTC.
        holdings: what each table holds, those without rows too.
        recipients: to whom data went.
    """

    made_at: datetime
    holdings: Sequence[Holding]
    recipients: Sequence[Recipient]


def pack(answer: Answer) -> bytes:
    """The ZIP: ``index.html``, ``tables/*.csv`` and ``data/*.json``."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in list_files(answer):
            moment = max(EARLIEST, answer.made_at.timetuple()[:6])
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            archive.writestr(info, content)
    return target.getvalue()


def list_files(answer: Answer) -> Iterator[tuple[str, str]]:
    """Names and contents."""
    held = [holding for holding in answer.holdings if holding.rows]
    yield (
        PAGE,
        write_page(answer.made_at, answer.holdings, answer.recipients, {h.contract.name: _link(h) for h in held}),
    )
    for holding in held:
        yield name_file(holding, "csv"), BYTE_ORDER_MARK + write_csv(holding)
        yield name_file(holding, "json"), write_json(holding)
    yield f"{FOLDERS['json']}/{RECIPIENTS}.json", _dump([_describe(one) for one in answer.recipients])


def name_file(holding: Holding, form: str) -> str:
    """Where a table lies in the ZIP, such as ``tables/orders.csv``."""
    words = re.findall(r"[a-z0-9]+", title_of(holding.contract.name).text.lower())
    return f"{FOLDERS[form]}/{'-'.join(words)}.{form}"


def write_csv(holding: Holding) -> str:
    """A table as CSV; text that a spreadsheet could run gets an apostrophe in front."""
    columns = order_columns(holding.contract)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(heading_of(column) for column in columns)
    writer.writerows([_to_cell(row[column.name]) for column in columns] for row in holding.rows)
    return target.getvalue()


def write_json(holding: Holding) -> str:
    """A table as JSON, with what it is, how long it is kept and why, and what each column means."""
    contract, columns = holding.contract, order_columns(holding.contract)
    return _dump(
        {
            "title": title_of(contract.name).text,
            "what it is": tell_purpose(contract),
            "kept for": tell_term(contract),
            "why": tell_reason(contract),
            "columns": {heading_of(column): _explain(column) for column in columns},
            "rows": [{heading_of(column): to_json(row[column.name]) for column in columns} for row in holding.rows],
        }
    )


def _link(holding: Holding) -> Mapping[str, str]:
    return {form.upper(): name_file(holding, form) for form in FOLDERS}


def _explain(column: Column) -> str:
    return column.description or heading_of(column)


def _describe(recipient: Recipient) -> dict[str, Any]:
    return {
        "partner": recipient.partner,
        "knows you by": recipient.identifiers,
        "packages": [
            {"day": str(one.day), "told": list(one.told), **({"unknown": one.unknown} if one.unknown else {})}
            for one in recipient.handovers
        ],
    }


def _to_cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    plain = to_json(value)
    return f"'{plain}" if isinstance(value, str) and FORMULA.match(value) else plain


def to_json(value: object) -> object:
    """A value as it stands in JSON."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date | Decimal):
        return str(value)
    return value


def _dump(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1)
