"""Reports of a sample partner: written from its package, and found again by the flow."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.lake import Days
from jobs.samples.impressions import REPORTER, UNUSABLE, write_impressions
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY


def test_without_a_package_there_are_no_reports(settings):
    planted = write_impressions(settings, Days(DEMO_FIRST_DAY, DEMO_FIRST_DAY))
    assert (planted.impressions, planted.duplicates, planted.unusable) == (0, 0, 0)
    assert not Path(settings.impressions).exists()


@pytest.mark.slow
def test_the_demo_finds_every_impression_that_was_planted(demo):
    lake, _ = demo
    days = Days(DEMO_FIRST_DAY, DEMO_FIRST_DAY + timedelta(DEMO_DAYS - 1))
    files = {path.name: path.read_bytes() for path in (Path(lake.settings.impressions) / REPORTER).iterdir()}
    planted = write_impressions(lake.settings, days)
    assert files == {path.name: path.read_bytes() for path in (Path(lake.settings.impressions) / REPORTER).iterdir()}
    rows = [row.asDict() for row in lake.read("lake.impressions").collect()]
    assert len(rows) == planted.impressions > 0
    assert {row["partner"] for row in rows} == {REPORTER}
    assert lake.count("quarantine.impressions") == planted.unusable == len(files) * len(UNUSABLE)
    reasons = Counter(row["reason"] for row in lake.read("quarantine.impressions").collect())
    assert set(reasons.values()) == {len(files)}


@pytest.mark.slow
def test_the_demo_releases_its_first_week(demo):
    lake, _ = demo
    rows = lake.read_records("marts.ad_effectiveness")
    assert {(row["week"], row["partner"]) for row in rows} == {("2026-W10", REPORTER)}
    assert "(all)" in {row["campaign"] for row in rows}
    charges = lake.read_records("ledger.privacy_charges")
    assert sorted(row["event"] for row in charges if row["dataset"] == "impressions") == ["charged", "published"]
