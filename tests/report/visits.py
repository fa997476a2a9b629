"""A page of the report in a browser, and everything that it said and asked for meanwhile."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

READY = {
    "index": "#rows tr, .empty h2, #none:not([hidden])",
    "trends": "#ranks[data-drawn], .empty h2",
    "together": "#neighbours li, #none:not([hidden]), .empty h2",
    "ads": "#rows tr, .empty h2",
    "quality": ".foot",
    "downloads": ".foot",
}
PAGES = tuple(READY)
INSIDE = ("file:", "data:", "blob:")
CELLS = """rows => rows.map(row => Object.fromEntries([...row.children].map(
    cell => [cell.classList[0] || cell.dataset.label || "header", cell.innerText.trim().replace(/\\s+/g, " ")])))"""
AXE_RUN = "axe.run(document, {preload: false, resultTypes: ['violations']}).then(found => found.violations)"


@dataclass
class Visit:
    """An open page; ``complaints`` are errors and warnings of the console, and errors that nothing caught."""

    page: "Page"
    name: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def outside(self) -> list[str]:
        """Requests for anything but files beside the page."""
        return [url for url in self.requests if not url.startswith(INSIDE)]

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).inner_text().split())

    def rows(self, selector: str = "#rows tr") -> list[dict[str, str]]:
        """What the cells of a table say, by the class of their column."""
        return self.page.locator(selector).evaluate_all(CELLS)

    def focused(self) -> str:
        """What has the focus, in words."""
        return self.page.evaluate(
            """() => { const e = document.activeElement;
            return e.id || e.value || (e.getAttribute("aria-label") || e.innerText || e.tagName).trim(); }"""
        )

    def wait(self, condition: str) -> None:
        """Wait until an expression holds; Playwright's own way would need ``eval``, which the pages forbid."""
        for _ in range(100):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        message = f"{condition} did not come true."
        raise AssertionError(message)

    def judge(self, axe: str) -> list[str]:
        """Rules of accessibility that the page breaks, with all that can be unfolded in sight."""
        self.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        self.page.evaluate(axe)
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in self.page.evaluate(AXE_RUN)
            for node in rule["nodes"]
        ]


def open_page(context: "BrowserContext", site: Path, name: str, *, now: datetime, choice: str = "") -> Visit:
    """Open a page from disk at a time, and wait until it shows what it has.

    Args:
        context: of the browser.
        site: the folder of the report.
        name: of the page.
        now: what the browser takes for the time.
        choice: the part of the address after ``#``, which keeps a view.
    """
    visit = Visit(context.new_page(), name)
    visit.page.clock.set_fixed_time(now)
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on(
        "console",
        lambda told: told.type in ("error", "warning") and visit.complaints.append(f"{told.type}: {told.text}"),
    )
    visit.page.on("dialog", lambda dialog: (visit.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    visit.page.goto(f"{(site / name).as_uri()}.html{choice and '#' + choice}")
    visit.page.locator(READY[name]).first.wait_for(state="attached", timeout=15_000)
    if name == "trends" and visit.page.locator("#buyers").count():
        visit.page.locator("#buyers[data-drawn]").wait_for(timeout=15_000)
    return visit
