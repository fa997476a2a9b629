"""Pages need no network and no script, and show nobody."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jobs.quality.page import KEPT_RUNS, write_pages
from jobs.quality.results import Check, TableResult

TABLE = "marts.also_bought"


def make_result(*checks, rows=1000, staged=True):
    return TableResult(TABLE, rows, staged, datetime(2024, 2, 1, 6, 30, tzinfo=UTC), 1.25, checks)


def make_check(state="passed", severity="critical", **more):
    return Check("scores are <b>sound</b>", "Because & so on.", "expect_x", severity, state, **more)


@pytest.fixture
def write(tmp_path, contracts):
    def write_one(result, tables=()):
        return Path(write_pages(str(tmp_path), contracts[TABLE], result, tables)).read_text()

    return write_one


class Reader(HTMLParser):
    """Collects tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def read_tags(text):
    reader = Reader()
    reader.feed(text)
    return reader.tags


def test_pages_load_nothing_and_run_nothing(write, tmp_path):
    write(make_result(make_check("failed", keys=({"product_id": "P1"},), bad_rows=1, observed="1 of 1,000 rows fail")))
    for path in tmp_path.glob("quality/*.html"):
        text = path.read_text()
        tags = read_tags(text)
        assert not re.search(r"(https?:)?//[a-z]|@import|url\(", text)
        assert not [tag for tag, _ in tags if tag in ("script", "img", "iframe", "object")]
        links = [attributes["href"] for tag, attributes in tags if tag in ("a", "link")]
        assert all(link in ("data:,", "index.html", f"{TABLE}.html") for link in links)


def test_pages_are_readable_by_everyone(write, tmp_path):
    text = write(make_result(make_check(), make_check("failed", "warning"), make_check("broken", problem="Error")))
    tags = read_tags(text)
    assert ("html", {"lang": "en"}) in tags
    assert "width=device-width" in text
    assert "prefers-color-scheme: dark" in text
    assert all("scope" in attributes for tag, attributes in tags if tag == "th")
    pills = re.findall(r'class="pill [^"]*"><span aria-hidden="true">(.)</span> (\w+)<', text)
    assert {"✓ passed", "✕ failed", "⚠ broken", "✕ blocked"} == {" ".join(pill) for pill in pills}


def test_text_of_suites_and_keys_is_escaped(write):
    text = write(make_result(make_check("failed", bad_rows=1, keys=({"product_id": "<script>"},))))
    assert "<b>sound</b>" not in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_what_blocks_comes_first(write):
    passed, blocked = (
        make_check(),
        Check("the broken rule", "why", "t", "critical", "failed", 3, "3 of 1,000 rows fail"),
    )
    text = write(make_result(passed, blocked))
    assert text.index("the broken rule") < text.index("scores are")
    assert "Nothing was published; the last good table stays in place." in text


def test_a_published_table_is_not_said_to_be_held_back(write):
    text = write(make_result(make_check("failed"), staged=False))
    assert "Nothing was published" not in text
    assert "Would be blocked" in text


def test_history_keeps_counts_of_the_latest_runs_only(write, tmp_path):
    for rows in range(KEPT_RUNS + 5):
        write(make_result(make_check("failed", bad_rows=7, keys=({"product_id": "P77"},)), rows=rows))
    history = (tmp_path / "quality" / f"{TABLE}.json").read_text()
    assert history.count('"checked_at"') == KEPT_RUNS
    assert f'"rows": {KEPT_RUNS + 4}' in history
    assert '"rows": 4,' not in history
    assert "P77" not in str(json.loads(history)["runs"])
    assert history.count("P77") == 1, "the keys of the newest run only, as on its page"


def test_a_damaged_history_is_begun_anew(write, tmp_path):
    write(make_result(make_check()))
    (tmp_path / "quality" / f"{TABLE}.json").write_text("{ torn")
    assert "Passed." in write(make_result(make_check()))


def test_the_index_lists_every_table_and_what_needs_attention_first(write, tmp_path):
    write(make_result(make_check("failed")), tables=("marts.also_viewed", TABLE))
    text = (tmp_path / "quality" / "index.html").read_text()
    assert text.index("blocked</span>") < text.index("not checked</span>")
    assert f'<a href="{TABLE}.html">{TABLE}</a>' in text
    assert "marts.also_viewed" in text


def test_no_drafts_are_left_behind(write, tmp_path):
    write(make_result(make_check()))
    assert sorted(path.name for path in (tmp_path / "quality").iterdir()) == [
        "index.html",
        f"{TABLE}.html",
        f"{TABLE}.json",
    ]
