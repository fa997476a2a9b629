"""The report as a whole, also of a shop in which something is missing or went wrong."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.audit.leaks import audit_leaks
from jobs.errors import GateError, UsageError
from jobs.lake import Days
from jobs.quality import gate
from jobs.report import site
from jobs.report.site import find_day, read_state, write_payload, write_report
from jobs.report.tables import SHOWN
from tests.marts.tables import fill
from tests.quality.conftest import expectation
from tests.report.shop import DAY, MADE_AT, MARKUP, fill_shop, pair_rows, record_runs, run_row

PAGES = ("index", "trends", "together", "ads", "quality", "downloads")


def read(folder: Path, name: str) -> str:
    return re.sub(r"\s+", " ", (folder / f"{name}.html").read_text(encoding="utf-8"))


@pytest.fixture
def write(tmp_path):
    def write(lake, day=DAY):
        out = tmp_path / "out"
        write_report(lake, str(out), day=day, made_at=MADE_AT)
        return out

    return write


def test_a_report_is_written_from_the_published_tables_alone(shop, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(type(shop), "read_arrow", _recording(type(shop).read_arrow, opened))
    write_report(shop, str(tmp_path / "out"), day=DAY, made_at=MADE_AT)
    assert set(opened) == {shown.table for shown in SHOWN} | {"lake.products", "ledger.step_runs"}


def _recording(method, opened):
    def record(self, table, *args, **more):
        opened.append(table)
        return method(self, table, *args, **more)

    return record


def test_the_same_tables_make_the_same_report(shop, report, tmp_path):
    again = tmp_path / "again"
    write_report(shop, str(again), day=DAY, made_at=MADE_AT)
    first = {path.relative_to(report): path.read_bytes() for path in report.rglob("*") if path.is_file()}
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()} == first


def test_the_script_of_the_charts_holds_what_draws_them(report):
    text = (report / "assets" / "vega.js").read_text(encoding="utf-8")
    assert "window.vegaEmbed=" in text
    assert len(text) > 500_000


def test_no_page_names_anything_outside(report):
    for path in [*report.glob("*.html"), *(report / "assets").glob("*.css"), *(report / "data").glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(src|href)=[\"']?(https?:)?//|@import|url\(", text), path.name
        assert "http://" not in text.replace("http://www.w3.org/", "")
        assert "https://" not in text


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name, report):
    """Pages and files are there, and so are the places in them."""
    links = re.findall(r'<(?:a|link)[^>]* href="([^"]+)"', read(report, name))
    assert len(links) > len(PAGES)
    for link in links:
        path, _, place = link.partition("#")
        target = report / (path or f"{name}.html")
        assert target.is_file(), link
        assert not place or f'id="{place}"' in target.read_text(encoding="utf-8"), link


def test_names_can_hold_no_markup_and_no_code(report):
    assert MARKUP in [product[1] for product in _payload(report, "period-2026-W10")["products"]]
    for path in [*report.glob("*.html"), *(report / "data").glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert "<img" not in text
        assert "onerror=alert(1)>" not in text or path.suffix == ".js"
    assert "<" not in write_payload("x", {"a": "</script><b>\u2028"}).decode()


def _payload(report, name):
    text = (report / "data" / f"{name}.js").read_text(encoding="utf-8")
    assert text.startswith(f'Sophilux.receive("{name}",')
    return json.loads(text.removeprefix(f'Sophilux.receive("{name}",').removesuffix(");\n"))


def test_held_back_rows_are_told_on_every_page_and_the_last_good_ones_shown(report, shop):
    for name in PAGES:
        text = read(report, name)
        assert "Bought together: the newest rows were held back." in text
        assert "the last good table" in text
    quality = read(report, "quality")
    assert "score is between 0 and 1" in quality
    assert "80 of 80 rows fail" in quality
    assert shop.count("marts.also_bought") == 80
    scores = [entry[4] for found in _payload(report, "bought-0").values() for entry in found]
    assert max(scores) <= 1


def test_a_check_that_could_not_run_is_broken_and_not_bad_data(lake, write, write_suite, monkeypatch):
    fill_shop(lake)
    folder = write_suite(
        "marts.also_bought", expectation("expect_column_values_to_match_regex", column="product_id", regex="(")
    )
    rows = lake.read("marts.also_bought")
    with pytest.raises(GateError, match="the check is broken, the data may be fine"):
        lake.replace("marts.also_bought", rows, gate=gate(lake, "marts.also_bought", folder=folder))
    out = write(lake)
    assert "1 critical check did not pass" in read(out, "index")
    assert "(1 could not run, which says nothing about the data)" in read(out, "index")
    page = read(out, "quality")
    assert "0 of 1 check passed, 1 broken" in page
    assert "The check could not run, so this says nothing about the data" in page
    assert "rows fail" not in page.partition("marts.also_bought-title")[2].partition("</article>")[0]


def test_an_empty_lake_makes_a_report_that_says_so(lake, write):
    out = write(lake)
    assert "No chart yet" in read(out, "index")
    assert "No sales were read yet" in read(out, "index")
    assert "No weeks yet" in read(out, "trends")
    assert "No pairs yet" in read(out, "together")
    assert "not checked" in read(out, "quality")
    assert _payload(out, "charts") == {"periods": [], "scopes": {"category": [], "country": []}, "newest": None}


def test_a_home_that_has_nothing_at_all_stays_empty_but_for_the_report(lake, write):
    write(lake)
    assert [path for path in Path(lake.home).rglob("*") if path.is_file() and ".locks" not in path.parts] == []


def test_late_data_is_told(lake, write):
    fill_shop(lake)
    out = write(lake, day=DAY + timedelta(3))
    assert "Sales up to <strong>Sun 8 March 2026</strong>, 3 days late" in read(out, "index")
    assert "3 days late" in read(out, "quality")


def test_runs_that_did_not_end_well_are_told_and_restricted_steps_only_counted(lake, write):
    fill_shop(lake)
    for step, state, kind in (
        ("sources.purchases", "failed", "ConnectionLostError"),
        ("marts.bestsellers", "refused", "BudgetError"),
        ("marts.bestsellers_exact", "failed", "OSError"),
        ("report.site", "failed", "OSError"),
    ):
        row = run_row(step, DAY + timedelta(1), DAY + timedelta(1))
        lake.record("ledger.step_runs", [{**row, "run_id": step, "state": state, "error_kind": kind}])
    page = read(out := write(lake), "quality")
    assert "Failed for Mon 9 March 2026, at 2026-03-09 23:00 UTC (ConnectionLostError)" in page
    assert "Refused for Mon 9 March 2026, at 2026-03-09 23:00 UTC (BudgetError)" in page
    assert "<strong>1 other step</strong> of the pipeline did not end well" in page
    assert "bestsellers_exact" not in page
    assert "2 things to look at" in read(out, "index")


def test_a_day_without_sales_is_told_by_the_day_the_report_is_for(lake, write):
    fill_shop(lake)
    record_runs(lake, DAY + timedelta(1))
    out = write(lake, day=DAY + timedelta(1))
    assert 'data-day="2026-03-09"' in read(out, "index")
    assert _payload(out, "charts")["newest"]["end"] == "2026-03-08"
    assert "Sales up to <strong>Mon 9 March 2026</strong>" in read(out, "index")


def test_tables_that_not_everybody_may_see_are_not_even_named(report):
    for path in report.rglob("*.html"):
        assert "bestsellers_exact" not in path.read_text(encoding="utf-8")


def test_of_a_report_in_the_home_the_audit_reads_every_file_and_finds_only_what_was_planted(lake):
    fill_shop(lake)
    fill(
        lake,
        "vault.identities",
        [
            {
                "subject_id": "ann",
                "email_normalised": "ann.secret@shop.example",
                "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
            }
        ],
    )
    report = site.run(lake, Days.single(DAY))
    assert report.rows_out == sum(lake.count(shown.table) for shown in SHOWN)
    (Path(lake.home) / "report" / "data" / "planted.js").write_text("ann.secret@shop.example")
    found = [finding.file for finding in audit_leaks(lake).search.findings if finding.file.startswith("report/")]
    assert set(found) == {"report/data/planted.js"}


def test_the_step_warns_of_rows_held_back(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "write_report", lambda *_, **__: 3)
    (warning,) = site.run(shop, Days.single(DAY)).warnings
    assert warning == "The report shows the last good rows of marts.also_bought; newer ones were held back."


def test_the_day_of_a_report_is_the_last_one_of_the_marts(lake):
    record_runs(lake)
    lake.record("ledger.step_runs", [run_row("sources.purchases", DAY, DAY + timedelta(1))])
    assert find_day(lake) == DAY


def test_the_state_changes_with_tables_and_checks_and_else_not(lake):
    fill_shop(lake)
    before = read_state(lake)
    assert read_state(lake) == before
    fill(lake, "marts.also_bought", pair_rows(("orders", "buyers"), people=12))
    assert read_state(lake) != before


def test_a_folder_of_something_else_is_refused(lake, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="no report"):
        write_report(lake, str(tmp_path / "mine"), day=DAY, made_at=MADE_AT)
