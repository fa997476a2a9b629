"""Charts as the pages get them."""

from datetime import date

import pyarrow as pa
import pytest

from jobs.report import bestsellers
from jobs.report.bestsellers import arrange, choose_periods
from tests.report.shop import NAMELESS, chart_rows

WEEKS = [
    ("2026-W01", "week", date(2025, 12, 29), date(2026, 1, 4)),
    ("2026-W02", "week", date(2026, 1, 5), date(2026, 1, 11)),
    ("2026-W03", "week", date(2026, 1, 12), date(2026, 1, 18)),
]


@pytest.fixture
def table(contracts):
    def build(rows):
        schema = contracts["marts.bestsellers"].arrow_schema()
        full = [{field.name: row.get(field.name) for field in schema} for row in rows]
        return pa.Table.from_pylist(full, schema)

    return build


def places(charts, period, chart):
    file = charts.files[period]
    names = ["product", *bestsellers.PLACES, *bestsellers.NUMBERS, "trend"]
    found = []
    for place in file["charts"].get(chart, []):
        told = dict(zip(names, place, strict=True))
        found.append({**told, "product": file["products"][told["product"]][0]})
    return found


def test_every_place_of_the_table_is_in_the_file_of_its_period(table):
    rows = chart_rows()
    charts = arrange(table(rows))
    for row in rows:
        found = places(charts, row["period_id"], f"{row['scope']}:{row['scope_value']}")
        (place,) = [place for place in found if place["product"] == row["product_id"]]
        assert {name: place[name] for name in ("rank", "previous_rank", "rank_change", "buyers", "buyers_margin")} == {
            name: row[name] for name in ("rank", "previous_rank", "rank_change", "buyers", "buyers_margin")
        }
        assert place["revenue"] == float(row["revenue"])
    assert sum(period["rows"] for period in charts.periods) == len(rows)


def test_a_line_shows_the_buyers_of_earlier_periods_and_gaps(table):
    rows = [row for row in chart_rows(periods=WEEKS) if row["scope"] == "overall" and row["product_id"] == "P01"]
    buyers = [row["buyers"] for row in rows]
    whole = arrange(table(rows))
    (last,) = places(whole, "2026-W03", "overall:all")
    assert last["trend"] == buyers
    (middle,) = places(whole, "2026-W02", "overall:all")
    assert middle["trend"] == buyers[:2]
    others = [{**row, "product_id": "P02"} for row in rows]
    holed = arrange(table([rows[0], rows[2], *others]))
    last = next(place for place in places(holed, "2026-W03", "overall:all") if place["product"] == "P01")
    assert last["trend"] == [buyers[0], None, buyers[2]]


def test_the_page_opens_with_the_shortest_of_the_newest_periods(table):
    charts = arrange(table(chart_rows()))
    assert charts.newest["id"] == "2026-03-08-7d"
    assert next(period["id"] for period in charts.periods if period["kind"] == "week") == "2026-W10"


def test_only_the_newest_periods_of_a_kind_are_kept():
    weeks = [f"2025-W{number:02}" for number in range(1, 53)]
    chosen = choose_periods([*weeks, "2026-01-31-7d", "2026-01-31", "2026-01", "2026", "__other", "../../etc"])
    assert chosen == sorted([*weeks[-26:], "2026-01-31-7d", "2026-01-31", "2026-01", "2026"])


def test_names_and_scopes_are_told_once(table):
    charts = arrange(table(chart_rows()))
    products = charts.files["2026-W10"]["products"]
    assert len({id_ for id_, _, _ in products}) == len(products)
    assert [NAMELESS, NAMELESS, None] in products
    assert {"Home", "Home/Kitchen", "Stationery"} <= set(charts.scopes["category"])
    assert charts.scopes["country"] == ["DE", "FR", "GB", "JP"]


def test_an_empty_table_is_no_chart(table):
    charts = arrange(table([]))
    assert (charts.newest, list(charts.periods), dict(charts.files)) == (None, [], {})
