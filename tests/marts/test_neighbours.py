from dataclasses import replace
from math import sqrt

from jobs.marts.recipes import Recipe
from tests.marts.test_cooccurrence import ORDERS, VISITS, neighbours


def test_at_most_the_top_neighbours_are_kept_ties_by_product(engine):
    rows = [(n * 1000 + m, n, product, 0) for n in (1, 2) for m in range(60) for product in ("a", f"n{m:02}")]
    found = neighbours(engine.session, rows, ORDERS)
    ranked = sorted((values[3], other) for (product, other), values in found.items() if product == "a")
    assert ranked == [(n + 1, f"n{n:02}") for n in range(ORDERS.top)]


def test_a_product_is_in_no_more_lists_than_the_recipe_allows(engine):
    rows = [(n * 1000 + m, n, product, 0) for n in (1, 2) for m in range(9) for product in ("hit", f"n{m}")]
    rows += [(n * 1000 + 99, n, product, 0) for n in (1, 2) for product in ("hit", "n3", "n4")]
    found = neighbours(engine.session, rows, replace(ORDERS, per_other=2))
    assert {product for product, other in found if other == "hit"} == {"n3", "n4"}
    assert {other for product, other in found if product == "hit"} == {f"n{m}" for m in range(9)}


def test_popularity_is_damped(engine):
    pairs = [(n, n, product, 0) for n in (1, 2, 3) for product in ("a", "b", "hit")]
    hits = [(n, n, "hit", 0) for n in range(10, 60)]
    found = neighbours(engine.session, pairs + hits, ORDERS)
    assert found["a", "b"][3] == 1
    assert sqrt(found["a", "hit"][0].expected) < sqrt(found["a", "b"][0].expected)


def test_pairs_seen_by_few_are_damped(engine):
    few = [(n, n, product, 0) for n in (1, 2) for product in ("a", "rare")]
    many = [(n, n, product, 0) for n in range(10, 30) for product in ("a", "common")]
    recipe = replace(ORDERS, own_quarters=0, other_quarters=4, length_halves=0)
    plain = neighbours(engine.session, few + many, replace(recipe, damping=0.0))
    damped = neighbours(engine.session, few + many, replace(recipe, damping=5.0))
    assert plain["a", "rare"][0] == plain["a", "common"][0].expected
    assert damped["a", "common"][3] == 1


def test_pairs_stay_within_their_category_where_configured(engine):
    rows = [(n, n, product, place) for n in (1, 2) for place, product in enumerate(["tea", "pot", "sock", "odd"])]
    kinds = [("tea", "Kitchen"), ("pot", "Kitchen"), ("sock", "Clothes"), ("odd", None)]
    found = neighbours(engine.session, rows, replace(VISITS, reach=9, within="category"), categories=kinds)
    assert set(found) == {("tea", "pot"), ("pot", "tea")}


def test_what_comes_after_counts_more_than_what_comes_before(engine):
    rows = [(n, n, product, place) for n in (1, 2) for place, product in enumerate("abc")]
    recipe = Recipe(cap=9, reach=9, in_sequence=True, length_halves=0)
    found = neighbours(engine.session, rows, recipe)
    assert [found["a", other][3] for other in "bc"] == [1, 2]
    assert found["b", "c"][3] == 1
    assert found["b", "c"][0].expected * 0.75 == found["b", "a"][0]
