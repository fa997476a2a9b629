"""A ring of accounts pushes two products through a generated shop, and gets neither onto a chart nor into a list."""

from datetime import date, timedelta

import pytest
import yaml

from jobs.lake import Days, Lake
from jobs.marts import also_bought, bestsellers, bestsellers_exact
from jobs.marts.abuse import BURST
from jobs.marts.charts import CHART
from jobs.privacy.budget.allowances import DEFAULT_FILE
from jobs.runner import run_step
from jobs.samples.generated import write_shop
from jobs.samples.purchases import RING, RING_NIGHTS, RING_UNITS
from jobs.settings import load_settings
from jobs.steps import find_steps

pytestmark = [pytest.mark.slow]

FIRST_DAY, LENGTH = date(2024, 3, 4), 7
WEEK = Days(FIRST_DAY, FIRST_DAY + timedelta(LENGTH - 1))
OVERALL = f"scope = 'overall' and rank <= {CHART}"


@pytest.fixture(scope="module")
def ring(tmp_path_factory, engine, contracts):
    """A week of a shop whose charts were all made and published, with hardly any noise; and what was planted."""
    home = tmp_path_factory.mktemp("ring")
    terms = yaml.safe_load(DEFAULT_FILE.read_text())
    terms["datasets"]["purchases"]["rho"] = 9000.0
    terms["bestsellers"]["windows"] = {kind: {"rho": 100.0, "products": 20} for kind in ("day", "week")}
    (home / "budgets.yaml").write_text(yaml.safe_dump(terms))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOPHILUX_BUDGETS_FILE", str(home / "budgets.yaml"))
        lake = Lake(load_settings(str(home / "shop")), engine, contracts)
        planted = write_shop(lake.settings, first_day=FIRST_DAY, days=LENGTH, customers=3_000, events=90_000, seed=5)
        for step in find_steps("pull_purchases"):
            run_step(lake, step, WEEK)
        for mart in (bestsellers_exact, bestsellers, also_bought):
            mart.run(lake, WEEK)
        yield lake, planted


def test_the_ring_would_lead_the_charts_if_it_counted(ring):
    lake, planted = ring
    bought = lake.read("lake.order_lines").groupBy("product_id").agg({"quantity": "sum"}).collect()
    units = sorted((row["sum(quantity)"], row["product_id"]) for row in bought)
    assert {product for _, product in units[-10:]} >= set(planted.fraud_products)
    assert len(units) > 2 * CHART


@pytest.mark.parametrize("table", ["marts.bestsellers_exact", "marts.bestsellers"])
def test_it_enters_no_top_hundred(ring, table):
    lake, planted = ring
    charts = lake.read(table).where(OVERALL)
    assert charts.where("period = 'week'").count() == CHART
    # The chart of a single day is not a hundred long, and ends with what a few honest people bought, give or take noise.
    by_honest = f"period = 'day' and units <= {RING_UNITS}"
    pushed = charts.where(charts.product_id.isin(planted.fraud_products)).where(f"not ({by_honest})")
    assert pushed.collect() == []


def test_what_the_burst_rule_left_out_is_the_ring_and_is_told(ring):
    lake, planted = ring
    told = lake.read("ledger.chart_exclusions").where(f"rule = '{BURST}'").collect()
    assert {row.product_id for row in told} == set(planted.fraud_products)
    assert len(told) == 2 * RING_NIGHTS
    assert all(RING * 0.8 <= row.people <= RING + 2 for row in told)
    assert sum(row.units for row in told) >= planted.fraud_lines_standing * RING_UNITS


def test_it_makes_no_neighbours(ring):
    lake, planted = ring
    one, other = planted.fraud_products
    pairs = lake.read("marts.also_bought").where(f"product_id = '{one}' and other_product_id = '{other}'")
    assert pairs.count() == 0
