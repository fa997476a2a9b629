"""Weekly trends as Vega-Lite charts, made with Altair; the page gives them their rows and colours.

The charts are specifications without data, so that one chart serves every category and country, and light and dark.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jobs.lake import columns as C

DATA: Final = "weeks"
TOP: Final = 8
"""Products of one chart: more lines cannot be told apart."""
WEEKS: Final = 26
VEGA: Final = "vega.js"


def arrange(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[list[Any]]]:
    """Rows of weekly charts by chart, of the products that lead the newest week.

    Args:
        rows: of ``marts.bestsellers`` for weeks, in the order of their weeks.

    Returns:
        Rows of week, its Monday, product, name, buyers, margin and rank.
    """
    by_chart: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_chart.setdefault(f"{row[C.SCOPE]}:{row[C.SCOPE_VALUE]}", []).append(row)
    return {name: _keep_top(chart) for name, chart in sorted(by_chart.items())}


def _keep_top(chart: list[Mapping[str, Any]]) -> list[list[Any]]:
    """The weeks of the products that are the best of the chart's last week."""
    last = max(row[C.PERIOD_START] for row in chart)
    best = {row[C.PRODUCT_ID] for row in chart if row[C.PERIOD_START] == last and row[C.RANK] <= TOP}
    kept = sorted(
        (row for row in chart if row[C.PRODUCT_ID] in best), key=lambda row: (row[C.PERIOD_START], row[C.RANK])
    )
    return [
        [
            row[C.PERIOD_ID],
            row[C.PERIOD_START].isoformat(),
            row[C.PRODUCT_ID],
            row[C.PRODUCT_NAME],
            row[C.BUYERS],
            row[C.BUYERS_MARGIN],
            row[C.RANK],
        ]
        for row in kept
    ]


def build_specifications() -> dict[str, dict[str, Any]]:
    """The charts by name: ``buyers`` with 95 % intervals, and ``ranks``."""
    import altair as alt

    data = alt.NamedData(name=DATA)
    axis = alt.Axis(format="%d %b", labelOverlap=True, grid=False)
    week = alt.X("start:T", title=None, axis=axis, scale=alt.Scale(type="utc"))
    legend = alt.Legend(title=None, orient="bottom", symbolType="stroke")
    product = alt.Color("product:N", legend=legend, sort=alt.SortField("order"), scale=alt.Scale(range="category"))
    chosen = alt.selection_point(fields=["product"], bind="legend")
    strong = alt.condition(chosen, alt.value(1), alt.value(0.12))
    faint = alt.condition(chosen, alt.value(0.1), alt.value(0.02))
    told = [
        alt.Tooltip("product:N", title="Product"),
        alt.Tooltip("week:N", title="Week"),
        alt.Tooltip("told:N", title="Buyers"),
        alt.Tooltip("rank:Q", title="Rank"),
    ]
    lines = alt.Chart(data).encode(x=week, color=product, tooltip=told)
    buyers = alt.Y("buyers:Q", title="Buyers")
    band = lines.mark_area(line=False).encode(y=alt.Y("low:Q", title="Buyers"), y2="high:Q", opacity=faint)
    line = lines.mark_line(point=alt.OverlayMarkDef(size=36), strokeWidth=2.5).encode(y=buyers, opacity=strong)
    places = alt.Y(
        "rank:Q", title="Rank", scale=alt.Scale(reverse=True, zero=False, nice=False), axis=alt.Axis(tickMinStep=1)
    )
    bump = lines.mark_line(point=alt.OverlayMarkDef(size=90), strokeWidth=3, interpolate="monotone")
    charts = {
        "buyers": alt.layer(band, line).add_params(chosen).properties(width="container", height=340),
        "ranks": bump.encode(y=places, opacity=strong).add_params(chosen).properties(width="container", height=300),
    }
    return {name: _strip(chart.to_dict()) for name, chart in charts.items()}


def _strip(specification: dict[str, Any]) -> dict[str, Any]:
    """A specification without the address of its schema, and without colours, which the page gives."""
    return {name: value for name, value in specification.items() if name not in ("$schema", "config", "data")}


def bundle_vega() -> bytes:
    """Vega, Vega-Lite and Vega-Embed as one script that loads nothing and leaves one name in the window."""
    import vl_convert

    # The bundle holds only what the snippet uses: an empty one leaves an empty file.
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"(function () {{\n{bundle}\n}})();\n".encode()
