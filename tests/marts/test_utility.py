"""How close published charts come to the exact ones, and how that is told."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.abuse import CONTRIBUTOR
from jobs.marts.bestsellers import rank_noisy
from jobs.marts.bounding import bound_contributions, count_cells, order_movements, tabulate_limits
from jobs.marts.periods import MONTH, build_calendar, period_of
from jobs.marts.releases import CUTOFF, SCALES, fill_zeros, keep_significant, tabulate_cuts, tabulate_noise
from jobs.marts.utility import measure_utility
from jobs.privacy.budget.allowances import load_budgets
from jobs.privacy.budget.noise import draw_noise
from jobs.privacy.keyring import Key
from jobs.samples.catalogue import make_catalogue
from jobs.samples.plan import Plan

CHART = "period_id string, scope string, scope_value string, product_id string"
RELEASES = "period_id string, period_start date, release_id string"
CUSTOMERS = 200_000


@pytest.fixture
def utility(engine):
    """Utility of charts given as lists of products, best first."""

    def measure(published, exact):
        def rows(products, rank):
            places = [("2024-01", "overall", "all", name, n) for n, name in enumerate(products, start=1)]
            return engine.session.createDataFrame(places, f"{CHART}, {rank} int")

        releases = engine.session.createDataFrame([("2024-01", date(2024, 1, 1), "r1")], RELEASES)
        (row,) = measure_utility(rows(published, C.RANK), rows(exact, C.BUYERS_RANK), releases).collect()
        return row

    return measure


def test_the_same_chart_is_kept_whole(utility):
    told = utility("abc", "abc")
    assert (told.overlap_10, told.overlap_50, told.overlap_100, told.kendall_tau) == (1.0, 1.0, 1.0, 1.0)
    assert (told.places, told.exact_places, told.release_id) == (3, 3, "r1")


def test_what_is_missing_and_what_is_in_another_order_costs(utility):
    names = [f"p{n:02}" for n in range(20)]
    told = utility([*names[10:], *names[:5]], names)
    assert (told.overlap_10, told.overlap_50) == (0.0, 0.75)
    assert told.kendall_tau == pytest.approx((45 + 10 - 50) / 105)


def test_an_empty_chart_is_told_too(utility):
    nothing, some = utility("", ""), utility("", "ab")
    assert (nothing.places, nothing.exact_places, nothing.overlap_10, nothing.kendall_tau) == (0, 0, None, None)
    assert (some.places, some.exact_places, some.overlap_10) == (0, 2, 0.0)


@pytest.mark.slow
def test_a_shop_of_two_hundred_thousand_customers_keeps_its_chart(shared_lake, tmp_path):
    """Everybody buys about four products of the generated shop's catalogue in a month, under the default terms."""
    session, terms, month = shared_lake.session, load_budgets(None).charts, period_of(MONTH, date(2026, 3, 1))
    catalogue = make_catalogue(Plan(month.start, 31, CUSTOMERS, 5_000_000, 7))
    random = np.random.default_rng(7)
    people = np.repeat(np.arange(CUSTOMERS), 1 + random.poisson(3, CUSTOMERS))
    bought = np.unique(np.stack([people, catalogue.draw(random, np.full(len(people), -1))]), axis=1)
    names, size = np.array(catalogue.ids), bought.shape[1]
    whole = {C.UNITS: 1, "_cents": 1_000, C.RETURNS: 0}
    moved = pa.table(
        {
            C.DAY: pa.array(np.full(size, np.datetime64(month.start)), pa.date32()),
            C.PRODUCT_ID: pa.array(names[bought[1]]),
            C.COUNTRY: pa.nulls(size, pa.string()),
            CONTRIBUTOR: bought[0],
            **{name: np.full(size, value) for name, value in whole.items()},
            **{name: np.ones(size, np.bool_) for name in ("_is_known", "_bought")},
        }
    )
    parquet.write_table(moved, tmp_path / "moved.parquet")
    movements = session.read.parquet(str(tmp_path / "moved.parquet"))
    products = session.createDataFrame(
        [(n, "Home", "Home") for n in catalogue.ids], "product_id string, category string, category_path string"
    )
    ordered = order_movements(movements, products, key=Key("k", "1", b"x" * 32))
    limits, calendar = tabulate_limits(session, [month], terms), build_calendar(session, [month], with_previous=False)
    cells = count_cells(bound_contributions(ordered, calendar, limits, terms=terms))
    noise = tabulate_noise(session, [month], terms, catalogue=len(names))
    cuts = tabulate_cuts(session, [MONTH], terms, catalogue=len(names))
    with shared_lake.scratch(draw_noise(fill_zeros(cells, products, noise), SCALES, above=CUTOFF)) as noisy:
        ranked = noisy.frame.transform(keep_significant, cuts).transform(rank_noisy, products)
        shown = {row[C.PRODUCT_ID] for row in ranked.where(F.col(C.SCOPE) == "overall").collect()}
    counts = np.bincount(bought[1], minlength=len(names))
    best = set(names[np.argsort(-counts, kind="stable")[:100]])
    assert len(shown) == 100
    assert len(shown & best) >= 97
