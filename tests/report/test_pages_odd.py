"""Pages of a shop in which something is odd, missing or hostile: they say so, and stay pages."""

import shutil

import pytest

from jobs.errors import GateError
from jobs.quality import gate
from jobs.report.site import write_report
from tests.marts.tables import fill
from tests.quality.conftest import expectation
from tests.report.shop import DAY, INJECTION, MADE_AT, PRODUCTS, ad_rows, chart_rows, fill_shop, pair_rows, run_row
from tests.report.test_pages import SCREENSHOTS
from tests.report.visits import PAGES, open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
HOSTILE = {
    "P01": "<script>document.title = 'taken'</script>",
    "P02": '"><svg onload=alert(1)>',
    "P03": "{{ 7 * 7 }} ${7 * 7} </title>",
    "P04": LONG,
    "P05": "javascript:alert(1)",
    "P06": "\u202eesrever \u0000".replace("\u0000", ""),
    "P07": "&lt;b&gt; &amp; \\u003c \u2028 'quoted' `ticks`",
    "P08": '=HYPERLINK("https://shop.example","click")',
}
PATHS = {"P04": f"Home/{LONG[:60]}", "P01": "Home/<b onmouseover=alert(1)>Bold</b>", "P08": "=1+1"}


@pytest.fixture(scope="module")
def hostile(shared_lake, tmp_path_factory):
    """The report of a shop whose names attack whoever shows them; two of its steps did not end well."""
    products = [(id_, HOSTILE.get(id_, name), PATHS.get(id_, path)) for id_, name, path in PRODUCTS]
    fill_shop(shared_lake)
    catalogue = [
        {"product_id": id_, "name": name, "category_path": path, "category": path.split("/")[0], "is_merchandise": True}
        for id_, name, path in products
    ]
    fill(shared_lake, "lake.products", catalogue)
    fill(shared_lake, "marts.bestsellers", chart_rows(products=products))
    fill(
        shared_lake,
        "marts.ad_effectiveness",
        [{**row, "campaign": LONG if row["campaign"] == INJECTION else row["campaign"]} for row in ad_rows()],
    )
    for step, state, kind in (
        ("marts.bestsellers", "refused", "BudgetError"),
        ("sources.purchases", "failed", "ConnectionLostError"),
    ):
        row = {
            **run_row(step, DAY, DAY),
            "run_id": f"{step}-2",
            "state": state,
            "error_kind": kind,
            "finished_at": MADE_AT,
        }
        shared_lake.record("ledger.step_runs", [row])
    out = tmp_path_factory.mktemp("hostile") / "report"
    write_report(shared_lake, str(out), day=DAY, made_at=MADE_AT)
    return out


@pytest.fixture(scope="module")
def phone(chromium):
    with chromium.new_context(viewport={"width": 360, "height": 800}, reduced_motion="reduce") as context:
        yield context


def check_page(visit, axe, picture):
    visit.page.screenshot(path=SCREENSHOTS / f"{picture}-{visit.name}.png", full_page=True)
    assert visit.complaints == []
    assert visit.outside == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= visit.page.viewport_size["width"]
    assert visit.judge(axe) == []


@pytest.mark.parametrize("name", PAGES)
def test_names_that_attack_are_shown_as_they_are(name, hostile, phone, axe):
    visit = open_page(phone, hostile, name, now=MADE_AT)
    assert visit.page.title().endswith(" · Sophilux")
    assert visit.page.locator("main script, main [onload], main [onmouseover], main a[href^=javascript]").count() == 0
    check_page(visit, axe, "hostile")
    visit.page.close()


def test_every_character_of_a_name_is_read(hostile, look):
    names = dict(zip(*(look_texts(look("index", site=hostile), part) for part in (".id", ".name")), strict=True))
    assert {id_: names[id_] for id_ in HOSTILE} == {id_: " ".join(name.split()) for id_, name in HOSTILE.items()}
    index = look("together", "product=P04", site=hostile)
    assert index.text("#chosen-title") == LONG


def look_texts(visit, part):
    return [" ".join(text.split()) for text in visit.page.locator(f"#rows .product {part}").all_text_contents()]


def test_runs_that_did_not_end_well_stand_beside_what_they_left_old(hostile, look):
    rows = {row["header"]: row["State"] for row in look("quality", site=hostile).rows("section:first-of-type tbody tr")}
    told = next(head for head in rows if head.startswith("Purchases and returns"))
    assert (
        told
        == "Purchases and returns source Failed for Sun 8 March 2026, at 2026-03-09 06:30 UTC (ConnectionLostError)"
    )
    assert rows[told] == "✓ fresh ✕ failed"
    assert next(state for head, state in rows.items() if head.startswith("Best-sellers")) == "✓ fresh ✕ refused"


EMPTY = {
    "index": "No chart yet",
    "trends": "No weeks yet",
    "together": "No pairs yet",
    "ads": "No weeks yet",
    "quality": "never",
    "downloads": "0 rows",
}


@pytest.fixture
def empty(lake, tmp_path):
    write_report(lake, str(tmp_path / "report"), day=DAY, made_at=MADE_AT)
    return tmp_path / "report"


def test_a_lake_without_anything_has_pages_that_say_so(empty, phone, axe):
    for name, told in EMPTY.items():
        visit = open_page(phone, empty, name, now=MADE_AT)
        assert told in visit.text("main")
        check_page(visit, axe, "empty")
        visit.page.close()


def test_a_chart_of_one_product_and_no_history_is_a_chart(lake, tmp_path, look):
    rows = [row for row in chart_rows(products=PRODUCTS[:1]) if row["period_id"] == "2026-W01"]
    fill(lake, "marts.bestsellers", rows)
    write_report(lake, str(tmp_path / "one"), day=DAY, made_at=MADE_AT)
    visit = look("index", site=tmp_path / "one")
    (row,) = visit.rows()
    assert (row["rank"], row["moved"]) == ("1", "New")
    assert visit.page.locator("#rows .spark").get_attribute("aria-label") == "No earlier weeks on the chart"
    visit.page.get_by_text("Day", exact=True).click()
    visit.page.locator("#none h3", has_text="No chart of this kind yet").wait_for()
    assert visit.complaints == []
    trends = look("trends", site=tmp_path / "one")
    assert trends.page.locator("#buyers svg .mark-symbol path").count() >= 1
    assert trends.complaints == []


def test_a_day_without_sales_is_told_beside_the_last_chart_of_a_day(look):
    visit = look("index", "kind=day")
    assert visit.text("#subtitle").startswith("Everything, day · Sat, 7 Mar 2026")
    assert "No product had enough buyers to be named on Sun, 8 Mar 2026, or nothing was sold." in visit.text(
        "#subtitle"
    )


def test_an_old_copy_says_how_old_it_is(look, chromium, report):
    with chromium.new_context() as context:
        later = MADE_AT.replace(month=4)
        assert "(32 days ago)" in open_page(context, report, "index", now=later).text("main")
    assert "days ago" not in look("index").text("main")


def test_a_page_whose_data_were_left_behind_says_what_to_copy(report, tmp_path, look):
    shutil.copytree(report, tmp_path / "copy")
    (tmp_path / "copy" / "data" / "period-2026-W10.js").unlink()
    visit = look("index", site=tmp_path / "copy")
    visit.page.locator("#kinds label", has_text="Week").click()
    visit.page.locator("#none", has_text="Copy the whole folder of the report, not the page alone.").wait_for()


def test_a_check_that_could_not_run_is_shown_as_broken_and_not_as_bad_data(lake, tmp_path, write_suite, look, axe):
    fill_shop(lake)
    broken = expectation("expect_column_values_to_match_regex", column="product_id", regex="(")
    folder = write_suite("marts.also_bought", broken)
    with pytest.raises(GateError):
        lake.replace(
            "marts.also_bought", lake.read("marts.also_bought"), gate=gate(lake, "marts.also_bought", folder=folder)
        )
    write_report(lake, str(tmp_path / "report"), day=DAY, made_at=MADE_AT)
    visit = look("quality", site=tmp_path / "report")
    (check,) = visit.texts("[id='marts.also_bought'] .check")
    assert check.startswith("⚠ broken")
    assert "The check could not run, so this says nothing about the data" in check
    assert visit.page.locator(".check.failed").count() == 0
    assert "which says nothing about the data" in visit.text(".notice.bad")
    check_page(visit, axe, "broken")


def test_pairs_of_a_product_that_the_catalogue_lost_go_by_its_number(lake, tmp_path, look):
    fill(lake, "marts.also_viewed", pair_rows(("sessions", "viewers"), people=5)[:5])
    write_report(lake, str(tmp_path / "report"), day=DAY, made_at=MADE_AT)
    visit = look("together", site=tmp_path / "report")
    assert visit.text("#chosen-title") == "No name yet (P01)"
    assert visit.text("#lists [aria-pressed=true]") == "Viewed together"
    visit.page.get_by_role("button", name="Bought together").click()
    visit.page.locator("#none", has_text="Too few people have bought this product together").wait_for()
    assert visit.complaints == []
