from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.marts.reach import reach_further

SCHEMA = "product_id string, other_product_id string, rank int, score double"


def further(session, pairs, **options):
    """(product, other) -> score; ``pairs`` has scores of seen pairs."""
    rows = [(a, b, place, score) for a, b, place, score in rank(pairs)]
    found = reach_further(session.createDataFrame(rows, SCHEMA), **options).collect()
    return {(row.product_id, row.other_product_id): row.score for row in found}


def rank(pairs):
    lists = defaultdict(list)
    for (a, b), score in pairs.items():
        lists[a].append((-score, b))
    for a, entries in lists.items():
        for place, (score, b) in enumerate(sorted(entries), 1):
            yield a, b, place, -score


def reach_by_hand(pairs, *, via, kept):
    near = [(a, b, score) for a, b, place, score in rank(pairs) if place <= via]
    totals = defaultdict(float)
    for a, _, score in near:
        totals[a] += score
    sums = defaultdict(float, pairs)
    for a, middle, score in near:
        for b, c, onward in near:
            if b == middle and c != a:
                sums[a, c] += score * onward / totals[middle]
    lists = defaultdict(list)
    for (a, b), score in sums.items():
        lists[a].append((-round(score, 9), b))
    return {(a, b): -score for a, entries in lists.items() for score, b in sorted(entries)[:kept]}


names = st.sampled_from("abcdef")
scores = st.sampled_from([0.1, 0.25, 0.4, 0.7])
seen = st.dictionaries(st.tuples(names, names).filter(lambda pair: pair[0] != pair[1]), scores, min_size=1)


@given(seen, st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equals_the_plain_definition(engine, pairs, via, kept):
    expected = reach_by_hand(pairs, via=via, kept=kept)
    found = further(engine.session, pairs, via=via, kept=kept)
    # Two candidates whose scores differ in the last digit only may change places at the end of a list.
    assert {pair: found.get(pair) for pair in expected} == pytest.approx(expected, abs=2e-9) or sorted(
        found.values()
    ) == pytest.approx(sorted(expected.values()), abs=2e-9)


def test_what_a_neighbour_leads_to_follows_by_its_share(engine):
    found = further(engine.session, {("a", "b"): 0.5, ("b", "c"): 0.3, ("b", "d"): 0.1})
    assert found["a", "c"] == pytest.approx(0.5 * 0.3 / 0.4)
    assert found["a", "d"] == pytest.approx(0.5 * 0.1 / 0.4)


def test_a_product_never_leads_back_to_itself(engine):
    assert ("a", "a") not in further(engine.session, {("a", "b"): 0.5, ("b", "a"): 0.5})
