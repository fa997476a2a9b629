"""The live preview in a browser: the same pages, loaded again by themselves when a table changed."""

import threading

import pytest

from jobs.report.preview import Preview
from jobs.report.site import build_files, read_state, read_tables
from tests.marts.tables import fill
from tests.report.shop import DAY, MADE_AT, chart_rows, fill_shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def preview(lake):
    """Serves the report of a lake that the test may change."""
    fill_shop(lake)

    def build():
        return build_files(lake, read_tables(lake, DAY), day=DAY, made_at=MADE_AT)

    preview = Preview(build, lambda: read_state(lake), port=0, say=lambda _: None)
    server = threading.Thread(target=lambda: preview.serve(0.1), daemon=True)
    server.start()
    yield preview
    preview.close()
    server.join(10)


def test_a_page_in_sight_changes_with_its_table(preview, lake, chromium):
    complaints = []
    with chromium.new_context() as context:
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda told: told.type in ("error", "warning") and complaints.append(told.text))
        page.goto(preview.address)
        first = page.locator("#rows tr .product .name").first
        first.wait_for()
        assert not page.get_by_text("Ninth symphony").count()
        with page.expect_event("load", timeout=20_000):
            fill(lake, "marts.bestsellers", chart_rows(products=[("P01", "Ninth symphony", "Music")]))
        page.get_by_text("Ninth symphony").first.wait_for()
        assert page.locator("#rows tr").count() == 1
        page.goto("about:blank")
    assert complaints == []
