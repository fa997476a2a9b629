"""Our method is the production job: the same rows as its table, the same lists as its recommendations."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from jobs.evaluation.datasets import number_dataset
from jobs.evaluation.queries import ask
from jobs.evaluation.tables import Lists, OurTables, build_tables
from jobs.evaluation.tuning import hold_out, tune
from jobs.lake import Days
from jobs.marts import also_bought, also_viewed, recommended_for_you
from jobs.marts.recipes import BOUGHT, VIEWED
from tests.marts.tables import DAY, click, fill, line, name_of, subject

DAYS = Days.single(DAY)
RANDOM = np.random.default_rng(4)
VISITS = [
    (f"s{n}", f"p{item:02}", age)
    for n in range(60)
    for age, item in [(n % 12, int(x)) for x in RANDOM.zipf(1.5, 6) % 25]
]


@pytest.fixture(scope="module")
def data():
    """Visits of one person each, as a log: the first 55 to learn from, the others to ask about."""
    rows = []
    for n, (session, item, age) in enumerate(VISITS):
        day = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(age)
        rows.append((session, item, day.timestamp() + n))
    log = pd.DataFrame(rows, columns=["session", "item", "time"])
    is_test = log["session"].isin([f"s{n}" for n in range(55, 60)])
    return number_dataset(log[~is_test], log[is_test])


def learnt(position):
    return int(position[1:]) < 55


def scores_of(table, items):
    rows, columns = table.nonzero()
    return {(items[a], items[b]): table[a, b] for a, b in zip(rows, columns, strict=True)}


def test_visits_give_the_rows_of_also_viewed(lake, data):
    clicks = [
        click(name, item, n, day=DAY - timedelta(age), session=1)
        for n, (name, item, age) in enumerate(VISITS)
        if learnt(name)
    ]
    fill(lake, "lake.clicks", clicks)
    also_viewed.run(lake, DAYS)
    published = {(r.product_id, r.other_product_id): r.score for r in lake.read("marts.also_viewed").collect()}
    found = build_tables(lake.session, data.train, VIEWED, further=False).score
    assert published
    assert scores_of(found, data.train.items) == pytest.approx(published)


def test_orders_give_the_rows_of_also_bought(lake, data):
    # The job takes the first products of an order by a hash of its name, which matters for very long orders only.
    lines = [line(name, item, subject=name, day=DAY - timedelta(age)) for name, item, age in VISITS if learnt(name)]
    fill(lake, "lake.order_lines", lines)
    also_bought.run(lake, DAYS)
    rows = lake.read("marts.also_bought").collect()
    tables = build_tables(lake.session, data.train, BOUGHT, further=False)
    assert rows
    assert scores_of(tables.score, data.train.items) == pytest.approx(
        {(r.product_id, r.other_product_id): r.score for r in rows}
    )
    assert scores_of(tables.completion, data.train.items) == pytest.approx(
        {(r.product_id, r.other_product_id): r.completion for r in rows if r.completion}, abs=1e-8
    )


def test_lists_are_those_of_recommended_for_you(lake, data):
    clicks = [click(name, item, n, day=DAY, session=1) for n, (name, item, _) in enumerate(VISITS)]
    fill(lake, "lake.clicks", clicks)
    fill(lake, "lake.subjects", [subject(f"s{n}") for n in range(60)])
    fill(lake, "marts.also_bought", [])
    tables = OurTables(lake.session, VIEWED, Lists(further=True))
    tables.fit(data.train)
    rows, columns = tables.tables.score.nonzero()
    items = data.train.items
    also = [
        {"product_id": items[a], "other_product_id": items[b], "score": tables.tables.score[a, b], "as_of": DAY}
        for a, b in zip(rows, columns, strict=True)
    ]
    ranked = pd.DataFrame(also).sort_values(["product_id", "score", "other_product_id"], ascending=[True, False, True])
    ranked["rank"] = ranked.groupby("product_id").cumcount() + 1
    fill(lake, "marts.also_viewed", ranked.to_dict("records"))
    recommended_for_you.run(lake, DAYS)
    published = {}
    for row in lake.read("marts.recommended_for_you").where("reason = 'also_viewed'").orderBy("rank").collect():
        published.setdefault(name_of(row.subject_id), []).append(row.product_id)
    asked = ask_whole_sessions(data)
    for name, numbers in zip(data.test.baskets, tables.recommend(asked).tolist(), strict=True):
        assert [items[n] for n in numbers if n >= 0] == published[name]


def ask_whole_sessions(data):
    """What follows from whole sessions: the last known prefix and its answer put together."""
    from jobs.evaluation.queries import Queries, hold

    known = hold(data.test.basket, data.test.item, (len(data.test.baskets), len(data.train.items)))
    for row in range(known.shape[0]):
        items = data.test.item[data.test.basket == row].tolist()
        newest = list(dict.fromkeys(reversed(items)))
        for place in range(known.indptr[row], known.indptr[row + 1]):
            known.data[place] = newest.index(known.indices[place]) + 1
    return Queries(known, known, may_repeat=True, is_ordered=True)


def test_reminders_put_known_items_first_and_no_table_is_no_reason_to_forget_them(engine, data):
    asked = ask(data, "next-click")
    method = OurTables(engine.session, replace(VIEWED, min_people=99), Lists(reminders=2.5))
    method.fit(data.train)
    for row, numbers in enumerate(method.recommend(asked).tolist()):
        known = asked.known[row]
        newest = [item for _, item in sorted(zip(known.data, known.indices, strict=True))]
        assert [n for n in numbers if n >= 0] == newest[:5]


def test_parameters_are_chosen_without_a_look_at_the_test(engine, data):
    chosen = tune(engine.session, data.train, "next-click", replace(VIEWED, min_people=1), Lists())
    assert chosen == tune(engine.session, data.train, "next-click", replace(VIEWED, min_people=1), Lists())
    parts = hold_out(data.train, "next-click")
    assert set(parts.test.basket) & set(parts.train.basket) == set()
    assert set(parts.train.basket) | set(parts.test.basket) <= set(data.train.basket)
    assert max(parts.train.basket) < min(parts.test.basket)


def test_a_training_too_small_to_validate_keeps_the_defaults(engine):
    log = pd.DataFrame([("1", "a", 0.0), ("1", "b", 1.0)], columns=["session", "item", "time"])
    small = number_dataset(log, log)
    assert tune(engine.session, small.train, "next-click", VIEWED, Lists(further=True)) == (VIEWED, Lists(further=True))


def test_events_of_one_moment_keep_their_order(engine):
    rows = [(f"s{n}", item, 7.0) for n in range(3) for item in "zab"]
    log = number_dataset(*[pd.DataFrame(rows, columns=["session", "item", "time"])] * 2)
    table = build_tables(engine.session, log.train, VIEWED, further=False).score
    places = {name: n for n, name in enumerate(log.train.items)}
    assert table[places["z"], places["a"]] > table[places["z"], places["b"]]
    assert table[places["z"], places["a"]] > table[places["a"], places["z"]]
