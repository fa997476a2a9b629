from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.lake import Days
from jobs.lake import columns as C
from jobs.marts import interactions, recently_viewed, recommended_for_you, votes
from jobs.marts.reach import KEPT, VIA
from jobs.marts.slices import cut_buckets, number_slice
from jobs.privacy.pseudonyms import BUCKETS
from tests.marts.tables import DAY, click, fill, line, name_of, order, pseudonym, subject
from tests.marts.test_reach import reach_by_hand

DAYS = Days.single(DAY)


def neighbour(product_id, other, score):
    return {"product_id": product_id, "other_product_id": other, "rank": 1, "score": score, "as_of": DAY}


@pytest.fixture
def recommend(lake):
    """Build the table and return person -> [(product, reason)] in order of rank."""

    def build(clicks=(), lines=(), subjects=(), bought=(), viewed=()):
        fill(lake, "lake.clicks", list(clicks))
        fill(lake, "lake.order_lines", list(lines))
        fill(lake, "lake.orders", [order(row["order_id"], day=row["day"]) for row in lines])
        fill(lake, "lake.subjects", list(subjects))
        fill(lake, "marts.also_bought", list(bought))
        fill(lake, "marts.also_viewed", list(viewed))
        recommended_for_you.run(lake, DAYS)
        lists = {}
        for row in sorted(lake.read("marts.recommended_for_you").collect(), key=lambda row: row["rank"]):
            lists.setdefault(name_of(row.subject_id), []).append((row.product_id, row.reason))
            assert row["rank"] == len(lists[name_of(row.subject_id)])
            assert 0 <= row.subject_bucket < BUCKETS
            assert row.as_of == DAY
        return lists

    return build


def test_later_and_stronger_actions_weigh_more(recommend):
    viewed = [neighbour("a", "x", 0.5), neighbour("b", "y", 0.5), neighbour("c", "z", 0.5)]
    clicks = [click("s1", "a", 3), click("s1", "b", 2), click("s1", "c", 1)]
    assert recommend(clicks, viewed=viewed)["s1"] == [(name, "also_viewed") for name in "xyz"]
    clicks[2] = click("s1", "c", 1, action="buy")
    assert recommend(clicks, viewed=viewed)["s1"][1] == ("z", "also_viewed")


def test_scores_of_both_tables_add_up_and_the_larger_share_is_the_reason(recommend):
    bought = [neighbour("a", "x", 0.3), neighbour("a", "z", 0.4)]
    viewed = [neighbour("a", "x", 0.2), neighbour("a", "y", 0.45)]
    lists = recommend([click("s1", "a")], bought=bought, viewed=viewed)
    assert lists["s1"] == [("x", "also_bought"), ("y", "also_viewed"), ("z", "also_bought")]


def test_bought_products_are_never_recommended(recommend):
    old = DAY - timedelta(300)
    lists = recommend(
        [click("s1", "a"), click("s1", "y", 1, action="buy"), click("s2", "x")],
        [line("o1", "x", subject="s1", day=old)],
        [subject("s1")],
        viewed=[neighbour("a", "x", 0.9), neighbour("a", "y", 0.9), neighbour("a", "z", 0.1)],
    )
    assert lists["s1"] == [("z", "also_viewed"), ("a", "popular")]


def test_popular_products_fill_up_lists_of_accounts(recommend):
    clicks = [click(f"v{n}", "hit") for n in range(3)] + [click("v1", "b")]
    lists = recommend(
        [*clicks, click("s1", "a")], (), [subject("s1"), subject("s2")], viewed=[neighbour("a", "x", 0.1)]
    )
    assert lists["s1"] == [("x", "also_viewed"), ("hit", "popular"), ("a", "popular"), ("b", "popular")]
    assert lists["s2"] == [("hit", "popular"), ("a", "popular"), ("b", "popular")]
    assert set(lists) == {"s1", "s2"}


def test_people_who_opted_out_get_the_plain_popular_list(recommend):
    lists = recommend(
        [click("s1", "a"), click("s2", "b"), click("s3", "b")],
        [line("o1", "b", subject="s1")],
        [subject("s1", personalisation_opt_out=True)],
        viewed=[neighbour("a", "x", 0.9)],
    )
    assert lists == {"s1": [("b", "popular"), ("a", "popular")]}


def test_closed_accounts_get_nothing(recommend):
    closed = [subject("s1", closed_on=DAY), subject("s2", closed_on=DAY, personalisation_opt_out=True)]
    assert recommend([click("s1", "a"), click("s2", "a")], (), closed, viewed=[neighbour("a", "x", 0.9)]) == {}


def test_guests_get_a_list_only_from_what_they_looked_at(recommend):
    lists = recommend([click("guest", "a"), click("other", "q")], viewed=[neighbour("a", "x", 0.9)])
    assert lists == {"guest": [("x", "also_viewed")]}


def test_flagged_and_old_clicks_do_not_count(recommend):
    clicks = [
        click("s1", "a", flag="bot"),
        click("s1", "a", day=DAY - timedelta(90)),
        click("s1", "a", action="search"),
    ]
    assert recommend(clicks, viewed=[neighbour("a", "x", 0.9)]) == {}


def test_lists_are_capped_and_steps_too(recommend):
    clicks = [click("s1", f"p{n:02}", n) for n in range(12)]
    viewed = [neighbour("p11", f"x{n:02}", 0.5) for n in range(30)] + [neighbour("p00", "never", 1.0)]
    lists = recommend(clicks, (), [subject("s1")], viewed=viewed)
    assert lists["s1"] == [(f"x{n:02}", "also_viewed") for n in range(votes.TOP)]


def list_by_hand(clicks, lines, kinds, bought, viewed):
    """The lists in plain Python: person -> [(product, reason)]."""
    looked, weights, owned, fans = {}, {}, {(person, product) for person, product in lines}, {}
    for minute, (person, product, action) in enumerate(clicks):
        looked.setdefault(person, {})[product] = minute
        key = person, product
        weights[key] = max(weights.get(key, 0.0), interactions.ACTION_WEIGHTS[action])
        fans.setdefault(product, set()).add(person)
        owned |= {key} if action == "buy" else set()
    pool = sorted(fans, key=lambda product: (-len(fans[product]), product))
    lists = {}
    for person, kind in kinds.items():
        latest = sorted(looked.get(person, {}), key=lambda product: -looked[person][product])
        sums = {}
        for step, product in enumerate(latest[: interactions.STEPS], 1):
            for table, neighbours in enumerate((bought, reach_by_hand(viewed, via=VIA, kept=KEPT))):
                for (_, other), score in (pair for pair in neighbours.items() if pair[0][0] == product):
                    sums.setdefault(other, [0.0, 0.0])[table] += (
                        weights[person, product] / step**interactions.STEP_POWER * score
                    )
        shares = {other: [round(share, 9) for share in pair] for other, pair in sums.items()}
        offered = {} if kind == "guest" else {product: place for place, product in enumerate(pool)}
        best_first = sorted(shares, key=lambda o: (-sum(shares[o]), offered.get(o, len(pool)), o))
        new = [other for other in best_first if (person, other) not in owned]
        own = [(o, "also_bought" if shares[o][0] >= shares[o][1] else "also_viewed") for o in new]
        rest = [(o, "popular") for o in pool if o not in new and (person, o) not in owned]
        lists[person] = {
            "guest": own,
            "willing": own + rest,
            "opted out": [(o, "popular") for o in pool],
            "closed": [],
        }[kind][: votes.TOP]
    return {person: products for person, products in lists.items() if products}


names, products = st.sampled_from(["s1", "s2", "s3", "s4"]), st.sampled_from("abcdefgh")
pairs = st.dictionaries(st.tuples(products, products).filter(lambda p: p[0] != p[1]), st.sampled_from([0.1, 0.2, 0.7]))


@given(
    clicks=st.lists(st.tuples(names, products, st.sampled_from(["view", "cart", "buy"])), min_size=1, max_size=25),
    lines=st.lists(st.tuples(names, products), max_size=4),
    kinds=st.fixed_dictionaries(
        {f"s{n}": st.sampled_from(["guest", "willing", "willing", "opted out", "closed"]) for n in range(1, 5)}
    ),
    bought=pairs,
    viewed=pairs,
)
@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_lists_are_those_that_a_count_by_hand_gives(recommend, clicks, lines, kinds, bought, viewed):
    accounts = {
        name: {"personalisation_opt_out": kind == "opted out", "closed_on": DAY if kind == "closed" else None}
        for name, kind in kinds.items()
        if kind != "guest"
    }
    old = DAY - timedelta(recommended_for_you.WINDOW_DAYS)
    lists = recommend(
        [click(name, product, minute, action=action) for minute, (name, product, action) in enumerate(clicks)],
        [line(f"o{n}", product, subject=name, day=old) for n, (name, product) in enumerate(lines)],
        [subject(name, **account) for name, account in accounts.items()],
        bought=[neighbour(*pair, score) for pair, score in bought.items()],
        viewed=[neighbour(*pair, score) for pair, score in viewed.items()],
    )
    assert lists == list_by_hand(clicks, lines, kinds, bought, viewed)


def test_people_of_one_bucket_have_numbers_of_their_own(lake):
    people = [pseudonym(f"s{n}") for n in range(2 * BUCKETS)]
    recent, accounts = (
        lake.session.createDataFrame([(name,) for name in part], f"{C.SUBJECT_ID} string")
        for part in (people[:300] + people[:9], people[200:])
    )
    numbered = votes.number_people(recent, accounts).collect()
    assert len({row["_person"] for row in numbered}) == len(numbered) == len(people)
    assert {row[C.SUBJECT_ID] for row in numbered if row["_has_account"]} == set(people[200:])
    assert all(row["_person"] >> votes.PEOPLE_BITS in range(BUCKETS) for row in numbered)


def test_slices_hold_every_bucket_once():
    for rows in (0, 1, 400_000, 400_001, 5_000_000, 10**12):
        slices = cut_buckets(rows, per_slice=400_000)
        assert [bucket for part in slices for bucket in part] == list(range(BUCKETS))
    assert len(cut_buckets(4_000_000, per_slice=400_000)) == 10


@pytest.mark.parametrize("rows", [1, 2, 3, 30, 100, 255, 256, 1000])
def test_a_bucket_knows_its_slice(engine, rows):
    slices = cut_buckets(rows, per_slice=1)
    number = number_slice(F.col("id"), len(slices)).alias("number")
    for row in engine.session.range(BUCKETS).select("id", number).collect():
        assert row["id"] in slices[row["number"]]


def test_lists_made_in_slices_are_those_made_at_once(recommend, monkeypatch):
    clicks = [click(f"s{n % 17}", f"p{n * n % 11}", n, action=("view", "cart", "buy")[n % 3]) for n in range(90)]
    viewed = [neighbour(f"p{a}", f"p{b}", 1 / (2 + a + b)) for a in range(11) for b in range(11) if a != b]
    people = [subject(f"s{n}", personalisation_opt_out=n % 5 == 0) for n in range(20)]
    at_once = recommend(clicks, (), people, viewed=viewed)
    monkeypatch.setattr(recommended_for_you, "SLICE_ROWS", 13)
    monkeypatch.setattr(recommended_for_you, "SLICE_EVENTS", 25)
    assert recommend(clicks, (), people, viewed=viewed) == at_once
    assert set(at_once) == {f"s{n}" for n in range(20)}


def test_what_people_keep_buying_is_recommended_again(recommend):
    """Five of six buyers bought the tea on two days; the lamp was bought by six, once each."""
    lines = [line(f"t{n}{m}", "tea", subject=f"s{n}", day=DAY - timedelta(m)) for n in range(5) for m in (1, 9)]
    lines += [line("t5", "tea", subject="s5"), *(line(f"l{n}", "lamp", subject=f"s{n}") for n in range(6))]
    viewed = [neighbour("a", "tea", 0.9), neighbour("a", "lamp", 0.8), neighbour("a", "x", 0.1)]
    lists = recommend([click("s5", "a")], lines, [subject("s5")], viewed=viewed)
    assert [name for name, reason in lists["s5"] if reason == "also_viewed"] == ["tea", "x"]


def test_nobody_is_an_empty_table_and_a_warning(lake):
    report = recommended_for_you.run(lake, DAYS)
    assert report.rows_out == 0
    assert report.warnings
    assert "is empty" in recently_viewed.run(lake, DAYS).warnings[0]


def test_recently_viewed_keeps_the_latest_distinct_products(lake):
    clicks = [click("s1", f"p{n:02}", n) for n in range(25)] + [
        click("s1", "p00", 99),
        click("s1", "q", 100, flag="bot"),
    ]
    fill(
        lake, "lake.clicks", [*clicks, click("s1", "r", 101, action="cart"), click("s1", "t", day=DAY - timedelta(30))]
    )
    recently_viewed.run(lake, DAYS)
    rows = sorted(lake.read("marts.recently_viewed").collect(), key=lambda row: row["rank"])
    assert [row.product_id for row in rows] == ["p00", *(f"p{n:02}" for n in range(24, 5, -1))]


def test_recently_viewed_in_slices_is_the_table_made_at_once(lake, monkeypatch):
    fill(lake, "lake.clicks", [click(f"s{n % 17}", f"p{n * n % 11}", n) for n in range(90)])
    recently_viewed.run(lake, DAYS)
    at_once = sorted(lake.read("marts.recently_viewed").collect())
    monkeypatch.setattr(recently_viewed, "SLICE_CLICKS", 7)
    recently_viewed.run(lake, DAYS)
    assert sorted(lake.read("marts.recently_viewed").collect()) == at_once
    assert len({row.subject_id for row in at_once}) == 17


def test_recently_viewed_leaves_out_opted_out_and_closed_people(lake):
    fill(lake, "lake.clicks", [click(name, "a") for name in ("s1", "s2", "s3", "guest")])
    fill(
        lake,
        "lake.subjects",
        [subject("s1"), subject("s2", personalisation_opt_out=True), subject("s3", closed_on=DAY)],
    )
    recently_viewed.run(lake, DAYS)
    assert {name_of(row.subject_id) for row in lake.read("marts.recently_viewed").collect()} == {"s1", "guest"}
