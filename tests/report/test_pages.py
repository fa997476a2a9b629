"""Every page in a real browser, opened from disk: light and dark, on a desk and on a phone."""

from pathlib import Path

import pytest

from tests.report.shop import MADE_AT
from tests.report.visits import PAGES, open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
WIDTHS = {"desk": 1280, "phone": 360}
LOOKS = [(scheme, device) for scheme in ("light", "dark") for device in WIDTHS]


@pytest.fixture(scope="module", params=LOOKS, ids="-".join)
def device(request, chromium):
    scheme, kind = request.param
    with chromium.new_context(color_scheme=scheme, viewport={"width": WIDTHS[kind], "height": 900}) as context:
        yield context, f"{scheme}-{kind}"


@pytest.fixture(scope="module", params=PAGES)
def visit(request, device, report):
    visit = open_page(device[0], report, request.param, now=MADE_AT)
    yield visit
    visit.page.close()


def test_looks_as_it_looks(visit, device):
    """The pictures are kept in ``build/screenshots``, for people to look at."""
    picture = SCREENSHOTS / f"{visit.name}-{device[1]}.png"
    visit.page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 20_000, "an empty page makes a small picture"


def test_complains_of_nothing(visit):
    assert visit.complaints == []


def test_asks_for_nothing_but_files_beside_it(visit):
    assert visit.outside == []
    assert len(visit.requests) >= 4


def test_does_not_scroll_sideways(visit):
    width = visit.page.viewport_size["width"]
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    wider = visit.page.evaluate(
        """width => [...document.querySelectorAll("main *, header *, footer *")]
        .filter(one => one.checkVisibility() && !one.closest(".scroll, .hidden, svg, thead"))
        .filter(one => one.getBoundingClientRect().right > width + 1).map(one => one.outerHTML.slice(0, 120))""",
        width,
    )
    assert wider == []


def test_cuts_no_text(visit):
    """Words that stand in a box too small for them, where the box hides what does not fit."""
    cut = visit.page.evaluate(
        """() => [...document.querySelectorAll("main *, header *")]
        .filter(one => one.checkVisibility() && one.innerText && !one.closest(".hidden, .scroll, .products, .stack thead"))
        .filter(one => getComputedStyle(one).overflow === "hidden" && one.scrollWidth > one.clientWidth + 1)
        .map(one => one.innerText)"""
    )
    assert cut == []


def test_breaks_no_rule_of_accessibility(visit, axe):
    assert visit.judge(axe) == []


def test_a_page_may_reach_no_network_even_if_it_tried(look):
    visit = look("index")
    tried = visit.page.evaluate("fetch('https://shop.example/').then(() => 'reached', () => 'refused')")
    image = visit.page.evaluate(
        """new Promise(done => { const image = new Image(); image.onload = () => done("shown");
        image.onerror = () => done("refused"); image.src = "https://shop.example/x.png"; })"""
    )
    assert (tried, image) == ("refused", "refused")
    told = " ".join(visit.complaints)
    assert "connect-src" in told, "the page's own policy refuses, not only a missing network"
    assert "img-src" in told


def test_colours_are_chosen_by_hand_and_kept(look):
    visit = look("trends")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = visit.page.evaluate(paper)
    assert visit.text("#theme") == "Colours: Auto"
    visit.page.click("#theme")
    assert (visit.text("#theme"), visit.page.evaluate(paper)) == ("Colours: Light", light)
    visit.page.click("#theme")
    assert visit.text("#theme") == "Colours: Dark"
    assert visit.page.evaluate(paper) != light
    again = look("index")
    assert again.text("#theme") == "Colours: Dark"
    assert again.page.evaluate(paper) != light
    assert visit.complaints == []
