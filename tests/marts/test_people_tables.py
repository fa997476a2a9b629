from datetime import timedelta

import pytest

from jobs.lake import Days
from jobs.marts import recently_viewed, recommended_for_you
from jobs.privacy.pseudonyms import BUCKETS
from tests.marts.tables import DAY, click, fill, line, name_of, order, subject

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
    assert lists["s1"] == [(f"x{n:02}", "also_viewed") for n in range(recommended_for_you.TOP)]


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


def test_recently_viewed_leaves_out_opted_out_and_closed_people(lake):
    fill(lake, "lake.clicks", [click(name, "a") for name in ("s1", "s2", "s3", "guest")])
    fill(
        lake,
        "lake.subjects",
        [subject("s1"), subject("s2", personalisation_opt_out=True), subject("s3", closed_on=DAY)],
    )
    recently_viewed.run(lake, DAYS)
    assert {name_of(row.subject_id) for row in lake.read("marts.recently_viewed").collect()} == {"s1", "guest"}
