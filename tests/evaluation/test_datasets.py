from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import UsageError
from jobs.evaluation.datasets import name_baskets, number_dataset, split_by_time

DAY = 86_400


def events(rows, columns=("session", "item", "time")):
    return pd.DataFrame(rows, columns=list(columns))


logs = st.lists(
    st.tuples(st.sampled_from("pqrstuvw"), st.sampled_from("abcdef"), st.integers(0, 20)), min_size=2, max_size=60
).map(lambda rows: events([(s, i, float(t)) for s, i, t in rows]))


@given(logs)
def test_a_split_keeps_baskets_whole_and_the_future_out_of_the_training(log):
    ends = log.groupby("session")["time"].max()
    if ends.nunique() < 2:
        with pytest.raises(UsageError, match="one side has no events"):
            split_by_time(log, "next-click")
        return
    try:
        train, test = split_by_time(log, "next-click")
    except UsageError:
        assert ends.quantile(0.9, interpolation="higher") == ends.min()
        return
    assert not set(train["session"]) & set(test["session"])
    assert train.groupby("session")["time"].max().max() < test.groupby("session")["time"].max().min()
    assert len(train) + len(test) == len(log)


def test_persons_are_split_at_one_moment_for_all():
    log = events([("p", "a", 1.0), ("p", "b", 9.0), ("q", "a", 2.0), ("q", "c", 3.0), ("q", "d", 10.0)])
    train, test = split_by_time(log, "top-n")
    assert train["time"].max() < test["time"].min()
    assert set(test["item"]) == {"d"} | ({"b"} & set(test["item"]))


def test_the_first_day_of_the_test_can_be_chosen():
    log = events([("1", "a", 0.0), ("2", "a", DAY - 1.0), ("3", "a", float(DAY)), ("4", "a", 5.0 * DAY)])
    train, test = split_by_time(log, "next-basket", first_test_day=date(1970, 1, 2))
    assert (set(train["session"]), set(test["session"])) == ({"1", "2"}, {"3", "4"})
    with pytest.raises(UsageError, match="choose another day"):
        split_by_time(log, "next-basket", first_test_day=date(1980, 1, 1))


def test_without_times_nothing_can_be_split():
    with pytest.raises(UsageError, match="give a file train and a file test"):
        split_by_time(events([("1", "a")], ("session", "item")), "next-basket")


def test_persons_without_sessions_are_cut_at_breaks_of_half_an_hour():
    log = events([("p", "a", 0.0), ("q", "x", 5.0), ("p", "b", 1799.0), ("p", "c", 3600.0)], ("user", "item", "time"))
    named = name_baskets(log, "next-click")
    cut = [set(rows["item"]) for _, rows in named.groupby("session")]
    assert sorted(map(sorted, cut)) == [["a", "b"], ["c"], ["x"]]


@pytest.mark.parametrize("task", ["next-click", "next-basket"])
def test_a_log_that_lacks_what_the_task_needs_is_told(task):
    with pytest.raises(UsageError, match="needs a column"):
        name_baskets(events([("p", "a")], ("user", "item")), task)


def test_top_n_is_about_persons_where_there_are_sessions_too():
    log = events([("1", "p", "a", 0.0), ("2", "p", "b", 1.0)], ("session", "user", "item", "time"))
    assert name_baskets(log, "top-n")["session"].tolist() == ["p", "p"]


def test_unseen_items_of_the_test_are_left_out_and_counted():
    train = events([("1", "a", 0.0), ("1", "b", 1.0)])
    test = events([("2", "a", 2.0), ("2", "new", 3.0), ("3", "new", 4.0), ("3", "newer", 5.0)])
    dataset = number_dataset(train, test)
    assert (dataset.unseen_items, dataset.unseen_events) == (2, 3)
    assert dataset.test.item.tolist() == [0]
    with pytest.raises(UsageError, match=r"None of the 2 items of the test is in the training"):
        number_dataset(train, test[2:])


def test_baskets_are_numbered_by_their_last_event_and_events_by_time():
    log = events([("x", "b", 5.0), ("y", "a", 1.0), ("x", "a", 5.0), ("y", "c", 0.0)])
    numbered = number_dataset(log, log).train
    assert numbered.baskets.tolist() == ["y", "x"]
    assert numbered.basket.tolist() == [0, 0, 1, 1]
    assert [numbered.items[item] for item in numbered.item] == ["c", "a", "b", "a"]
