"""The field, each against a slow and plain version of itself."""

from collections import Counter, defaultdict
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.evaluation.field import AssociationRules, Implicit, Popularity
from jobs.evaluation.queries import ask
from jobs.evaluation.scores import LENGTH
from jobs.evaluation.sessions import SessionNeighbours
from tests.evaluation.test_queries import dataset, spell

sessions = st.lists(st.tuples(st.sampled_from("pqrst"), st.sampled_from("abcdef")), min_size=2, max_size=40)


def listed(method, data, asked):
    method.fit(data.train)
    return [[data.train.items[item] for item in row if item >= 0] for row in method.recommend(asked).tolist()]


def order(scores):
    return [name for name, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])) if score > 0][:LENGTH]


def group(rows):
    baskets = defaultdict(list)
    for basket, item in rows:
        baskets[basket].append(item)
    return baskets


@given(sessions)
@settings(max_examples=30, deadline=None)
def test_popularity_is_the_chart_of_baskets(rows):
    data = dataset(rows, [("s", rows[0][1]), ("s", rows[0][1])])
    counts = Counter(item for items in group(rows).values() for item in set(items))
    assert listed(Popularity(), data, ask(data, "next-click")) == [order(counts)]


@given(sessions)
@settings(max_examples=30, deadline=None)
def test_association_rules_count_pairs_of_events_with_the_newest_item(rows):
    data = dataset(rows, [("s", item) for item in "abcdef"] + [("s", rows[0][1])])
    if len(data.test.item) < 2:
        return
    counts = defaultdict(Counter)
    for items in group(rows).values():
        for one, other in combinations(items, 2):
            counts[one][other] += 1
            counts[other][one] += 1
    asked = ask(data, "next-click")
    expected = [order(counts[known[0]]) for known, _ in spell(asked, data.train.items)]
    assert listed(AssociationRules(), data, asked) == expected


def vote_by_hand(rows, known, *, nearest, sample):
    """V-SKNN in plain Python; ``known`` has the newest item first."""
    baskets = group(rows)
    newest_last = sorted(baskets, key=lambda basket: max(n for n, (b, _) in enumerate(rows) if b == basket))
    near = [(n, set(baskets[b])) for n, b in enumerate(newest_last) if set(baskets[b]) & set(known)][-sample:]
    length = len(known)
    weights = {item: ((length - step + 1) / length) ** 2 for step, item in enumerate(known, 1)}
    scored = [(sum(weights[item] for item in items & set(known)), n, items) for n, items in near]
    scores = Counter()
    for nearness, _, items in sorted(scored, key=lambda entry: (-entry[0], -entry[1]))[:nearest]:
        step = next(step for step, item in enumerate(known, 1) if item in items)
        for item in items:
            scores[item] += nearness / length / step**2
    return scores


@given(sessions, st.integers(1, 4), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_sessions_like_this_one_vote_as_a_count_by_hand_says(rows, nearest, sample):
    data = dataset(rows, [("s", item) for item in "abcdef"] + [("s", rows[0][1])])
    if len(data.test.item) < 2:
        return
    asked = ask(data, "next-click")
    found = listed(SessionNeighbours(nearest=nearest, sample=sample), data, asked)
    for (known, _), names in zip(spell(asked, data.train.items), found, strict=True):
        scores = vote_by_hand(rows, known, nearest=nearest, sample=sample)
        assert set(names) == set(scores)
        assert [scores[name] for name in names] == pytest.approx(sorted(scores.values(), reverse=True))


@pytest.mark.parametrize("model", ["cosine", "bm25", "als"])
@pytest.mark.parametrize("task", ["next-click", "next-basket"])
def test_models_of_the_library_find_what_always_comes_together(model, task):
    rows = [(f"b{n}", name) for n in range(30) for name in ("ab", "cd", "ef")[n % 3]]
    data = dataset(rows, [("s", "a"), ("s", "b"), ("t", "c"), ("t", "d")])
    asked = ask(data, task)
    parameters = {"factors": 4, "random_state": 1} if model == "als" else {"K": 10}
    partner = dict(zip("abcdef", "badcfe", strict=True))
    for (known, _), names in zip(
        spell(asked, data.train.items), listed(Implicit(model, model, **parameters), data, asked), strict=True
    ):
        new = [name for name in names if name != known[0]]
        assert new[0] == partner[known[0]]
        assert task == "next-click" or known[0] not in names


def test_known_items_are_no_answer_where_they_cannot_be_wanted():
    rows = [(f"b{n}", name) for n in range(5) for name in "abc"]
    data = dataset(rows, [("s", "a"), ("s", "b")])
    asked = ask(data, "next-basket")
    ((known, _),) = spell(asked, data.train.items)
    for method in (Popularity(), AssociationRules(), SessionNeighbours()):
        (names,) = listed(method, data, asked)
        assert sorted(names) == sorted(set("abc") - set(known))
