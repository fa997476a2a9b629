"""The chart in a real browser: its numbers are the table's, its filters filter, its arrows point the right way."""

import csv
import io

import pytest

from tests.report.shop import INJECTION, MARKUP, NAMELESS
from tests.report.spreadsheets import read_cells

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHOICES = {
    "": ("2026-03-08-7d", "overall", "all"),
    "kind=week&period=2026-W09&scope=country:DE": ("2026-W09", "country", "DE"),
    "kind=month&scope=category:Home/Kitchen": ("2026-02", "category", "Home/Kitchen"),
    "kind=day": ("2026-03-07", "overall", "all"),
}
WEEKS = [f"2026-W{number:02}" for number in range(1, 11)]


def rows_of(shop, period_id, scope="overall", value="all"):
    rows = shop.read_arrow("marts.bestsellers").to_pylist()
    chart = [r for r in rows if (r["period_id"], r["scope"], r["scope_value"]) == (period_id, scope, value)]
    return sorted(chart, key=lambda row: row["rank"])


def tell_move(row):
    if row["is_new_entry"]:
        return "New"
    change = row["rank_change"]
    if change == 0:
        return "= Same place"
    return f"▲ {change} up" if change > 0 else f"▼ {-change} down"


def as_shown(row):
    name = "No name yet" if row["product_name"] == row["product_id"] else row["product_name"]
    path = (row["category_path"] or "").replace("/", " › ")
    return {
        "rank": f"{row['rank']:,}",
        "moved": tell_move(row),
        "product": f"{name} {row['product_id']} {path}".strip(),
        "trend": "",
        "buyers": f"{row['buyers']:,} ± {row['buyers_margin']:,}",
        "units": f"{row['units']:,} ± {row['units_margin']:,}",
        "revenue": f"€{row['revenue']:,.0f} ± {row['revenue_margin']:,.0f}",
        "weeks": str(row["weeks_on_chart"]),
    }


def shown_ids(visit):
    return visit.texts("#rows .product .id")


@pytest.mark.parametrize(("choice", "chart"), CHOICES.items(), ids=[chart[0] for chart in CHOICES.values()])
def test_the_page_shows_the_rows_of_the_table(choice, chart, look, shop):
    visit = look("index", choice)
    expected = [as_shown(row) for row in rows_of(shop, *chart)]
    assert len(expected) > 3
    assert visit.rows() == expected
    assert visit.text("#found") == f"{len(expected)} products"
    heads = [f"{row['buyers']:,} ± {row['buyers_margin']} buyers" for row in rows_of(shop, *chart)[:3]]
    assert visit.texts("#podium .figure-line") == heads
    assert visit.complaints == []


def test_arrows_of_all_kinds_are_there(look):
    told = dict.fromkeys(("up", "down", "new", "same"), 0)
    for choice in ("kind=week", "kind=month&period=2026-01"):
        visit = look("index", choice)
        for kind in told:
            told[kind] += visit.page.locator(f"#rows .move.{kind}").count()
    assert min(told.values()) > 0, told


def test_small_lines_draw_the_buyers_of_the_periods_before(look, shop):
    visit = look("index", "kind=week")
    history = {week: {row["product_id"]: row["buyers"] for row in rows_of(shop, week)} for week in WEEKS}
    labels = visit.page.locator("#rows .spark").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    drawn = visit.page.locator("#rows .spark path").evaluate_all("all => all.map(one => one.getAttribute('d'))")
    for product, label, path in zip(shown_ids(visit), labels, drawn, strict=True):
        values = [history[week].get(product) for week in WEEKS]
        known = [value for value in values if value is not None]
        assert label == f"Buyers over 10 weeks, from {known[0]} to {known[-1]}"
        points = [point.split() for point in path.replace("h0", "").replace("M", "L").split("L")[1:]]
        assert len(points) == len(known)
        lowest = max(range(len(known)), key=lambda place: float(points[place][1]))
        assert known[lowest] == min(known), "the lowest point is the week of the fewest buyers"


def test_search_finds_names_numbers_and_categories_without_case_and_accents(look, shop):
    visit = look("index")
    everything = shown_ids(visit)
    for asked, expected in {
        "cafe": ["P04"],
        "LANTERN home": ["P09", "P06"],
        "p16": ["P16"],
        "<img": ["P98"],
        "toys": [
            r["product_id"] for r in rows_of(shop, "2026-03-08-7d") if (r["category_path"] or "").startswith("Toys")
        ],
    }.items():
        visit.page.fill("#search", asked)
        assert sorted(shown_ids(visit)) == sorted(expected), asked
        assert visit.text("#found") == f"{len(expected)} of {len(everything)} products"
    visit.page.fill("#search", "no such thing")
    assert visit.text("#none").startswith("Nothing on this chart fits")
    assert not visit.page.locator(".card:has(#rows)").is_visible()
    visit.page.click("#none button")
    assert shown_ids(visit) == everything
    assert visit.page.input_value("#search") == ""


MOVEMENTS = {
    "new": lambda row: row["is_new_entry"],
    "up": lambda row: (row["rank_change"] or 0) > 0,
    "down": lambda row: (row["rank_change"] or 0) < 0,
}


@pytest.mark.parametrize(("movement", "holds"), MOVEMENTS.items(), ids=list(MOVEMENTS))
def test_movement_filters(movement, holds, look, shop):
    charts = [(week, "country", "JP") for week in WEEKS]
    chart = next(c for c in charts if len({bool(holds(row)) for row in rows_of(shop, *c)}) == 2)
    visit = look("index", f"kind=week&period={chart[0]}&scope=country:JP")
    visit.page.select_option("#movement", movement)
    assert shown_ids(visit) == [row["product_id"] for row in rows_of(shop, *chart) if holds(row)]
    visit.page.click("#reset")
    assert len(shown_ids(visit)) == len(rows_of(shop, *chart))


def test_periods_and_charts_are_chosen_and_the_address_keeps_them(look, shop):
    visit = look("index")
    visit.page.locator("#kinds label", has_text="Week").click()
    visit.page.select_option("#scope", "country:JP")
    visit.page.locator("#chart-title", has_text="Japan").wait_for()
    assert visit.page.locator("#later").is_disabled()
    visit.page.click("#earlier")
    visit.page.locator("#subtitle", has_text="2026-W09").wait_for()
    assert visit.text("#restated").startswith(
        "Restated. This chart was published again on Mon, 9 Mar 2026 (late orders)"
    )
    expected = [as_shown(row) for row in rows_of(shop, "2026-W09", "country", "JP")]
    assert visit.rows() == expected
    kept = visit.page.url.partition("#")[2]
    again = look("index", kept)
    assert again.rows() == expected
    again.page.click("#later")
    again.page.locator("#subtitle", has_text="2026-W10").wait_for()
    assert not again.page.locator("#restated").is_visible()


def test_columns_sort_and_come_back(look):
    visit = look("index")
    at_first = [row["rank"] for row in visit.rows()]
    for heading, name, first in (("Units", "units", True), ("Product", "product", False)):
        visit.page.get_by_role("button", name=heading, exact=True).click()
        key = (lambda row: int(row["units"].split(" ")[0].replace(",", ""))) if name == "units" else None
        shown = visit.rows()
        if key:
            assert [key(row) for row in shown] == sorted(map(key, shown), reverse=first)
        heads = visit.page.locator("#headings [aria-sort]")
        assert heads.count() == 1
        assert heads.get_attribute("aria-sort") == ("descending" if first else "ascending")
    for _ in range(2):
        visit.page.get_by_role("button", name="Product", exact=True).click()
    assert [row["rank"] for row in visit.rows()] == at_first


def test_the_view_is_saved_as_it_is_shown_and_runs_nothing(look, shop):
    visit = look("index")
    visit.page.select_option("#movement", "up")
    with visit.page.expect_download() as waiting:
        visit.page.click("#save")
    assert waiting.value.suggested_filename == "bestsellers-2026-03-08-7d-overall-all.csv"
    content = waiting.value.path().read_text(encoding="utf-8-sig")
    saved = list(csv.DictReader(io.StringIO(content, newline="")))
    rows = [row for row in rows_of(shop, "2026-03-08-7d") if (row["rank_change"] or 0) > 0]
    assert [
        (s["rank"], s["product_id"], s["buyers"], s["buyers_margin"], s["units"], float(s["revenue"])) for s in saved
    ] == [
        (
            str(r["rank"]),
            r["product_id"],
            str(r["buyers"]),
            str(r["buyers_margin"]),
            str(r["units"]),
            float(r["revenue"]),
        )
        for r in rows
    ]
    names = {row["product_id"]: row["product_name"] for row in saved}
    assert names["P97"] == f"'{INJECTION}"
    assert names["P98"] == MARKUP


def test_numbers_of_the_downloads_are_those_of_the_page(look):
    chart = look("index", "kind=week&scope=country:DE").rows()
    visit = look("downloads")
    files = {}
    for end in ("csv", "xlsx"):
        with visit.page.expect_download() as waiting:
            visit.page.locator(f"a[href='downloads/bestsellers.{end}']").click()
        assert waiting.value.suggested_filename == f"bestsellers.{end}"
        files[end] = waiting.value.path().read_bytes()
    parsed = list(csv.reader(io.StringIO(files["csv"].decode("utf-8-sig"), newline="")))
    for heads, *body in (parsed, read_cells(files["xlsx"])):
        rows = [dict(zip(heads, row, strict=False)) for row in body]
        rows = [r for r in rows if (r["period_id"], r["scope_value"]) == ("2026-W10", "DE")]
        rows.sort(key=lambda row: int(row["rank"]))
        told = [f"{int(r['buyers']):,} ± {int(r['buyers_margin'])}" for r in rows]
        assert told == [row["buyers"] for row in chart]
        assert [f"€{float(r['revenue']):,.0f} ± {float(r['revenue_margin']):,.0f}" for r in rows] == [
            row["revenue"] for row in chart
        ]


def test_names_are_text_and_nothing_else(look):
    visit = look("index")
    told = {row["product"] for row in visit.rows()}
    assert f"{MARKUP} P98 Stationery" in told
    assert f"{INJECTION} P97 Toys › Wooden" in told
    assert f"No name yet {NAMELESS}" in told
    assert visit.page.locator("main img").count() == 0
    assert visit.complaints == []


def test_the_note_says_how_exact_the_chart_in_sight_is(look):
    visit = look("index", "kind=week")
    assert visit.text("#margins") == "On the chart you see that is 10 buyers, 30 units and €400."
    assert "ε = 0.33 at δ = 2e-6" in visit.text("#cost")
