"""The pages of the report, from templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Contract
from jobs.quality.results import BLOCKED
from jobs.report.bestsellers import Charts
from jobs.report.cells import to_utc
from jobs.report.downloads import count_xlsx
from jobs.report.freshness import Freshness
from jobs.report.quality import Quality
from jobs.report.tables import Shown

if TYPE_CHECKING:
    import pyarrow as pa
    from jinja2 import Environment

KIB: Final = 1024
FIRST_ROWS: Final = 20
PURCHASES: Final = "sources.purchases"
PAGES: Final = (
    ("index", "Best-sellers"),
    ("trends", "Trends"),
    ("together", "Bought together"),
    ("ads", "Ads"),
    ("quality", "Data and quality"),
    ("downloads", "Downloads"),
)


@dataclass(frozen=True)
class Facts:
    """What the pages say without scripts."""

    day: date
    made_at: datetime
    charts: Charts
    freshness: Sequence[Freshness]
    other_troubles: int
    quality: Sequence[Quality]
    downloads: Sequence[Mapping[str, Any]]


def render_pages(facts: Facts, has: Mapping[str, bool]) -> dict[str, bytes]:
    """Every page by its file's name.

    Args:
        facts: what to say.
        has: which pages have rows to show.
    """
    environment = _environment()
    shared = {**_describe(facts), **has}
    return {
        f"{name}.html": environment.get_template(f"{name}.html").render(page=name, **shared).encode("utf-8")
        for name, _ in PAGES
    }


def describe_download(
    contract: Contract, shown: Shown, rows: "pa.Table", notes: Sequence[str], sizes: Mapping[str, int]
) -> dict[str, Any]:
    """What the page of downloads says about a table."""
    return {
        "slug": shown.slug,
        "title": shown.title,
        "purpose": contract.purpose,
        "rows": rows.num_rows,
        "xlsx_rows": count_xlsx(rows.num_rows),
        "csv_size": format_size(sizes[f"downloads/{shown.slug}.csv"]),
        "xlsx_size": format_size(sizes[f"downloads/{shown.slug}.xlsx"]),
        "columns": contract.columns,
        "notes": notes,
    }


def format_size(size: int) -> str:
    """Bytes as ``12 KB`` or ``3.4 MB``."""
    return f"{size / KIB / KIB:.1f} MB" if size >= KIB * KIB else f"{max(1, round(size / KIB)):,} KB"


def format_day(day: date) -> str:
    """A day as people say it: ``Mon 9 November 2026``."""
    return f"{day:%a} {day.day} {day:%B %Y}"


def format_time(moment: datetime | str) -> str:
    """A moment in UTC to the minute."""
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{to_utc(read):%Y-%m-%d %H:%M} UTC"


def label_period(period: Mapping[str, Any]) -> str:
    """A period by its days."""
    start, end = date.fromisoformat(period["start"]), date.fromisoformat(period["end"])
    return format_day(end) if start == end else f"{start.day} {start:%B} to {format_day(end)}"


def _describe(facts: Facts) -> dict[str, Any]:
    sales = next((item for item in facts.freshness if item.name == PURCHASES), None)
    unfinished = [item for item in facts.freshness if item.trouble]
    troubled = [table for table in facts.quality if table.state in (BLOCKED, "warnings")]
    return {
        "pages": [{"name": name, "label": label, "file": f"{name}.html"} for name, label in PAGES],
        "day": facts.day,
        "made_at": facts.made_at,
        "newest": facts.charts.newest,
        "noisy": bool(facts.charts.periods),
        "first_rows": _list_first(facts.charts),
        "freshness": facts.freshness,
        "quality": facts.quality,
        "held_back": [table for table in facts.quality if table.is_held_back],
        "attention": len({table.table for table in troubled} | {item.name for item in unfinished}),
        "urgency": "bad" if unfinished or any(table.state == BLOCKED for table in troubled) else "warn",
        "other_troubles": facts.other_troubles,
        "checked": any(table.run for table in facts.quality),
        "sales_day": sales.day if sales else None,
        "sales_behind": (sales.behind or 0) if sales else 0,
        "downloads": facts.downloads,
    }


def _list_first(charts: Charts) -> list[dict[str, Any]]:
    """The first places of the newest chart, for readers without scripts."""
    if charts.newest is None:
        return []
    file = charts.files[charts.newest["id"]]
    places = file["charts"].get("overall:all", [])[:FIRST_ROWS]
    return [
        {"rank": rank, "name": file["products"][number][1], "buyers": buyers, "margin": margin}
        for number, rank, _, _, _, _, buyers, margin, *_ in places
    ]


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("jobs.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    environment.filters["day_long"] = format_day
    environment.filters["when"] = format_time
    environment.filters["period_label"] = label_period
    environment.filters["iso"] = lambda moment: moment.isoformat(timespec="seconds")
    return environment
