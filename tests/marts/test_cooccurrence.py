from collections import defaultdict
from itertools import combinations
from math import sqrt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.marts import cooccurrence as co

VISITS = co.Recipe(cap=4, reach=2, in_sequence=True, own_quarters=3, other_quarters=1, damping=1.0)
ORDERS = co.Recipe(cap=50, reach=50, in_sequence=False, damping=0.1)
SCHEMA = "_basket bigint, _person bigint, product_id string, _place bigint"


def neighbours(session, rows, recipe):
    """(product, other) -> (score, baskets, people, rank)."""
    found = session.createDataFrame(rows, SCHEMA).transform(co.rank_neighbours, recipe).collect()
    return {
        (r.product_id, r.other_product_id): (pytest.approx(r.score), r["_baskets"], r["_people"], r["rank"])
        for r in found
    }


def list_baskets(rows, cap):
    """(person, products in order of their first place) per basket."""
    places = defaultdict(dict)
    for basket, person, product, place in rows:
        known = places[basket, person]
        known[product] = min(place, known.get(product, place))
    return [(person, sorted(known, key=known.__getitem__)[:cap]) for (_, person), known in places.items()]


def weigh_pairs(items, recipe):
    """(product, other) -> weight in one basket, in both directions."""
    weights = {}
    for (p, a), (q, b) in combinations(enumerate(items), 2):
        if q - p <= recipe.reach:
            weights[a, b] = co.SCALE // ((q - p) if recipe.in_sequence else len(items))
            weights[b, a] = co.SCALE * 3 // 4 // (q - p) if recipe.in_sequence else weights[a, b]
    return weights


def expected(rows, recipe):
    """The same in plain Python, by going through every basket's pairs."""
    weight, pairs, baskets, people = defaultdict(int), defaultdict(int), defaultdict(int), defaultdict(set)
    for person, items in list_baskets(rows, recipe.cap):
        for product in items:
            weight[product] += co.SCALE if recipe.in_sequence else co.SCALE // len(items)
        for pair, value in weigh_pairs(items, recipe).items():
            pairs[pair] += value
            baskets[pair] += 1
            people[pair] |= {person} - {None}
    scores = {}
    for a, b in (pair for pair in pairs if len(people[pair]) >= co.MIN_PEOPLE):
        own, other = (weight[product] / co.SCALE + recipe.damping for product in (a, b))
        popularity = own ** (recipe.own_quarters / 4) * other ** (recipe.other_quarters / 4)
        scores[a, b] = (pairs[a, b] / co.SCALE / popularity, baskets[a, b], len(people[a, b]))
    return scores


places_are_unique = st.lists(st.tuples(st.integers(1, 5), st.sampled_from("abcdef")), min_size=1, max_size=40).map(
    lambda pairs: [(basket, basket % 3 or None, product, n) for n, (basket, product) in enumerate(pairs)]
)


@pytest.mark.parametrize("recipe", [VISITS, ORDERS])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    sure = co.Recipe(cap=9, reach=9, in_sequence=True)
    scores = {pair: values[0].expected for pair, values in neighbours(engine.session, rows, sure).items()}
    assert scores == pytest.approx({("a", "b"): 1.0, ("b", "a"): 0.75})
    assert max(scores.values()) <= 1.0


def test_a_pair_of_one_person_is_left_out_however_often(engine):
    rows = [(n, 1, product, 0) for n in range(9) for product in "ab"]
    assert neighbours(engine.session, rows, ORDERS) == {}


def test_unknown_people_count_for_the_score_but_not_as_people(engine):
    rows = [(n, None, product, 0) for n in range(5) for product in "ab"]
    assert neighbours(engine.session, rows, ORDERS) == {}
    known = [(n, n, product, 0) for n in (7, 8) for product in "ab"]
    assert neighbours(engine.session, rows + known, ORDERS)["a", "b"][1:3] == (7, 2)


def test_a_large_basket_counts_with_its_first_products_only(engine):
    rows = [(1, 1, f"p{n:04}", n) for n in range(1000)] + [(2, 2, f"p{n:04}", n) for n in range(3)]
    capped = engine.session.createDataFrame(rows, SCHEMA).transform(co.collect_baskets, cap=5)
    assert sorted(row[0] for row in capped.select(F.size("_items")).collect()) == [3, 5]
    assert set(neighbours(engine.session, rows, VISITS)) <= {
        (f"p{a:04}", f"p{b:04}") for a in range(4) for b in range(4)
    }


def test_at_most_the_top_neighbours_are_kept_ties_by_product(engine):
    rows = [(n * 1000 + m, n, product, 0) for n in (1, 2) for m in range(60) for product in ("a", f"n{m:02}")]
    found = neighbours(engine.session, rows, ORDERS)
    ranked = sorted((values[3], other) for (product, other), values in found.items() if product == "a")
    assert ranked == [(n + 1, f"n{n:02}") for n in range(co.TOP)]


def test_popularity_is_damped(engine):
    pairs = [(n, n, product, 0) for n in (1, 2, 3) for product in ("a", "b", "hit")]
    hits = [(n, n, "hit", 0) for n in range(10, 60)]
    found = neighbours(engine.session, pairs + hits, ORDERS)
    assert found["a", "b"][3] == 1
    assert sqrt(found["a", "hit"][0].expected) < sqrt(found["a", "b"][0].expected)
