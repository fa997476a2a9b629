import numpy as np
import pytest

from jobs.marts import cooccurrence as co
from jobs.marts.completion import COMPLETION, weigh_completions
from tests.marts.test_cooccurrence import DAY, PLAIN, SCHEMA


def complete(session, orders, *, regularisation):
    """(product, other) -> weight, computed by the engine."""
    rows = [(n, n, product, place, DAY) for n, order in enumerate(orders) for place, product in enumerate(order)]
    items = session.createDataFrame(rows, SCHEMA)
    baskets = co.collect_baskets(items, PLAIN, as_of=DAY)
    pairs, weights = co.pair_products(baskets, PLAIN), co.weigh_products(baskets)
    names = {
        row["_item"]: row["product_id"]
        for row in items.selectExpr("product_id", "xxhash64(product_id) AS _item").collect()
    }
    found = weigh_completions(pairs, weights, regularisation=regularisation).collect()
    return {(names[row[co.A]], names[row[co.B]]): row[COMPLETION] for row in found}


def regress(orders, *, regularisation):
    """The same by least squares, one product after the other, which is what the closed form solves."""
    products = sorted(set("".join(orders)))
    held = np.array([[product in order for product in products] for order in orders], float)
    ridge = regularisation * held.sum() / len(products)
    weights = {}
    for number, product in enumerate(products):
        others = np.delete(held, number, axis=1)
        gram = others.T @ others + ridge * np.eye(others.shape[1])
        solved = np.linalg.solve(gram, others.T @ held[:, number])
        names = [name for name in products if name != product]
        weights |= {(name, product): w for name, w in zip(names, solved, strict=True) if w > 1e-9}
    return weights


@pytest.mark.parametrize("regularisation", [0.1, 0.5])
def test_weights_are_those_of_a_ridge_regression_of_each_product_on_the_others(engine, regularisation):
    orders = ["abc", "abc", "ab", "bd", "cd", "acd", "e", "de", "be"]
    found = complete(engine.session, orders, regularisation=regularisation)
    assert found == pytest.approx(regress(orders, regularisation=regularisation), abs=1e-8)


def test_what_one_product_says_already_is_not_said_again_by_its_companion(engine):
    """Products a and b come together; c comes with both, and once with a alone."""
    found = complete(engine.session, ["abc"] * 8 + ["ac"] * 4 + ["b", "d"] * 4, regularisation=0.1)
    assert found["a", "c"] > 4 * found.get(("b", "c"), 0.0)


def test_an_order_of_one_product_completes_nothing(engine):
    assert complete(engine.session, ["a", "b", "b"], regularisation=0.5) == {}
