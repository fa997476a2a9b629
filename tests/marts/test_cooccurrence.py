from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from math import floor, sqrt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.marts import cooccurrence as co
from jobs.marts.neighbours import name_products, rank_neighbours
from jobs.marts.recipes import Recipe

DAY = date(2024, 1, 3)
VISITS = Recipe(cap=4, reach=2, in_sequence=True, length_halves=1, half_life_days=2, damping=1.0)
ORDERS = Recipe(cap=50, reach=50, in_sequence=False, length_halves=2, own_quarters=2, other_quarters=2, damping=0.1)
PLAIN = replace(ORDERS, length_halves=0)
SCHEMA = "_basket bigint, _person bigint, product_id string, _place bigint, day date"


def rank(session, rows, recipe, *, categories=None):
    items = session.createDataFrame([(*row, DAY) if len(row) == 4 else row for row in rows], SCHEMA)
    baskets = co.collect_baskets(items, recipe, as_of=DAY)
    within = session.createDataFrame(categories, "product_id string, category string") if categories else None
    pairs, weights = co.pair_products(baskets, recipe), co.weigh_products(baskets)
    return rank_neighbours(pairs, weights, name_products(items, within), recipe)


def neighbours(session, rows, recipe, **options):
    """(product, other) -> (score, baskets, people, rank)."""
    return {
        (r.product_id, r.other_product_id): (pytest.approx(r.score), r["_baskets"], r["_people"], r["rank"])
        for r in rank(session, rows, recipe, **options).collect()
    }


def list_baskets(rows, recipe):
    """(person, products in order of their first place, weight) per basket."""
    places, days = defaultdict(dict), defaultdict(lambda: date.min)
    for basket, person, product, place, day in rows:
        known = places[basket, person]
        known[product] = min(place, known.get(product, place))
        days[basket, person] = max(day, days[basket, person])
    for (basket, person), known in places.items():
        items = sorted(known, key=known.__getitem__)[: recipe.cap]
        halves, rest = divmod((DAY - days[basket, person]).days, recipe.half_life_days or 10**9)
        decay = (1 - rest / (2 * recipe.half_life_days)) / 2**halves if recipe.half_life_days else 1
        length = {0: 1, 1: sqrt(len(items)), 2: len(items)}[recipe.length_halves]
        yield person, items, floor(co.SCALE * decay / length)


def weigh_pairs(items, weight, recipe):
    """(product, other) -> weight in one basket, in both directions."""
    weights = {}
    for (p, a), (q, b) in combinations(enumerate(items), 2):
        if q - p <= recipe.reach:
            weights[a, b] = floor(weight / (q - p)) if recipe.in_sequence else weight
            weights[b, a] = floor(weight * 3 / ((q - p) * 4)) if recipe.in_sequence else weight
    return weights


def bound(sums):
    """Sums by person and thing to sums by thing, each known person's at most ``SCALE``."""
    totals = defaultdict(int)
    for (person, thing), total in sums.items():
        totals[thing] += total if person is None else min(total, co.SCALE)
    return totals


def expected(rows, recipe):
    """The same in plain Python, by going through every basket's pairs."""
    of_products, of_pairs, baskets, people = defaultdict(int), defaultdict(int), defaultdict(int), defaultdict(set)
    for person, items, weight in list_baskets(rows, recipe):
        for product in items:
            of_products[person, product] += weight
        for pair, value in weigh_pairs(items, weight, recipe).items():
            of_pairs[person, pair] += value
            baskets[pair] += 1
            people[pair] |= {person} - {None}
    weights, pairs = bound(of_products), bound(of_pairs)
    scores = {}
    for a, b in (pair for pair in pairs if len(people[pair]) >= recipe.min_people):
        own, other = (weights[product] / co.SCALE + recipe.damping for product in (a, b))
        popularity = own ** (recipe.own_quarters / 4) * other ** (recipe.other_quarters / 4)
        scores[a, b] = (min(1.0, pairs[a, b] / co.SCALE / popularity), baskets[a, b], len(people[a, b]))
    return scores


places_are_unique = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from("abcdef"), st.integers(0, 5)), min_size=1, max_size=40
).map(lambda pairs: [(b, b % 3 or None, name, n, DAY - timedelta(age)) for n, (b, name, age) in enumerate(pairs)])


@pytest.mark.parametrize("recipe", [VISITS, ORDERS])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=places_are_unique, shuffle=st.randoms(use_true_random=False))
def test_equals_the_plain_definition_in_any_order_of_rows(engine, recipe, rows, shuffle):
    wanted = expected(rows, recipe)
    found = neighbours(engine.session, rows, recipe)
    assert {pair: values[:3] for pair, values in found.items()} == wanted
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    again = neighbours(engine.session, shuffled + rows[:3], recipe)
    assert {pair: values[1:] for pair, values in again.items()} == {p: values[1:] for p, values in found.items()}


def test_scores_lie_between_0_and_1(engine):
    rows = [(n, n, product, place) for n in range(20) for place, product in enumerate("ab")]
    sure = Recipe(cap=9, reach=9, in_sequence=True, length_halves=0, damping=0.0)
    scores = {pair: values[0].expected for pair, values in neighbours(engine.session, rows, sure).items()}
    assert scores == pytest.approx({("a", "b"): 1.0, ("b", "a"): 0.75})
    assert max(scores.values()) <= 1.0


def test_a_pair_of_one_person_is_left_out_however_often(engine):
    rows = [(n, 1, product, 0) for n in range(9) for product in "ab"]
    assert neighbours(engine.session, rows, ORDERS) == {}


def test_a_pair_needs_as_many_people_as_the_recipe_says(engine):
    rows = [(n, n, product, 0) for n in range(3) for product in "ab"]
    assert neighbours(engine.session, rows, replace(ORDERS, min_people=4)) == {}
    assert set(neighbours(engine.session, rows, replace(ORDERS, min_people=3))) == {("a", "b"), ("b", "a")}


def test_unknown_people_count_for_the_score_but_not_as_people(engine):
    rows = [(n, None, product, 0) for n in range(5) for product in "ab"]
    assert neighbours(engine.session, rows, ORDERS) == {}
    known = [(n, n, product, 0) for n in (7, 8) for product in "ab"]
    assert neighbours(engine.session, rows + known, ORDERS)["a", "b"][1:3] == (7, 2)


def test_one_person_moves_a_pair_by_one_basket_at_most(engine):
    """A thousand baskets of one account weigh as one does."""
    others = [(n, n, product, 0) for n in range(2000, 2005) for product in "ab"]
    once = [(0, 1, product, 0) for product in "ac"] + [(1, 2, product, 0) for product in "ac"]
    often = [(n, 1, product, 0) for n in range(1000) for product in "ac"] + once[2:]
    found = [neighbours(engine.session, others + rows, PLAIN)["a", "c"] for rows in (once, often)]
    assert found[0][0] == found[1][0].expected
    assert [values[1] for values in found] == [2, 1001]


def test_a_large_basket_counts_with_its_first_products_only(engine):
    rows = [(1, 1, f"p{n:04}", n) for n in range(1000)] + [(2, 2, f"p{n:04}", n) for n in range(3)]
    items = engine.session.createDataFrame([(*row, DAY) for row in rows], SCHEMA)
    capped = co.collect_baskets(items, replace(VISITS, cap=5), as_of=DAY)
    assert sorted(row[0] for row in capped.select(F.size("_items")).collect()) == [3, 5]
    assert set(neighbours(engine.session, rows, VISITS)) <= {
        (f"p{a:04}", f"p{b:04}") for a in range(4) for b in range(4)
    }


def test_pairs_of_a_heavy_person_grow_with_their_rows_and_not_with_their_square(engine):
    """Ten times the clicks in one endless visit make no more pairs than the cap allows."""
    made = []
    for length in (200, 2000):
        items = engine.session.createDataFrame([(1, 1, f"p{n}", n, DAY) for n in range(length)], SCHEMA)
        baskets = co.collect_baskets(items, VISITS, as_of=DAY)
        made.append(co.pair_products(baskets, VISITS).count())
    assert made[0] == made[1] <= VISITS.cap * VISITS.reach


def test_a_basket_weighs_half_after_its_half_life(engine):
    ages = {0: 1_000_000, 1: 750_000, 2: 500_000, 3: 375_000, 4: 250_000, 10: 31_250}
    rows = [(age, age, "a", 0, DAY - timedelta(age)) for age in ages]
    items = engine.session.createDataFrame(rows, SCHEMA)
    baskets = co.collect_baskets(items, replace(VISITS, length_halves=0), as_of=DAY).collect()
    assert {row["_person"]: row["_weight"] for row in baskets} == ages
