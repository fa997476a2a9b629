"""The report with a keyboard alone: everything is reached, in order, and what has the focus shows it."""

import pytest

from tests.report.visits import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REACHABLE = """() => {
  const radios = new Set();
  return [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    .filter(one => one.checkVisibility() && !one.disabled)
    .filter(one => one.type !== "radio" || (one.checked && !radios.has(one.name) && radios.add(one.name)))
    .map((one, place) => { one.dataset.place = place; return place; });
}"""
FOCUS = """() => {
  const one = document.activeElement;
  const shown = one.type === "radio" ? one.nextElementSibling : one;
  const style = getComputedStyle(shown), box = shown.getBoundingClientRect();
  const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return {place: one.dataset.place === undefined ? null : Number(one.dataset.place), inView: inView && box.width > 0,
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth), html: shown.outerHTML.slice(0, 100)};
}"""


@pytest.mark.parametrize("name", PAGES)
def test_tab_reaches_everything_in_order_and_shows_where_it_is(name, look):
    visit = look(name)
    visit.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    places = visit.page.evaluate(REACHABLE)
    assert len(places) >= 8
    seen = []
    for _ in places:
        visit.page.keyboard.press("Tab")
        focus = visit.page.evaluate(FOCUS)
        assert focus["inView"], focus["html"]
        assert focus["outline"] >= 2, focus["html"]
        seen.append(focus["place"])
    assert seen == places, "the order of the page is the order of the keys, and nothing holds the focus"


def test_the_first_key_skips_to_the_content(look):
    visit = look("index")
    visit.page.keyboard.press("Tab")
    assert visit.focused() == "Skip to the content"
    visit.page.keyboard.press("Enter")
    assert visit.focused() == "main"
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.getElementById('main').contains(document.activeElement)")


def test_a_period_is_chosen_with_arrows_and_a_column_sorted_with_enter(look):
    visit = look("index")
    visit.page.locator("#kinds input:checked").focus()
    before = visit.focused()
    visit.page.keyboard.press("ArrowRight")
    assert (before, visit.focused()) == ("trailing7", "week")
    visit.page.locator("#subtitle", has_text="2026-W10").wait_for()
    visit.page.get_by_role("button", name="Units", exact=True).focus()
    visit.page.keyboard.press("Enter")
    assert visit.page.locator("#headings [aria-sort]").inner_text().strip() == "↓Units"
    assert "Units" in visit.focused(), "sorting leaves the focus where it was"


def test_a_product_is_chosen_and_the_focus_goes_to_what_it_opened(look):
    visit = look("together")
    visit.page.locator("#search").focus()
    visit.page.keyboard.type("kettle")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    assert visit.focused() == "chosen-title"
    assert visit.text("#chosen-title") == "Enamel kettle"
