"""The suites of charts, each rule broken on purpose: what a person in the business would notice, the gate notices."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from jobs.lake import Days
from jobs.marts import bestsellers, bestsellers_exact
from jobs.quality.gate import name_tables, run_suite
from jobs.quality.results import FAILED
from jobs.quality.suites import read_suite
from jobs.samples.drops import write_budgets
from tests.marts.tables import DAY, at, fill, line, order, product

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


def failures(lake, table, change=None, *, only=None, where="true"):
    """Severities by title of the checks that fail over the table's rows after a change, of all or of one."""
    contract = lake.contracts[table]
    rows = lake.read(table).where(where)
    changed = (change(rows) if change else rows).select(*contract.column_names)
    suite = read_suite(contract)
    chosen = tuple(expectation for expectation in suite.expectations if only in (None, expectation.title))
    suite = name_tables(lake, replace(suite, expectations=chosen))
    result = run_suite(changed, suite, contract, row_count=changed.count(), staged=True)
    assert not [check.title for check in result.checks if check.state not in ("passed", FAILED)]
    return {check.title: check.severity for check in result.checks if check.state == FAILED}


@pytest.mark.parametrize("table", [EXACT, PUBLISHED])
def test_good_charts_pass(charts, table):
    assert failures(charts, table) == {}


def at_place(condition, **values):
    """Rows with other values where a condition holds; a text that begins with ``=`` is an expression."""

    def change(rows):
        changed = {}
        for name, value in values.items():
            is_expression = str(value).startswith("= ")
            new = F.expr(value[2:]) if is_expression else F.lit(value)
            old = F.when(F.expr(condition), new).otherwise(F.col(name))
            changed[name] = old.cast(rows.schema[name].dataType)
        return rows.withColumns(changed)

    return change


DAY_CHART = f"period_id = '{LAST}' and scope = 'overall'"
BROKEN = {
    "places of a chart go from 1 to its last without a gap, each given once": (
        lambda rows: rows.where(f"not ({DAY_CHART} and product_id = 'b')"), "critical"),
    "a better place has no fewer buyers": (at_place(f"{DAY_CHART} and rank = 2", buyers=999), "critical"),
    "no chart holds postage, fees or what else is no merchandise": (
        at_place(f"{DAY_CHART} and rank = 3", product_id="POST"), "critical"),
    "no product on a chart is missing in the catalogue": (at_place(f"{DAY_CHART} and rank = 3", product_id="zz"), "critical"),
    "a period is as long as its kind says": (at_place("period = 'week'", period_end=LAST), "critical"),
    "a category of a lower level has its parent's chart beside it": (
        lambda rows: rows.where("not (scope = 'category' and level = 1)"), "critical"),
    "places won and lost follow from the places now and before": (
        at_place(f"{DAY_CHART} and rank = 1", rank_change=7), "critical"),
    "every release was paid for": (at_place("period = 'day'", release_id="free"), "critical"),
    "the charts of a period are one release": (at_place(f"{DAY_CHART} and rank = 1", release_id="other"), "critical"),
    "a product's numbers are the same in all charts of a period that are not of a country": (
        at_place(f"{DAY_CHART} and rank = 1", units="= units + 1"), "critical"),
    "product_id is no pseudonym, phone or card number": (
        at_place(f"{DAY_CHART} and rank = 3", product_id="0123456789abcdef0123456789abcdef"), "critical"),
    "product_name holds no e-mail address": (at_place(DAY_CHART, product_name="ask jo@example.com"), "warning"),
    "buyers_margin is 1 or more": (at_place(DAY_CHART, buyers_margin=0), "critical"),
    "a restated chart says when and why, and no other does": (at_place(DAY_CHART, restated_why="whim"), "critical"),
}  # fmt: skip


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_found(charts, rule):
    change, severity = BROKEN[rule]
    found = failures(charts, PUBLISHED, change, only=rule, where="period in ('day', 'week')")
    assert found == {rule: severity}


def test_a_day_that_sells_ten_times_as_much_is_pointed_out(charts):
    rule = "the units of a day lie within four standard deviations of the 28 days before"
    assert failures(charts, EXACT, at_place(DAY_CHART, units="= units * 10"), only=rule) == {rule: "warning"}


def test_a_day_without_most_of_its_products_is_pointed_out(charts):
    def grow(rows):
        more = [
            rows.where(DAY_CHART).withColumn("product_id", F.concat("product_id", F.lit(f"-{n}"))) for n in range(9)
        ]
        for part in more:
            rows = rows.unionByName(part)
        return rows

    rule = "a day has about as many products on its chart as the days before"
    assert failures(charts, EXACT, grow, only=rule) == {rule: "warning"}


def test_charts_that_stay_behind_the_orders_are_pointed_out(charts):
    late = LAST + timedelta(5)
    held = charts.read("lake.orders").collect()
    fill(charts, "lake.orders", [*(row.asDict() for row in held), order("new", day=late)])
    rule = "the newest chart is no more than two days older than the newest order"
    assert failures(charts, EXACT, only=rule) == {rule: "warning"}
    fill(charts, "lake.orders", [row.asDict() for row in held])
