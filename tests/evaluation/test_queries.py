import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from jobs.errors import UsageError
from jobs.evaluation.datasets import number_dataset
from jobs.evaluation.queries import MOST_KNOWN, ask, md5, measure


def dataset(train, test):
    """Rows of basket and item, in order of time."""
    frames = [
        pd.DataFrame([(s, i, float(n)) for n, (s, i) in enumerate(rows)], columns=["session", "item", "time"])
        for rows in (train, test)
    ]
    return number_dataset(*frames)


def spell(asked, items):
    """(known items by step, wanted items) of every question."""
    questions = []
    for row in range(len(asked)):
        known = asked.known[row]
        by_step = sorted(zip(known.data.tolist(), known.indices.tolist(), strict=True))
        wanted = asked.wanted[row].indices.tolist()
        questions.append(("".join(items[i] for _, i in by_step), "".join(sorted(items[i] for i in wanted))))
    return questions


def test_every_prefix_is_asked_for_the_next_item_the_newest_known_first():
    data = dataset([("t", name) for name in "abc"], [("s", name) for name in "abca"])
    asked = ask(data, "next-click")
    assert spell(asked, data.train.items) == [("a", "b"), ("ba", "c"), ("cba", "a")]
    assert asked.may_repeat


def test_a_repeated_item_is_known_once_at_its_latest_place():
    data = dataset([("t", name) for name in "abc"], [("s", name) for name in "abab"])
    assert spell(ask(data, "next-click"), data.train.items) == [("a", "b"), ("ba", "a"), ("ab", "b")]


def test_an_endless_session_is_asked_about_with_its_newest_items_only():
    names = [f"i{n:04}" for n in range(3000)]
    data = dataset([("t", name) for name in names], [("s", name) for name in names])
    asked = ask(data, "next-click")
    assert len(asked) == len(names) - 1
    assert asked.known.nnz < len(names) * MOST_KNOWN
    assert asked.known[-1].indices.tolist()[0] == len(names) - 2


def test_sessions_of_one_item_ask_nothing():
    data = dataset([("t", "a")], [("s", "a"), ("r", "a")])
    with pytest.raises(UsageError, match="asks nothing"):
        ask(data, "next-click")


def test_of_a_basket_the_item_of_the_smallest_digest_is_hidden():
    data = dataset([("t", name) for name in "abcd"], [("s", name) for name in "abcda"])
    asked = ask(data, "next-basket")
    hidden = min("abcd", key=lambda name: md5(f"s|{name}"))
    ((known, wanted),) = spell(asked, data.train.items)
    assert (set(known), wanted) == (set("abcd") - {hidden}, hidden)
    assert not asked.may_repeat


def test_the_digest_is_md5():
    assert md5("a").hex() == "0cc175b9c0f1b6a831c399e269772661"


def test_persons_are_asked_for_what_is_new_to_them():
    data = dataset(
        [("p", "a"), ("p", "b"), ("q", "c"), ("r", "d")],
        [("p", "a"), ("p", "c"), ("q", "c"), ("new", "a"), ("r", "a"), ("r", "b")],
    )
    assert sorted(spell(ask(data, "top-n"), data.train.items)) == [("ab", "c"), ("d", "ab")]


def test_questions_can_be_fewer():
    data = dataset([("t", name) for name in "abc"], [("s", name) for name in "abc" * 10])
    assert len(ask(data, "next-click", most=7)) == 7


def measure_by_hand(ranked, wanted, at):
    found = [place for place, item in enumerate(ranked[:at], 1) if item in wanted]
    gain = sum(1 / math.log2(place + 1) for place in found)
    best = sum(1 / math.log2(place + 1) for place in range(1, min(at, len(wanted)) + 1))
    return [float(bool(found)), 1 / found[0] if found else 0.0, len(found) / len(wanted), gain / best]


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 8), unique=True, max_size=6), st.sets(st.integers(0, 8), min_size=1)),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 6),
)
def test_measures_are_those_that_a_count_by_hand_gives(questions, at):
    lists = np.array([ranked + [-1] * (6 - len(ranked)) for ranked, _ in questions])
    rows = [(row, item) for row, (_, wanted) in enumerate(questions) for item in sorted(wanted)]
    places = tuple(zip(*rows, strict=True))
    wanted = sparse.csr_matrix((np.ones(len(rows)), places), shape=(len(questions), 9))
    by_hand = np.mean([measure_by_hand(ranked, items, at) for ranked, items in questions], axis=0)
    assert list(measure(lists, wanted, at=at).values()) == pytest.approx(by_hand.tolist())
    assert list(measure(lists, wanted, at=at)) == [f"{name}@{at}" for name in ("HitRate", "MRR", "Recall", "NDCG")]
