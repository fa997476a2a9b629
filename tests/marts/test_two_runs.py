"""Two runs of a day at once: one releases and pays, the other finds the release."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.lake import Days, Lake
from jobs.marts import bestsellers_exact
from jobs.privacy.budget.ledger import read_spending
from jobs.settings import load_settings
from tests.marts import test_ad_effectiveness as ads
from tests.marts.tables import DAY
from tests.marts.test_bestsellers import crowd, sell, write_terms

PROJECT = Path(__file__).resolve().parents[2]
CHARTS, ADS = "marts.bestsellers", "marts.ad_effectiveness"


@pytest.fixture
def lake(tmp_path, engine, contracts, monkeypatch) -> Lake:
    write_terms(tmp_path / "budgets.yaml", rho=5.0)
    monkeypatch.setenv("SOPHILUX_BUDGETS_FILE", str(tmp_path / "budgets.yaml"))
    return Lake(load_settings(str(tmp_path / "shop")), engine, contracts)


def run_two(lake, step, day, *, locked):
    """Rows that two processes say they published, and how many of them drew noise."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)} | ({} if locked else {"SOPHILUX_TESTS_UNLOCKED": "1"})
    command = [sys.executable, "-m", "tests.marts.run_beside", str(lake.home), step, str(day)]
    started = [
        subprocess.Popen([*command, *names], env=environment, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        for names in (("a", "b"), ("b", "a"))
    ]
    told = sorted(int(process.communicate(timeout=300)[0]) for process in started)
    assert [process.returncode for process in started] == [0, 0]
    return told, len(list(Path(lake.home).parent.glob("*.drawing")))


def count_publications(lake, table):
    return sum(entry["operation"] == "WRITE" for entry in lake.history(table))


def events(lake):
    return sorted(row["event"] for row in lake.read_records("ledger.privacy_charges"))


@pytest.mark.parametrize("locked", [True, False])
def test_a_day_is_charged_and_published_once(lake, locked):
    sell(lake, crowd(30))
    bestsellers_exact.run(lake, Days.single(DAY))
    told, drew = run_two(lake, CHARTS, DAY, locked=locked)
    assert told[0] == 0 < told[1] == lake.count(CHARTS)
    assert drew == (1 if locked else 2)
    assert count_publications(lake, CHARTS) == 1
    assert {row["period"]: row["spent"] for row in read_spending(lake)} == {"2024-01": 5.0}
    assert events(lake) == ["charged", "published"]


@pytest.mark.parametrize("locked", [True, False])
def test_a_week_of_ads_is_charged_and_published_once(lake, locked):
    ads.fill_shop(lake, [ads.shown("ann"), ads.shown("bob")])
    told, drew = run_two(lake, ADS, ads.CLOSED_ON, locked=locked)
    assert told == [0, 1]
    assert drew == (1 if locked else 2)
    assert count_publications(lake, ADS) == 1
    assert events(lake) == ["charged", "published"]
