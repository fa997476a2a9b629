"""The suites of charts, each rule broken on purpose: what a person in the business would notice, the gate notices."""

from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from jobs.lake import Days
from jobs.marts import bestsellers, bestsellers_exact
from jobs.samples.drops import write_budgets
from tests.marts.tables import DAY, at, fill, line, order, product
from tests.quality.planted import at_place, failures, hold_up, list_rules, nothing, twice, without

EXACT, PUBLISHED = "marts.bestsellers_exact", "marts.bestsellers"
LAST = DAY + timedelta(10)


@pytest.fixture(scope="module")
def charts(shared_lake):
    """Ten days of charts of both tables, released with hardly any noise."""
    lake = shared_lake
    days = [DAY + timedelta(n) for n in range(11)]
    lines = [
        line(f"{day}{name}{n}", name, subject=f"s{n}", day=day) | {"ordered_at": at(day, n * 331 % 1440)}
        for day in days
        for name, people in (("a", 30), ("b", 20), ("c", 12))
        for n in range(people)
    ]
    fill(lake, "lake.order_lines", lines)
    fill(lake, "lake.orders", [order(row["order_id"], day=row["day"]) for row in lines])
    goods = [product(name) | {"category_path": "Home/Kitchen"} for name in "abc"]
    fill(lake, "lake.products", [*goods, product("POST", is_merchandise=False)])
    root = Path(lake.settings.sources)
    root.mkdir(parents=True, exist_ok=True)
    write_budgets(root)
    for step in (bestsellers_exact, bestsellers):
        step.run(lake, Days(DAY, LAST))
    return lake


@pytest.mark.parametrize("table", [EXACT, PUBLISHED])
def test_good_charts_pass(charts, table):
    assert failures(charts, table) == {}


DAY_CHART = f"period_id = '{LAST}' and scope = 'overall'"
FIRST = f"{DAY_CHART} and rank = 1"
THIRD = f"{DAY_CHART} and rank = 3"
ADDRESS = "jo@example.com"
OF_BOTH = {
    "there are rows": (nothing, "warning"),
    "a product stands once in a chart": (twice(FIRST), "critical"),
    "places of a chart go from 1 to its last without a gap, each given once": (
        without(f"{DAY_CHART} and product_id = 'b'"), "critical"),
    "no chart holds postage, fees or what else is no merchandise": (at_place(THIRD, product_id="POST"), "critical"),
    "a period is as long as its kind says": (at_place("period = 'week'", period_end=LAST), "critical"),
    "a category of a lower level has its parent's chart beside it": (
        without("scope = 'category' and level = 1"), "critical"),
    "places won and lost follow from the places now and before": (at_place(FIRST, rank_change=7), "critical"),
    "period is day, week, month, year, trailing7 or trailing30": (at_place(FIRST, period="fortnight"), "critical"),
    "scope is overall, category or country": (at_place(FIRST, scope="planet"), "critical"),
    "period_id looks like 2011-11-09, 2011-W45, 2011-11, 2011 or 2011-11-09-7d": (
        at_place(FIRST, period_id="9 November"), "critical"),
    "period_start is filled": (at_place(FIRST, period_start=None), "critical"),
    "product_name is filled": (at_place(FIRST, product_name=None), "critical"),
    "revenue is 0 or more": (at_place(FIRST, revenue=-1), "warning"),
    "buyers is 0 or more": (at_place(FIRST, buyers=-1), "critical"),
    "weeks_on_chart is between 1 and 52": (at_place(FIRST, weeks_on_chart=53), "critical"),
    "product_name holds no e-mail address": (at_place(DAY_CHART, product_name=f"ask {ADDRESS}"), "warning"),
    "product_id holds no e-mail address": (at_place(THIRD, product_id=ADDRESS), "critical"),
    "category_path holds no e-mail address": (at_place(THIRD, category_path=f"Home/{ADDRESS}"), "critical"),
    "scope_value holds no e-mail address": (at_place(THIRD, scope_value=ADDRESS), "critical"),
    "product_id is no pseudonym, phone or card number": (
        at_place(THIRD, product_id="0123456789abcdef0123456789abcdef"), "critical"),
    "scope_value is no pseudonym, phone or card number": (at_place(THIRD, scope_value="+49 171 1234567"), "critical"),
    "a restated chart says when and why, and no other does": (at_place(DAY_CHART, restated_why="whim"), "critical"),
}  # fmt: skip
OF_PUBLISHED = {
    "a better place has no fewer buyers": (at_place(f"{DAY_CHART} and rank = 2", buyers=999), "critical"),
    "no product on a chart is missing in the catalogue": (at_place(THIRD, product_id="zz"), "critical"),
    "every release was paid for": (at_place("period = 'day'", release_id="free"), "critical"),
    "the charts of a period are one release": (at_place(FIRST, release_id="other"), "critical"),
    "a product's numbers are the same in all charts of a period that are not of a country": (
        at_place(FIRST, units="= units + 1"), "critical"),
    "the buyers of a day lie within four standard deviations of the 28 days before": (
        at_place(DAY_CHART, buyers="= buyers * 10"), "warning"),
    "rank is between 1 and 100": (at_place(FIRST, rank=101), "critical"),
    "units is 0 or more": (at_place(FIRST, units=-1), "critical"),
    **{f"{name}_margin is 1 or more": (at_place(DAY_CHART, **{f"{name}_margin": 0}), "critical")
       for name in ("buyers", "units", "revenue")},
    "rho is above 0": (at_place(DAY_CHART, rho=0.0), "critical"),
    "epsilon is above 0": (at_place(DAY_CHART, epsilon=0.0), "critical"),
    "delta is at most 0.001": (at_place(DAY_CHART, delta=0.01), "critical"),
    "revision is 1 or more": (at_place(DAY_CHART, revision=0), "critical"),
}  # fmt: skip
OF_EXACT = {
    "a better place has no fewer units": (at_place(f"{DAY_CHART} and rank = 2", units=999), "critical"),
    "no product on a chart is missing in the catalogue": (at_place(THIRD, product_id="zz"), "warning"),
    "places by buyers go from 1 to the last without a gap": (at_place(FIRST, buyers_rank=9), "critical"),
    "the units of a day lie within four standard deviations of the 28 days before": (
        at_place(DAY_CHART, units="= units * 10"), "warning"),
    "units is 1 or more": (at_place(FIRST, units=0), "critical"),
    "returns is 0 or more": (at_place(FIRST, returns=-1), "critical"),
    "revision is 0 or more": (at_place(FIRST, revision=-1), "critical"),
    "units are at least as many as buyers": (at_place(FIRST, buyers="= units + 1"), "info"),
}  # fmt: skip
OTHERWISE = {
    "a day has about as many products on its chart as the days before": "warning",
    "the newest chart is no more than two days older than the newest order": "warning",
}
"""Rules with tests of their own, because more than a row is wrong."""
DEFECTS = {PUBLISHED: OF_BOTH | OF_PUBLISHED, EXACT: OF_BOTH | OF_EXACT}
RULES = [(table, rule) for table, defects in DEFECTS.items() for rule in defects]


@pytest.mark.parametrize("table", DEFECTS)
def test_every_rule_has_its_defect_and_its_severity(charts, table):
    assert list_rules(charts, table) == OTHERWISE | {r: severity for r, (_, severity) in DEFECTS[table].items()}


@pytest.mark.parametrize(("table", "rule"), RULES)
def test_a_defect_is_found_and_stops_the_table_only_where_that_is_said(charts, tmp_path, table, rule):
    change, severity = DEFECTS[table][rule]
    state = {"critical": "blocked", "warning": "warnings", "info": "passed"}[severity]
    assert hold_up(charts, table, change, rule, tmp_path, where="period in ('day', 'week')") == (severity, state)


@pytest.mark.parametrize("table", DEFECTS)
def test_a_day_with_many_more_products_is_pointed_out(charts, table):
    def grow(rows):
        more = [
            rows.where(DAY_CHART).withColumn("product_id", F.concat("product_id", F.lit(f"-{n}"))) for n in range(9)
        ]
        for part in more:
            rows = rows.unionByName(part)
        return rows

    rule = "a day has about as many products on its chart as the days before"
    assert failures(charts, table, grow, only=rule) == {rule: "warning"}


@pytest.mark.parametrize("table", DEFECTS)
def test_charts_that_stay_behind_the_orders_are_pointed_out(charts, table):
    late = LAST + timedelta(5)
    held = charts.read("lake.orders").collect()
    fill(charts, "lake.orders", [*(row.asDict() for row in held), order("new", day=late)])
    rule = "the newest chart is no more than two days older than the newest order"
    assert failures(charts, table, only=rule) == {rule: "warning"}
    fill(charts, "lake.orders", [row.asDict() for row in held])
