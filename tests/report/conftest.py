"""A report of a made-up shop, a browser to look at it, and the accessibility checker."""

import shutil
import subprocess
from pathlib import Path

import pytest

from jobs.lake import Lake
from jobs.quality import check_table, gate
from jobs.report.site import write_report
from jobs.settings import load_settings
from tests.conftest import skip_or_fail
from tests.quality.conftest import write_suite
from tests.report.shop import DAY, MADE_AT, fill_shop
from tests.report.visits import Visit, open_page

__all__ = ["write_suite"]

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def shop(tmp_path_factory, engine, contracts) -> Lake:
    """Published tables, two of them checked: one passed, one whose newest rows were held back. Read it only."""
    lake = Lake(load_settings(str(tmp_path_factory.mktemp("report") / "shop")), engine, contracts)
    fill_shop(lake)
    check_table(lake, "marts.also_viewed")
    lake.replace("marts.also_bought", lake.read("marts.also_bought"), gate=gate(lake, "marts.also_bought"))
    good = lake.read("marts.also_bought")
    bad = good.withColumn("score", good["score"] + 3)
    with pytest.raises(Exception, match="nothing was published"):
        lake.replace("marts.also_bought", bad, gate=gate(lake, "marts.also_bought"))
    return lake


@pytest.fixture(scope="session")
def report(shop, tmp_path_factory) -> Path:
    """The folder of its report."""
    out = tmp_path_factory.mktemp("pages") / "report"
    write_report(shop, str(out), day=DAY, made_at=MADE_AT)
    return out


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, fetched by npm once into a folder that git ignores."""
    if not AXE.exists():
        npm = shutil.which("npm")
        if npm is None:
            skip_or_fail("browser", "npm is not there, which fetches axe-core")
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode or not AXE.exists():
            skip_or_fail("browser", f"npm could not fetch axe-core: {done.stderr[-300:]}")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chromium():
    """One browser a module: while Playwright runs, nothing else of the process may start an event loop."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        skip_or_fail("browser", "Chromium is not there; Debian has it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def look(chromium, report):
    """Opens pages on a desk, in a context of their own."""
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.set_default_timeout(10_000)

        def look(name: str, choice: str = "", *, site: Path = report) -> Visit:
            return open_page(context, site, name, now=MADE_AT, choice=choice)

        yield look
