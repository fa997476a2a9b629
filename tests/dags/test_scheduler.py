"""The flows under a real scheduler: three pulls of one day start the marts and the exports of that day.

The day is yesterday, because a scheduler that starts soon after a cron's time runs yesterday by itself: packages go
forward only, so an older day would then be refused.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.lake import Lake
from jobs.settings import Settings
from jobs.steps import FLOWS
from tests.conftest import airflow_environment
from tests.dags.live_airflow import LiveAirflow

pytestmark = [pytest.mark.scheduler, pytest.mark.slow, pytest.mark.timeout(3000)]

START_SECONDS = 180
RUN_SECONDS = 700
"""Patience with a machine that has other tests to run, and with one retry; a failed run ends the wait at once."""
PULLS = ("pull_clickstream", "pull_purchases", "pull_carrier_updates")
FOLLOWERS = ("build_marts", "export_audiences")
FILLED = ("lake.clicks", "lake.sessions", "lake.subjects", "lake.orders", "lake.order_lines", "marts.bestsellers_exact",
          "marts.recently_viewed", "ledger.exports", "ledger.step_runs")  # fmt: skip


@pytest.fixture(scope="module")
def yesterday():
    return datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory, yesterday):
    from jobs.samples.generated import write_shop

    settings = Settings(home=str(tmp_path_factory.mktemp("live") / "lake"))
    write_shop(settings, first_day=yesterday, days=1, customers=60, events=1_500)
    return settings


@pytest.fixture(scope="module")
def airflow(tmp_path_factory, shop):
    home = tmp_path_factory.mktemp("airflow")
    environment = {**os.environ, **airflow_environment(home), "SOPHILUX_HOME": shop.home}
    with LiveAirflow(environment, home / "airflow.log") as running:
        yield running


def test_pulls_of_a_day_start_marts_and_exports_of_that_day(airflow, shop, yesterday):
    airflow.wait_for_dags({flow.name for flow in FLOWS}, seconds=START_SECONDS)
    airflow.unpause(*FOLLOWERS, *PULLS)
    for dag_id in PULLS:
        airflow.trigger(dag_id, yesterday)
    for dag_id in PULLS:
        airflow.wait_for_success(dag_id, yesterday, seconds=RUN_SECONDS)
    for dag_id in FOLLOWERS:
        run = airflow.wait_for_success(dag_id, yesterday, seconds=RUN_SECONDS)
        assert run["run_type"] == "asset_triggered"
    lake = Lake.open(shop)
    assert {table: lake.count(table) > 0 for table in FILLED} == dict.fromkeys(FILLED, True)


def test_a_large_plan_waits_for_a_person_and_is_applied_as_it_was_shown(airflow, shop):
    airflow.wait_for_dags({"enforce_retention"}, seconds=START_SECONDS)
    airflow.unpause("enforce_retention")
    package = Path(shop.home, "exports", "adnet", "2020-01-01")
    package.mkdir(parents=True)
    (package / "manifest.json").write_text('{"files": {"additions-0000.parquet": {"rows": 100000}}}')
    run_id = airflow.trigger("enforce_retention", datetime.now(UTC).date())
    shown = airflow.approve("enforce_retention", run_id, "approve_plan", seconds=RUN_SECONDS)
    assert "| exports.additions | 100,000 |" in shown
    assert package.exists()
    airflow.wait_for_run("enforce_retention", run_id, seconds=RUN_SECONDS)
    assert not package.exists()
    (entry,) = [row for row in Lake.open(shop).read_records("ledger.retention_plans") if row["rows"] == 100_000]
    assert entry["state"] == "applied"
    assert entry["approved_by"].startswith("airflow: ")
