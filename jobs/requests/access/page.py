"""The page that a person reads first: what is held, how long and why, and who received it; no network is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from jobs.requests.access.collecting import Holding
from jobs.requests.access.recipients import Recipient
from jobs.requests.access.wording import (
    CHAPTERS,
    INTERNAL,
    heading_of,
    order_columns,
    place_of,
    tell_purpose,
    tell_reason,
    tell_term,
    title_of,
)

TEMPLATES: Final = Path(__file__).with_name("templates")
MOST_ROWS: Final = 25
"""Rows of a table that the page shows; the files have all."""
FEW_ROWS: Final = 3
"""Up to this many rows are shown as cards, which read better than a wide table."""


@dataclass(frozen=True)
class Section:
    """One table on the page; ``rows`` are the newest ones, as texts under ``headings``.

    The first ``plain`` columns are for everybody, the rest are internal.
    """

    title: str
    anchor: str
    purpose: str
    count: int
    term: str
    reason: str
    headings: tuple[str, ...]
    plain: int
    rows: tuple[tuple[str, ...], ...]
    links: Mapping[str, str]

    @property
    def is_short(self) -> bool:
        """True where each row is a card."""
        return self.count <= FEW_ROWS


def write_page(
    made_at: datetime,
    holdings: Sequence[Holding],
    recipients: Sequence[Recipient],
    links: Mapping[str, Mapping[str, str]],
) -> str:
    """The page.

    Args:
        made_at: when, UTC.
        holdings: what each table holds, those without rows too.
        recipients: to whom data went.
        links: the files of each table by form.
    """
    sections: dict[str, list[Section]] = {chapter: [] for chapter in CHAPTERS}
    for holding in sorted(holdings, key=lambda held: place_of(held.contract.name)):
        if holding.rows:
            sections[title_of(holding.contract.name).chapter].append(_make_section(holding, links))
    empty = sorted(title_of(holding.contract.name).text for holding in holdings if not holding.rows)
    return _template().render(
        made_at=made_at,
        chapters=[(name, found) for name, found in sections.items() if found],
        rows=sum(len(holding.rows) for holding in holdings),
        tables=sum(bool(holding.rows) for holding in holdings),
        empty=empty,
        recipients=recipients,
        most_rows=MOST_ROWS,
    )


def _make_section(holding: Holding, links: Mapping[str, Mapping[str, str]]) -> Section:
    contract = holding.contract
    shown = [c for c in order_columns(contract) if any(row[c.name] is not None for row in holding.rows)]
    rows = holding.rows[: -MOST_ROWS - 1 : -1]
    return Section(
        title_of(contract.name).text,
        contract.name.replace(".", "-"),
        tell_purpose(contract),
        len(holding.rows),
        tell_term(contract),
        tell_reason(contract),
        tuple(heading_of(column) for column in shown),
        sum(column.name not in INTERNAL for column in shown),
        tuple(tuple(_to_text(row[column.name]) for column in shown) for row in rows),
        links[contract.name],
    )


def _to_text(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["thousands"] = "{:,}".format
    environment.policies["urlize.rel"] = ""
    return environment.get_template("overview.html")
