"""Published charts: bounded per person, noisy, paid for once, restated visibly, and refused when the budget is spent."""

import json
from datetime import timedelta

import numpy as np
import pytest
import yaml
from deltalake import write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.errors import BudgetError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.marts import bestsellers, bestsellers_exact
from jobs.marts.abuse import CONTRIBUTOR
from jobs.marts.bounding import bound_contributions, count_cells, order_movements, tabulate_limits
from jobs.marts.periods import MONTH, build_calendar, period_of
from jobs.marts.releases import find_noise, keep_significant, list_planned, tabulate_cuts
from jobs.privacy.budget.allowances import DEFAULT_FILE, load_budgets
from jobs.privacy.budget.ledger import read_spending
from jobs.privacy.keyring import Key
from jobs.settings import load_settings
from tests.marts.tables import DAY, at, comeback, fill, line, order, product

NEXT = DAY + timedelta(1)


def write_terms(path, *, rho=100.0, allowed=9000.0, kinds=("day",)):
    document = yaml.safe_load(DEFAULT_FILE.read_text())
    document["datasets"]["purchases"]["rho"] = allowed
    document["bestsellers"]["windows"] = {kind: {"rho": rho, "products": 3} for kind in kinds}
    path.write_text(yaml.safe_dump(document))


@pytest.fixture
def quiet(monkeypatch):
    """Noise that is always zero, to see what it is added to."""
    monkeypatch.setattr(bestsellers, "draw_noise", lambda rows, _, above: rows.where(F.col(C.BUYERS) >= F.col(above)))


@pytest.fixture
def lake(tmp_path, engine, contracts, monkeypatch) -> Lake:
    write_terms(tmp_path / "budgets.yaml")
    monkeypatch.setenv("SOPHILUX_BUDGETS_FILE", str(tmp_path / "budgets.yaml"))
    return Lake(load_settings(str(tmp_path / "shop")), engine, contracts)


def sell(lake, lines, returns=(), products=("a", "b", "c", "d")):
    fill(lake, "lake.order_lines", list(lines))
    fill(lake, "lake.orders", [order(o, day=d) for o, d in {row["order_id"]: row["day"] for row in lines}.items()])
    fill(lake, "lake.returns", list(returns))
    fill(lake, "lake.products", [product(name) for name in products])


def run(lake, day=DAY):
    bestsellers_exact.run(lake, Days.single(day))
    return bestsellers.run(lake, Days.single(day))


def chart(lake, period_id="2024-01-03", scope="overall"):
    rows = lake.read("marts.bestsellers").where(f"period_id = '{period_id}' and scope = '{scope}'").collect()
    return sorted(rows, key=lambda row: (row.scope_value, row["rank"]))


def spent(lake):
    return {row["period"]: row["spent"] for row in read_spending(lake)}


def crowd(number, product_id="a", *, prefix="s", day=DAY, **odd):
    """One piece for each of several people, over the whole day."""
    return [
        line(f"{prefix}{product_id}{n}", product_id, subject=f"{prefix}{n}", day=day)
        | {"ordered_at": at(day, n * 331 % 1440), **odd}
        for n in range(number)
    ]


def test_ranks_go_by_distinct_known_people_under_caps(quiet, lake):
    many = line("o1", "b", 40, subject="x", price="9.00")
    twice = [line("o2", "a", 1, subject="s1"), line("o3", "a", 1, subject=None)]
    sell(lake, [*crowd(3), many, *twice])
    run(lake)
    found = [(r.product_id, r["rank"], r.buyers, r.units, int(r.revenue)) for r in chart(lake)]
    assert found == [("a", 1, 3, 4, 4), ("b", 2, 1, 5, 50)]


def test_a_person_counts_for_a_bounded_number_of_products(quiet, lake):
    sell(lake, [line("o1", name, subject="x") for name in "abcd"])
    run(lake)
    assert sum(row.buyers for row in chart(lake)) == 3


def test_a_category_is_read_off_the_same_numbers(quiet, lake):
    sell(lake, [*crowd(3), *crowd(2, "b")])
    run(lake)
    told = {(r.scope_value, r.level): (r.product_id, r.buyers) for r in chart(lake, scope="category") if r["rank"] == 1}
    assert told == {("Home", 1): ("a", 3), ("Home/Any", 2): ("a", 3)}


def test_a_country_is_named_only_for_several_people(lake, tmp_path):
    write_terms(tmp_path / "budgets.yaml", rho=30.0)
    sell(lake, [*crowd(40), *crowd(1, "b", prefix="t", country="FR")])
    run(lake)
    assert {row.scope_value for row in chart(lake, scope="country")} == {"DE"}


def test_every_number_has_its_margin_and_the_cost_beside_it(lake, tmp_path):
    write_terms(tmp_path / "budgets.yaml", rho=5.0)
    sell(lake, crowd(30))
    run(lake)
    (row,) = [row for row in chart(lake) if row["rank"] == 1]
    assert abs(row.buyers - 30) <= 3 * row.buyers_margin > 0
    assert row.units_margin > row.buyers_margin
    assert (row.rho, row.delta, row.revision, row.restated_at) == (5.0, 2e-6, 1, None)
    assert row.epsilon > 5
    note = json.loads(lake.history("marts.bestsellers")[0]["privacy"])
    assert note["cost of a release"] == {"day": {"rho": 5.0, "epsilon": row.epsilon, "delta": 2e-6}}


def test_the_same_release_is_returned_and_costs_nothing(quiet, lake):
    sell(lake, crowd(3))
    run(lake)
    before, version, cost = chart(lake), lake.version("marts.bestsellers"), spent(lake)
    run(lake)
    assert (chart(lake), lake.version("marts.bestsellers"), spent(lake)) == (before, version, cost)


def test_an_empty_chart_is_a_release_too_and_is_paid_once(quiet, lake, tmp_path):
    write_terms(tmp_path / "budgets.yaml", rho=0.001)
    sell(lake, [line("o1", "a", subject="x", day=NEXT)])
    for _ in range(3):
        bestsellers.run(lake, Days.single(DAY))
    assert chart(lake) == []
    assert spent(lake) == {"2024-01": 0.001}


def test_late_orders_restate_a_published_day_visibly(quiet, lake):
    sell(lake, crowd(3))
    run(lake)
    (first,) = chart(lake)
    sell(lake, [*crowd(3), *crowd(2, prefix="late", pull_day=NEXT)])
    run(lake, NEXT)
    (second,) = chart(lake)
    assert (second.buyers, second.revision, second.restated_why) == (5, 2, "late orders")
    assert second.restated_at == second.released_at > first.released_at
    assert second.release_id != first.release_id
    assert spent(lake) == {"2024-01": 300.0}


def test_a_return_alone_restates_when_the_day_is_run_again(quiet, lake):
    sell(lake, crowd(3))
    run(lake)
    sell(lake, crowd(3), [comeback("a", 1, day=NEXT, sale_day=DAY, order_id="sa0") | {"subject_id": "s0"}])
    run(lake, NEXT)
    assert [(row.units, row.revision) for row in chart(lake)] == [(3, 1)]
    run(lake)
    assert [(row.units, row.revision, row.restated_why) for row in chart(lake)] == [(2, 2, "run again")]


def test_a_release_that_would_overspend_is_refused_and_the_last_one_stays(quiet, lake, tmp_path):
    write_terms(tmp_path / "budgets.yaml", rho=0.4, allowed=0.5)
    sell(lake, crowd(30))
    run(lake)
    before = chart(lake)
    sell(lake, crowd(31))
    with pytest.raises(
        BudgetError, match=r"2024-01-03 would overspend .* requested rho 0\.4 .*spent 0\.4, remaining 0\.1"
    ):
        run(lake)
    assert chart(lake) == before
    assert spent(lake) == {"2024-01": 0.4}


def test_a_refused_period_does_not_keep_the_others_back(quiet, lake, tmp_path):
    write_terms(tmp_path / "budgets.yaml", rho=0.3, allowed=0.7)
    lines = [row for n in range(3) for row in crowd(30, day=DAY + timedelta(n), prefix=f"d{n}")]
    sell(lake, lines)
    with pytest.raises(BudgetError, match="2024-01-05"):
        bestsellers.run(lake, Days(DAY, DAY + timedelta(2)))
    assert [len(chart(lake, f"2024-01-0{n}")) for n in (3, 4, 5)] == [1, 1, 0]


def test_late_orders_do_not_spend_what_first_releases_need(quiet, lake, tmp_path):
    write_terms(tmp_path / "budgets.yaml", rho=0.1, allowed=3.15)
    sell(lake, crowd(30))
    run(lake)
    sell(lake, [*crowd(30), *crowd(9, prefix="late", pull_day=NEXT)])
    report = run(lake, NEXT)
    assert "kept for first releases still to come" in report.warnings[0]
    assert [row.revision for row in chart(lake)] == [1]


def test_numbers_of_an_earlier_program_leave_with_the_first_release(quiet, lake):
    sell(lake, crowd(3))
    run(lake)
    old = lake.read("marts.bestsellers").withColumns({"period_id": F.lit("2023-12-31"), "release_id": F.lit(None)})
    both = lake.read("marts.bestsellers").unionByName(old.withColumn("release_id", F.lit(None).cast("string")))
    write_deltalake(lake.location("marts.bestsellers"), both.toArrow(), mode="overwrite", partition_by=["period_id"])
    sell(lake, [*crowd(3), *crowd(3, day=NEXT, prefix="n")])
    run(lake, NEXT)
    ids = {row.period_id for row in lake.read("marts.bestsellers").select("period_id").distinct().collect()}
    assert ids == {"2024-01-03", "2024-01-04"}


def test_utility_is_told_with_every_release(quiet, lake):
    sell(lake, [*crowd(3), *crowd(2, "b")])
    run(lake)
    (told,) = lake.read("ledger.chart_utility").where("scope = 'overall'").collect()
    assert (told.places, told.exact_places, told.overlap_10, told.kendall_tau) == (2, 2, 1.0, 1.0)
    assert told.release_id == chart(lake)[0].release_id


PEOPLE = st.integers(0, 5)
PURCHASES = st.lists(
    st.tuples(
        PEOPLE, st.sampled_from("abcdef"), st.integers(0, 9), st.integers(-200, 9_000), st.sampled_from(["DE", "FR"])
    ),
    max_size=25,
)
MOVED = f"day date, product_id string, country string, {CONTRIBUTOR} bigint, units bigint, _cents bigint, returns bigint, _is_known boolean, _bought boolean"


def count_exactly(lake, purchases):
    terms = load_budgets(None).charts
    month = [period_of(MONTH, DAY)]
    rows = [(DAY, name, country, who, units, cents, 0, True, True) for who, name, units, cents, country in purchases]
    products = lake.session.createDataFrame([(name,) for name in "abcde"], "product_id string")
    ordered = order_movements(lake.session.createDataFrame(rows, MOVED), products, key=Key("k", "1", b"x" * 32))
    limits = tabulate_limits(lake.session, month, terms).withColumn("_limit", F.lit(2))
    calendar = build_calendar(lake.session, month, with_previous=False)
    cells = count_cells(bound_contributions(ordered, calendar, limits, terms=terms)).collect()
    return {(row.country, row.product_id): (row.buyers, row.units, row.revenue) for row in cells}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(purchases=PURCHASES, who=PEOPLE)
def test_one_person_moves_the_counts_by_no_more_than_is_paid_for(shared_lake, purchases, who):
    whole = count_exactly(shared_lake, purchases)
    without = count_exactly(shared_lake, [row for row in purchases if row[0] != who])
    caps = (1, 5, 50)
    for is_country in (False, True):
        cells = {cell for cell in {*whole, *without} if (cell[0] is not None) == is_country}
        moved = [
            tuple(
                one - other for one, other in zip(whole.get(cell, (0,) * 3), without.get(cell, (0,) * 3), strict=True)
            )
            for cell in cells
        ]
        touched = [change for change in moved if any(change)]
        assert len(touched) <= 2
        assert all(0 <= number <= cap for change in touched for number, cap in zip(change, caps, strict=True))


def test_the_same_products_are_kept_whatever_the_order_of_rows(shared_lake):
    purchases = [(who, name, 1, 100, "DE") for who in range(6) for name in "abcde"]
    assert count_exactly(shared_lake, purchases) == count_exactly(shared_lake, purchases[::-1])


def test_charts_of_noise_alone_are_mostly_empty(shared_lake):
    terms, size, charts = load_budgets(None).charts, 400, 60
    scale = find_noise(terms, "day", by_country=False, catalogue=size)["_buyers_scale"]
    noise = np.random.default_rng(5).normal(0, scale, size * charts).round().astype(int)
    rows = [(n // size, None, f"p{n % size}", int(value)) for n, value in enumerate(noise)]
    cells = shared_lake.session.createDataFrame(rows, "_ordinal int, country string, product_id string, buyers bigint")
    cuts = tabulate_cuts(shared_lake.session, ["day"], terms, catalogue=size)
    shown = keep_significant(cells, cuts).select("_ordinal").distinct().count()
    assert shown <= charts * 0.1 + 3 * (charts * 0.1 * 0.9) ** 0.5


def test_the_budget_that_comes_with_the_program_pays_for_every_first_release():
    budgets = load_budgets(None)
    allowed = budgets.allowance(budgets.charts.dataset).rho
    for month in range(1, 13):
        planned = list_planned(budgets.charts, f"2026-{month:02}")
        assert sum(planned.values()) < allowed * 0.9
        assert {"2026", f"2026-{month:02}", f"2026-{month:02}-01-30d"} <= set(planned)
