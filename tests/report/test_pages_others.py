"""Pairs, ads and trends in a real browser: what they show is what their tables hold."""

import pytest

from tests.report.shop import DAY, INJECTION, PRODUCTS, chart_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = {product: name for product, name, _ in PRODUCTS} | {"P97": INJECTION}
OF_LIST = {
    "bought": ("marts.also_bought", "orders", "buyers", "order"),
    "viewed": ("marts.also_viewed", "sessions", "viewers", "visit"),
}


def pairs_of(shop, name, product):
    table, meetings, people, noun = OF_LIST[name]
    rows = [row for row in shop.read_arrow(table).to_pylist() if row["product_id"] == product]
    return [
        (
            str(r["rank"]),
            NAMES[r["other_product_id"]],
            f"{r['score']:.2f} strength · {r[meetings]} {noun}s · {r[people]} people",
        )
        for r in sorted(rows, key=lambda row: row["rank"])
    ]


def shown_pairs(visit):
    columns = (visit.texts(f"#neighbours {part}") for part in (".rank", ".name", ".counts"))
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("name", OF_LIST)
def test_pairs_are_those_of_the_table(name, look, shop):
    visit = look("together", f"product=P03&list={name}")
    assert visit.text("#chosen-title") == "Copper pan"
    assert shown_pairs(visit) == pairs_of(shop, name, "P03")
    assert visit.complaints == []


def test_the_browser_opens_with_the_best_seller_that_has_pairs(look, shop):
    rows = [row for row in shop.read_arrow("marts.bestsellers").to_pylist() if row["period_id"] == f"{DAY}-7d"]
    best = sorted(
        (row["rank"], row["product_name"]) for row in rows if row["scope"] == "overall" and row["product_id"] <= "P96"
    )
    assert look("together").text("#chosen-title") == best[0][1]


def test_a_product_is_found_and_the_way_goes_on_from_pair_to_pair(look, shop):
    visit = look("together")
    assert visit.text("#found") == f"{len(PRODUCTS)} products"
    visit.page.fill("#search", "CAFE")
    assert visit.texts("#products .name") == ["Café press"]
    visit.page.click("#products button")
    assert shown_pairs(visit) == pairs_of(shop, "bought", "P04")
    assert visit.page.locator("#products [aria-current]").count() == 1
    visit.page.get_by_role("button", name="Viewed together").click()
    visit.page.locator("#neighbours li", has_text="visits").first.wait_for()
    assert shown_pairs(visit) == pairs_of(shop, "viewed", "P04")
    onward = pairs_of(shop, "viewed", "P04")[0][1]
    visit.page.get_by_role("button", name=onward).click()
    assert visit.text("#chosen-title") == onward
    assert visit.focused() == "chosen-title"
    assert visit.page.get_by_role("button", name="Viewed together").get_attribute("aria-pressed") == "true"
    visit.page.fill("#search", "nothing like it")
    assert visit.text("#found") == "0 products"


def test_a_pair_without_pairs_of_its_own_leads_nowhere(look):
    visit = look("together", "product=P03")
    last = visit.page.locator("#neighbours li", has_text=INJECTION)
    assert last.count() == 1
    assert last.get_by_role("button").count() == 0


def test_ads_show_the_table_and_filter_it(look, shop):
    rows = shop.read_arrow("marts.ad_effectiveness").to_pylist()
    expected = {
        (r["week"], r["partner"], "All campaigns" if r["campaign"] == "(all)" else r["campaign"],
         f"{r['reached']:,} ± {r['reached_margin']:,}", f"{r['clicked']:,} ± {r['clicked_margin']:,}",
         f"{r['bought']:,} ± {r['bought_margin']:,}", f"€{r['revenue']:,.0f} ± {r['revenue_margin']:,.0f}")
        for r in rows
    }  # fmt: skip
    visit = look("ads")
    shown = [tuple(row.values()) for row in visit.rows()]
    assert len(shown) == len(expected)
    assert set(shown) == expected
    visit.page.select_option("#week", "2026-W07")
    visit.page.select_option("#partner", "bannerly")
    assert [tuple(row.values())[:3] for row in visit.rows()] == [
        ("2026-W07", "bannerly", name) for name in ("All campaigns", "Spring kitchen", INJECTION)
    ]
    visit.page.fill("#search", "kitchen")
    assert visit.text("#found") == "1 row"
    visit.page.click("#reset")
    assert visit.text("#found") == f"{len(rows)} rows"


@pytest.mark.parametrize("chart", ["overall:all", "country:JP"])
def test_trends_draw_the_best_of_the_newest_week_and_tell_the_same_in_a_table(chart, look, shop):
    scope, value = chart.split(":")
    rows = [r for r in shop.read_arrow("marts.bestsellers").to_pylist() if r["period"] == "week"]
    rows = [r for r in rows if (r["scope"], r["scope_value"]) == (scope, value)]
    best = {r["product_id"]: r["product_name"] for r in rows if r["period_id"] == "2026-W10" and r["rank"] <= 8}
    visit = look("trends")
    if chart != "overall:all":
        visit.page.select_option("#scope", chart)
        visit.page.wait_for_selector(f"#ranks[data-drawn='{chart}']")
    visit.page.locator("summary").click()
    weeks = [f"2026-W{number:02}" for number in range(1, 11)]
    told = {(r["product_id"], r["period_id"]): f"{r['buyers']:,} ± {r['buyers_margin']}" for r in rows}
    expected = {
        name if name != product else f"No name yet ({product})": [told.get((product, week), "–") for week in weeks]
        for product, name in best.items()
    }
    cells = visit.page.locator("#table-rows tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(c => c.innerText))"
    )
    assert {name: values for name, *values in cells} == expected
    for plot in ("#buyers", "#ranks"):
        assert visit.page.locator(f"{plot} svg .mark-line path").count() >= len(best)
        legend = visit.page.locator(f"{plot} svg").text_content()
        assert [name for name in expected if name not in legend] == []
    assert visit.complaints == []


def test_a_product_is_brought_forward_without_pointing_at_the_legend(look):
    visit = look("trends")
    visit.page.locator("#product").focus()
    visit.page.keyboard.press("ArrowDown")
    product = visit.page.input_value("#product")
    assert product == '=1+1|"calc"', "the best of the newest week comes first"
    for plot in ("#buyers", "#ranks"):
        lines = visit.page.locator(f"{plot} .mark-line path")
        visit.wait(
            f"[...document.querySelectorAll('{plot} .mark-line path')].filter(one => one.getAttribute('opacity') !== '0.12').length === 1"
        )
        assert lines.count() == 8
    again = look("trends", visit.page.url.partition("#")[2])
    assert again.page.input_value("#product") == product
    assert visit.complaints == again.complaints == []


def test_a_week_without_the_product_breaks_its_line(look):
    """The line of a product that was not on the chart for a week may not go on as if it had been."""
    visit = look("trends")
    count = "document.querySelector('#ranks .mark-line path').getAttribute('d').split('M').length - 1"
    assert visit.page.evaluate(count) == 1
    week = sorted({row["period_id"] for row in chart_rows() if row["period"] == "week"})[4]
    visit.page.evaluate(
        """week => Sophilux.load("trends").then(content => {
        const all = content.weeks["overall:all"], first = all[0][2];
        content.weeks["overall:all"] = all.filter(row => row[0] !== week || row[2] !== first);
        delete document.getElementById("ranks").dataset.drawn;
        document.dispatchEvent(new Event("themechange")); })""",
        week,
    )
    visit.page.wait_for_selector("#ranks[data-drawn]")
    lines = visit.page.locator("#ranks .mark-line path").evaluate_all(
        "all => all.map(one => one.getAttribute('d').split('M').length - 1)"
    )
    assert sorted(lines) == [1] * (len(lines) - 1) + [2]
    assert visit.complaints == []
