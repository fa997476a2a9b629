"""The report as a whole: read the published tables, write pages, data, downloads.

It is written anew as a whole and needs no engine. ``run`` is the step that ends the marts' flow; it also runs when a
mart was held back, because then the pages say so.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Days, Lake, storage
from jobs.lake import columns as C
from jobs.lake.reports import STEP_RUNS, StepReport
from jobs.report import ads, bestsellers, folders, freshness, neighbours, pages, quality, trends
from jobs.report.catalogue import read_catalogue
from jobs.report.downloads import Sheet, write_csv, write_xlsx
from jobs.report.tables import AD_EFFECTIVENESS, ALSO_BOUGHT, ALSO_VIEWED, BESTSELLERS, CATALOGUE, SHOWN, Shown

if TYPE_CHECKING:
    import pyarrow as pa

ASSETS: Final = "assets"
ESCAPED: Final = {"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"}
NOISE: Final = "Numbers carry noise: in 95 of 100 cases the true one is within the margin in the column beside it."
NEWEST: Final = "Holds the periods that the report shows; the table keeps older ones."
SUPPORT: Final = "Only pairs of several different people are in it."
NOTES: Final[Mapping[str, tuple[str, ...]]] = {
    BESTSELLERS.table: (NOISE, NEWEST),
    ALSO_BOUGHT.table: (SUPPORT,),
    ALSO_VIEWED.table: (SUPPORT,),
    AD_EFFECTIVENESS.table: (NOISE, NEWEST),
}


@dataclass(frozen=True)
class Tables:
    """Rows of the published tables, by name, and what is known about them."""

    rows: "Mapping[str, pa.Table]"
    neighbours: neighbours.Neighbours
    freshness: list[freshness.Freshness]
    other_troubles: int
    quality: list[quality.Quality]


def read_tables(lake: Lake, day: date) -> Tables:
    """Everything that the report is made from."""
    lists = {name: neighbours.read_neighbours(lake, shown) for name, shown in neighbours.LISTS.items()}
    rows = {
        BESTSELLERS.table: bestsellers.read_charts(lake).sort_by([(n, "ascending") for n in BESTSELLERS.order]),
        AD_EFFECTIVENESS.table: ads.read_ads(lake).sort_by([(name, "ascending") for name in AD_EFFECTIVENESS.order]),
        **{shown.table: lists[name] for name, shown in neighbours.LISTS.items()},
    }
    paired = neighbours.arrange(lists, read_catalogue(lake))
    return Tables(rows, paired, *freshness.read_freshness(lake, day), quality.read_quality(lake))


def build_files(lake: Lake, tables: Tables, *, day: date, made_at: datetime) -> dict[str, bytes]:
    """Every file of the report, by its path.

    Args:
        lake: has the contracts.
        tables: of :func:`read_tables`.
        day: that the report is for.
        made_at: when the tables were read.
    """
    charts = bestsellers.arrange(tables.rows[BESTSELLERS.table])
    ad_rows = ads.arrange(tables.rows[AD_EFFECTIVENESS.table])
    weeks = trends.arrange(charts.weekly)
    files = {**_write_downloads(lake, tables.rows, made_at), **_read_assets()}
    files.update(_write_data(charts, weeks, tables.neighbours, ad_rows))
    sizes = {path: len(content) for path, content in files.items()}
    downloads = [
        pages.describe_download(lake.contracts[s.table], s, tables.rows[s.table], NOTES[s.table], sizes) for s in SHOWN
    ]
    facts = pages.Facts(day, made_at, charts, tables.freshness, tables.other_troubles, tables.quality, downloads)
    has = {"has_trends": bool(weeks), "has_neighbours": bool(tables.neighbours.index), "has_ads": bool(ad_rows)}
    files.update(pages.render_pages(facts, has))
    return files


def write_report(lake: Lake, out: str, *, day: date, made_at: datetime) -> int:
    """Write the report into a folder; returns the rows that went into it.

    Args:
        lake: whose published tables are shown.
        out: a folder of this machine or a URL.
        day: the day that the report is for.
        made_at: now.

    Raises:
        UsageError: the folder holds something that is no report.
    """
    target = folders.check_target(out, lake.home)
    tables = read_tables(lake, day)
    files = build_files(lake, tables, day=day, made_at=made_at)
    with storage.table_lock(lake.home, folders.DEFAULT_FOLDER, exclusive=True):
        folders.publish(target, files, made_at=made_at)
    return sum(rows.num_rows for rows in tables.rows.values())


def read_state(lake: Lake) -> tuple[object, ...]:
    """Something that changes whenever the report would: versions of tables, and when they were checked last."""
    tables = (*(shown.table for shown in SHOWN), CATALOGUE, STEP_RUNS)
    checked = [(found.table, found.run and found.run["checked_at"]) for found in quality.read_quality(lake)]
    return (*(lake.version(table) for table in tables), *checked)


def find_day(lake: Lake) -> date:
    """The day that a report is for when nobody says it: the last one of the marts, else yesterday."""
    runs = freshness.newest_runs(lake.read_records(STEP_RUNS))
    days = [runs[shown.table][C.DAY] for shown in SHOWN if shown.table in runs]
    return max(days, default=datetime.now(UTC).date() - timedelta(1))


def run(lake: Lake, days: Days) -> StepReport:
    """Write the report of the last day into the lake's own folder for it."""
    out = storage.join(lake.home, folders.DEFAULT_FOLDER)
    rows = write_report(lake, out, day=days.last, made_at=datetime.now(UTC))
    held = [table.table for table in quality.read_quality(lake) if table.is_held_back]
    warnings = [f"The report shows the last good rows of {', '.join(held)}; newer ones were held back."] if held else []
    return StepReport(rows_in=rows, rows_out=rows, warnings=warnings)


def _write_data(
    charts: bestsellers.Charts, weeks: Mapping[str, Any], paired: neighbours.Neighbours, ad_rows: list[dict[str, Any]]
) -> dict[str, bytes]:
    first = _find_first(charts, paired)
    payloads: dict[str, Any] = {
        "charts": {"periods": charts.periods, "scopes": charts.scopes, "newest": charts.newest},
        "trends": {"weeks": weeks, "specifications": trends.build_specifications() if weeks else {}},
        "products": {"index": paired.index, "first": first},
        "ads": {"rows": ad_rows, "currency": charts.currency},
        **{f"period-{name}": content for name, content in charts.files.items()},
        **paired.parts,
    }
    return {f"data/{name}.js": write_payload(name, content) for name, content in payloads.items()}


def _find_first(charts: bestsellers.Charts, paired: neighbours.Neighbours) -> str | None:
    """The product that the browser opens with: the best-seller that has neighbours."""
    known = {entry[0] for entry in paired.index}
    newest = charts.files[charts.newest["id"]] if charts.newest else {"charts": {}, "products": []}
    places: Iterable[list[Any]] = newest["charts"].get("overall:all", ())
    return next((id_ for place in places if (id_ := newest["products"][place[0]][0]) in known), None)


def write_payload(name: str, content: Any) -> bytes:  # noqa: ANN401
    """Data as a script, because a page from disk may not read a file; it can hold no markup and no code."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escape in ESCAPED.items():
        text = text.replace(character, escape)
    return f'Sophilux.receive("{name}",{text});\n'.encode()


def _write_downloads(lake: Lake, rows: "Mapping[str, pa.Table]", made_at: datetime) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for shown in SHOWN:
        sheet = _make_sheet(lake, shown, rows[shown.table], made_at)
        files[f"downloads/{shown.slug}.csv"] = write_csv(sheet)
        files[f"downloads/{shown.slug}.xlsx"] = write_xlsx(sheet)
    return files


def _make_sheet(lake: Lake, shown: Shown, rows: "pa.Table", made_at: datetime) -> Sheet:
    contract = lake.contracts[shown.table]
    return Sheet(shown.title, rows.select(list(contract.column_names)), contract, NOTES[shown.table], made_at)


@cache
def _read_assets() -> dict[str, bytes]:
    folder = resources.files(__package__).joinpath(ASSETS)
    own = {f"{ASSETS}/{entry.name}": entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    return {**own, f"{ASSETS}/{trends.VEGA}": trends.bundle_vega()}
