"""Clicks of erased people stay away, whatever brings them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.conform import clicks
from jobs.lake import Lake, pending
from jobs.privacy.subject_ids import subject_digest
from jobs.privacy.tombstones import SUBJECT, lift_tombstones, set_tombstones
from tests.conform.landed import DAYS, land, rows

ERASED_AT = datetime(2024, 2, 1, 9, tzinfo=UTC)


def event(**fields):
    import json

    return json.dumps({"time": "2024-01-31T09:00:00Z", "action": "view", "product": "P1", **fields})


def land_lines(lake, *lines):
    land(lake, "clickstream", *({"source": "f.jsonl", "line_no": n, "raw": line} for n, line in enumerate(lines, 1)))


def erase(lake, *names, at=ERASED_AT):
    digest = subject_digest(lake)
    set_tombstones(lake, {SUBJECT: [digest(name) for name in names]}, at=at)


def run(lake):
    report = clicks.run(lake, DAYS)
    counted = report.rows_out + report.duplicates + report.quarantined + (report.forgotten or 0)
    assert report.rows_in == counted
    return report


def test_a_late_line_of_an_erased_person_comes_nowhere(lake):
    land_lines(
        lake,
        event(email="Ann.Lee+x@GMail.com"),
        event(email="bob@example.com"),
        event(email="annlee@gmail.com", time="yesterday"),
        event(visitor="v1", url="https://shop.example/p?from=ann.lee%40gmail.com"),
        event(visitor="v2"),
        '{"broken": "annlee@gmail.com"',
        "garbage of nobody",
    )
    erase(lake, "annlee@gmail.com", "visitor:v2")
    report = run(lake)
    assert (report.rows_out, report.quarantined, report.forgotten) == (1, 1, 5)
    bob = subject_digest(lake)("bob@example.com")
    assert rows(lake, "lake.clicks", "subject_id") == [{"subject_id": bob}]
    assert [row["raw"] for row in rows(lake, "landing.clickstream", "raw")] == [
        "garbage of nobody",
        event(email="bob@example.com"),
    ]
    assert [row["raw"] for row in rows(lake, "quarantine.clicks", "raw")] == ["garbage of nobody"]


def test_a_second_run_leaves_the_same_rows(lake):
    land_lines(lake, event(email="ann@example.com"), event(email="bob@example.com"), "garbage")
    erase(lake, "ann@example.com")
    run(lake)
    before = {
        table: rows(lake, table)
        for table in ("lake.clicks", "lake.sessions", "landing.clickstream", "quarantine.clicks")
    }
    assert run(lake).forgotten == 0
    assert before == {table: rows(lake, table) for table in before}


def test_what_a_run_that_died_left_of_the_line_goes_with_the_next(lake, monkeypatch):
    land_lines(lake, event(email="ann@example.com"), event(email="bob@example.com"))
    erase(lake, "ann@example.com")
    before = {path.name for path in Path(lake.location("landing.clickstream")).rglob("*.parquet")}
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "vacuum", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(lake)
    assert before <= {path.name for path in Path(lake.location("landing.clickstream")).rglob("*.parquet")}
    run(lake)
    assert not before & {path.name for path in Path(lake.location("landing.clickstream")).rglob("*.parquet")}
    assert pending.list_pending(lake.home) == []


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_landing_keeps_no_former_file_with_the_line(lake):
    land_lines(lake, event(email="ann@example.com"), event(email="bob@example.com"))
    erase(lake, "ann@example.com")
    before = {path.name for path in Path(lake.location("landing.clickstream")).rglob("*.parquet")}
    run(lake)
    after = {path.name for path in Path(lake.location("landing.clickstream")).rglob("*.parquet")}
    assert not before & after
    assert after


def test_after_a_new_account_what_happens_from_then_on_is_welcome(lake):
    erase(lake, "ann@example.com", at=datetime(2024, 1, 30, tzinfo=UTC))
    opened = datetime(2024, 1, 31, 8, tzinfo=UTC)
    lift_tombstones(lake, {SUBJECT: {subject_digest(lake)("ann@example.com"): opened}})
    land_lines(
        lake,
        event(email="ann@example.com", time="2024-01-31T07:59:59Z"),
        event(email="ann@example.com", time="2024-01-31T08:00:00Z"),
    )
    report = run(lake)
    assert (report.rows_out, report.forgotten) == (1, 1)
    (kept,) = rows(lake, "lake.clicks", "event_time")
    assert kept["event_time"].replace(tzinfo=UTC) == opened


def test_nobody_erased_leaves_the_plan_as_it_was(lake, monkeypatch):
    land_lines(lake, event(email="ann@example.com"))

    def refuse(*_args, **_options):
        pytest.fail("somebody was looked for")

    monkeypatch.setattr("jobs.conform.suppression.erased_rows.find_erased", refuse)
    monkeypatch.setattr("jobs.conform.suppression.erased_rows.find_written", refuse)
    assert run(lake).forgotten == 0


def test_days_of_erased_people_that_were_folded_before_lose_them_when_landing_is_restored(lake):
    """A backup brings landing back as it was before the erasure."""
    lines = (event(email="ann@example.com"), event(email="bob@example.com"))
    land_lines(lake, *lines)
    run(lake)
    assert len(rows(lake, "lake.clicks")) == 2
    erase(lake, "ann@example.com", at=ERASED_AT + timedelta(days=1))
    land_lines(lake, *lines)
    assert run(lake).forgotten == 1
    assert len(rows(lake, "lake.clicks")) == 1
    assert len(rows(lake, "lake.sessions")) == 1
