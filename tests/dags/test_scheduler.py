"""The flows under a real scheduler: three pulls of one day start the marts and the exports of that day.

The day is yesterday, because a scheduler that starts soon after a cron's time runs yesterday by itself: packages go
forward only, so an older day would then be refused.
"""

import os
from datetime import UTC, datetime, timedelta

import pytest

from jobs.lake import Lake
from jobs.settings import Settings
from jobs.steps import FLOWS
from tests.dags.conftest import airflow_environment
from tests.dags.live_airflow import LiveAirflow

pytestmark = [pytest.mark.scheduler, pytest.mark.slow]

PULLS = ("pull_clickstream", "pull_purchases", "pull_carrier_updates")
FILLED = ("lake.clicks", "lake.sessions", "lake.subjects", "lake.orders", "lake.order_lines", "marts.bestsellers_exact",
          "marts.recently_viewed", "ledger.exports", "ledger.step_runs")  # fmt: skip


@pytest.fixture
def yesterday():
    return datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def shop(tmp_path, yesterday):
    from jobs.samples.generated import write_shop

    settings = Settings(home=str(tmp_path / "lake"))
    write_shop(settings, first_day=yesterday, days=1, customers=60, events=1_500)
    return settings


@pytest.fixture
def airflow(tmp_path, shop):
    home = tmp_path / "airflow"
    home.mkdir()
    environment = {**os.environ, **airflow_environment(home), "SOPHILUX_HOME": shop.home}
    with LiveAirflow(environment, tmp_path / "airflow.log") as running:
        yield running


def test_pulls_of_a_day_start_marts_and_exports_of_that_day(airflow, shop, yesterday):
    airflow.wait_for_dags({flow.name for flow in FLOWS}, seconds=90)
    for dag_id in PULLS:
        airflow.trigger(dag_id, yesterday)
    for dag_id in PULLS:
        airflow.wait_for_success(dag_id, yesterday, seconds=150)
    for dag_id in ("build_marts", "export_audiences"):
        run = airflow.wait_for_success(dag_id, yesterday, seconds=120)
        assert run["run_type"] == "asset_triggered"
    lake = Lake.open(shop)
    assert {table: lake.count(table) > 0 for table in FILLED} == dict.fromkeys(FILLED, True)
