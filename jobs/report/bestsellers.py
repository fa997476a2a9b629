"""Charts of ``marts.bestsellers`` as the pages need them.

Only the newest periods of each kind are shown. Every period is a file of its own, which a page loads when somebody asks
for it. A small line beside each product shows its buyers in the periods before.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.report.cells import to_json
from jobs.report.tables import BESTSELLERS, check_publishable

if TYPE_CHECKING:
    import pyarrow as pa

ALL: Final = "all"
SPARK_POINTS: Final = 12


@dataclass(frozen=True)
class Kind:
    """A kind of period; ``form`` is what its ids look like and ``kept`` how many of the newest are shown."""

    name: str
    label: str
    form: re.Pattern[str]
    kept: int


KINDS: Final = (
    Kind("day", "Day", re.compile(r"\d{4}-\d\d-\d\d"), 14),
    Kind("trailing7", "7 days", re.compile(r"\d{4}-\d\d-\d\d-7d"), 14),
    Kind("week", "Week", re.compile(r"\d{4}-W\d\d"), 26),
    Kind("trailing30", "30 days", re.compile(r"\d{4}-\d\d-\d\d-30d"), 14),
    Kind("month", "Month", re.compile(r"\d{4}-\d\d"), 13),
    Kind("year", "Year", re.compile(r"\d{4}"), 3),
)
NUMBERS: Final = (C.BUYERS, C.BUYERS_MARGIN, C.UNITS, C.UNITS_MARGIN, C.REVENUE, C.REVENUE_MARGIN)
PLACES: Final = (C.RANK, C.PREVIOUS_RANK, C.RANK_CHANGE, C.IS_NEW_ENTRY, C.WEEKS_ON_CHART)
OF_PERIOD: Final = (
    C.PERIOD_ID, C.PERIOD, C.PERIOD_START, C.PERIOD_END, C.CURRENCY, C.REVISION, C.RESTATED_AT, C.RESTATED_WHY,
    C.RELEASED_AT, C.RHO, C.EPSILON, C.DELTA,
)  # fmt: skip
Row = Mapping[str, Any]
History = Mapping[tuple[str, str, str], Mapping[str, int]]


@dataclass(frozen=True)
class Charts:
    """What the report has of the charts.

    Attributes:
        periods: one entry per period, newest first within its kind, with ``file``, ``kind`` and ``rows``.
        files: content by name, for the page to load.
        scopes: categories and countries that have a chart in any period.
        currency: of the revenue.
    """

    periods: Sequence[dict[str, Any]]
    files: Mapping[str, dict[str, Any]]
    scopes: Mapping[str, Sequence[str]]
    currency: str | None = None
    weekly: Sequence[Row] = field(default=(), repr=False)

    @property
    def newest(self) -> dict[str, Any] | None:
        """The period that the page opens with: of the shortest kind whose newest period has a chart of all products."""
        firsts = {period["kind"]: period for period in reversed(self.periods)}
        usable = (firsts[kind.name] for kind in KINDS if kind.name in firsts)
        return max(usable, key=lambda period: (period["end"], -_order(period["kind"])), default=None)


def read_charts(lake: Lake) -> "pa.Table":
    """Rows of the newest periods of each kind."""
    contract = check_publishable(lake.contracts[BESTSELLERS.table])
    there = {file.partition for file in lake.list_files(contract.name) if file.partition and file.rows}
    return lake.read_arrow(contract.name, choose_periods(there))


def choose_periods(ids: Iterable[str]) -> list[str]:
    """The ids that are shown: the newest of each kind."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for period_id in ids:
        kind = next((kind.name for kind in KINDS if kind.form.fullmatch(period_id)), None)
        if kind:
            by_kind[kind].append(period_id)
    return sorted(name for kind in KINDS for name in sorted(by_kind[kind.name])[-kind.kept :])


def arrange(rows: "pa.Table") -> Charts:
    """Charts from rows of :func:`read_charts`."""
    by_period: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.to_pylist():
        by_period[row[C.PERIOD_ID]].append(row)
    heads = {name: {column: to_json(of[0][column]) for column in OF_PERIOD} for name, of in by_period.items()}
    history = _collect_history(by_period)
    ends: dict[str, list[str]] = defaultdict(list)
    for name, head in sorted(heads.items(), key=lambda item: str(item[1][C.PERIOD_START])):
        ends[str(head[C.PERIOD])].append(name)
    files = {
        name: _describe_period(head, by_period[name], history, _list_before(ends[str(head[C.PERIOD])], name))
        for name, head in heads.items()
    }
    periods = [_list_period(files[name]) for kind in KINDS for name in reversed(ends[kind.name])]
    currency = next((str(head[C.CURRENCY]) for head in heads.values()), None)
    weekly = [row for name in ends["week"] for row in by_period[name]]
    return Charts(periods, files, _collect_scopes(by_period), currency, weekly)


def _order(kind: str) -> int:
    return next(number for number, known in enumerate(KINDS) if known.name == kind)


def _list_before(names: Sequence[str], name: str) -> list[str]:
    """A period and those before it, oldest first."""
    place = names.index(name) + 1
    return list(names[max(0, place - SPARK_POINTS) : place])


def _collect_history(by_period: Mapping[str, Sequence[Row]]) -> History:
    """Buyers of each product of each chart by period."""
    history: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    for name, rows in by_period.items():
        for row in rows:
            history[row[C.SCOPE], row[C.SCOPE_VALUE], row[C.PRODUCT_ID]][name] = row[C.BUYERS]
    return history


def _collect_scopes(by_period: Mapping[str, Sequence[Row]]) -> dict[str, list[str]]:
    scopes: dict[str, set[str]] = {"category": set(), "country": set()}
    for rows in by_period.values():
        for row in rows:
            scopes.setdefault(row[C.SCOPE], set()).add(row[C.SCOPE_VALUE])
    return {scope: sorted(values) for scope, values in scopes.items()}


def _describe_period(head: Row, rows: Sequence[Row], history: History, before: Sequence[str]) -> dict[str, Any]:
    """A period's file: what holds for all of it, its products once, and the places of every chart."""
    products: dict[str, int] = {}
    charts: dict[str, list[list[Any]]] = {}
    described: list[list[Any]] = []
    for row in sorted(rows, key=lambda row: (row[C.SCOPE], row[C.SCOPE_VALUE], row[C.RANK])):
        number = products.setdefault(row[C.PRODUCT_ID], len(products))
        if number == len(described):
            described.append([row[C.PRODUCT_ID], row[C.PRODUCT_NAME], row[C.CATEGORY_PATH] or row[C.CATEGORY]])
        seen = history[row[C.SCOPE], row[C.SCOPE_VALUE], row[C.PRODUCT_ID]]
        place = [to_json(row[column]) for column in (*PLACES, *NUMBERS)]
        charts.setdefault(name_chart(row), []).append([number, *place, [seen.get(name) for name in before]])
    return {**head, "points": list(before), "products": described, "charts": charts}


def name_chart(row: Row) -> str:
    """The name of a chart within its period, such as ``country:DE``."""
    return f"{row[C.SCOPE]}:{row[C.SCOPE_VALUE]}"


def _list_period(file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": file[C.PERIOD_ID],
        "kind": file[C.PERIOD],
        "start": file[C.PERIOD_START],
        "end": file[C.PERIOD_END],
        "revision": file[C.REVISION],
        "rows": sum(len(places) for places in file["charts"].values()),
    }


def list_margins(rows: Iterable[Row]) -> Iterator[tuple[int, int, int]]:
    """Margins of buyers, units and revenue as they stand beside the numbers."""
    seen = {(row[C.BUYERS_MARGIN], row[C.UNITS_MARGIN], row[C.REVENUE_MARGIN]) for row in rows}
    yield from sorted(seen)


def last_day(charts: Charts) -> date | None:
    """The last day that any chart holds."""
    ends = [date.fromisoformat(str(period["end"])) for period in charts.periods]
    return max(ends, default=None)
