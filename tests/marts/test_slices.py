"""Counting pairs in slices of people gives the rows of counting them at once."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jobs.lake import Days
from jobs.marts import also_viewed, slices
from jobs.marts import cooccurrence as co
from jobs.marts.slices import count_in_slices, count_pairs, keep_until
from tests.marts.tables import DAY, click, fill
from tests.marts.test_cooccurrence import ORDERS, SCHEMA, VISITS

ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(1, 5)), st.sampled_from("abcde"), st.integers(0, 9)),
    min_size=20,
    max_size=60,
)


@pytest.fixture(scope="module")
def keep(shared_lake):
    """Computes rows and keeps them until the tests are over."""
    with ExitStack() as stack:
        yield keep_until(stack, shared_lake)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS, recipe=st.sampled_from([VISITS, ORDERS, replace(VISITS, reach=9, cap=9)]), per_slice=st.integers(1, 9)
)
def test_slices_of_people_add_up_to_the_rows_of_everybody(shared_lake, keep, rows, recipe, per_slice):
    items = shared_lake.session.createDataFrame([(*row, DAY) for row in rows], SCHEMA)
    baskets = keep(co.collect_baskets(items, recipe, as_of=DAY)).frame
    assume(count_pairs(baskets, recipe) > per_slice)
    at_once = co.pair_products(baskets, recipe), co.weigh_products(baskets)
    for sliced, whole in zip(count_in_slices(baskets, recipe, once=keep, per_slice=per_slice), at_once, strict=True):
        assert sliced.schema.simpleString() == whole.schema.simpleString()
        assert sorted(sliced.collect()) == sorted(whole.collect())


@pytest.mark.parametrize(("size", "reach", "pairs"), [(1, 5, 0), (2, 5, 1), (6, 9, 15), (6, 2, 9)])
def test_pairs_are_counted_before_they_are_made(engine, size, reach, pairs):
    rows = [(1, 1, f"p{n}", n, DAY) for n in range(size)]
    recipe = replace(VISITS, cap=99, reach=reach)
    baskets = co.collect_baskets(engine.session.createDataFrame(rows, SCHEMA), recipe, as_of=DAY)
    made = co.pair_products(baskets, recipe).agg({"_baskets": "sum"}).first()[0] or 0
    assert count_pairs(baskets, recipe) == made == pairs


def test_the_table_is_the_same_in_slices(lake, monkeypatch):
    clicks = [click(f"s{n}", name, minute) for n in range(9) for minute, name in enumerate("abcdef"[n % 3 :])]
    fill(lake, "lake.clicks", clicks)
    also_viewed.run(lake, Days.single(DAY))
    whole = sorted(lake.read("marts.also_viewed").collect())
    monkeypatch.setattr(slices.count_in_slices, "__kwdefaults__", {"per_slice": 10})
    also_viewed.run(lake, Days.single(DAY))
    assert sorted(lake.read("marts.also_viewed").collect()) == whole != []
