"""A log in numbers, split into what was known and what came after."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError
from jobs.evaluation.logs import ITEM, SESSION, TIME, USER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

GAP_SECONDS: Final = 30 * 60
TEST_SHARE: Final = 0.1
TOP_N_SHARE: Final = 0.2
TASKS: Final = ("next-click", "next-basket", "top-n")


@dataclass(frozen=True)
class Log:
    """Events by basket and time: a basket is a session, an order or a person, as the task has it.

    Attributes:
        basket: number of the basket, in order of their last events.
        item: number of the item, in order of identifiers.
        time: seconds since 1970, 0 where the log has none.
        baskets: identifiers of the baskets.
        items: identifiers of the items.
    """

    basket: "np.ndarray[Any, Any]"
    item: "np.ndarray[Any, Any]"
    time: "np.ndarray[Any, Any]"
    baskets: "np.ndarray[Any, Any]"
    items: "np.ndarray[Any, Any]"


@dataclass(frozen=True)
class Dataset:
    """What is learnt from and what is asked about; items are numbered alike.

    Attributes:
        train: what was known.
        test: what came after, without items that are not in ``train``.
        unseen_items: items of the test that the training never saw.
        unseen_events: their events, left out of the test.
    """

    train: Log
    test: Log
    unseen_items: int = 0
    unseen_events: int = 0


def name_baskets(events: "pd.DataFrame", task: str) -> "pd.DataFrame":
    """The events with ``session`` as the task needs it.

    For ``top-n`` that is the person; for the others the session or order, and where the log has persons and times
    only, what they do without a break of half an hour.

    Raises:
        UsageError: the log lacks what the task needs.
    """
    if task == "top-n":
        whole = events.drop(columns=SESSION) if USER in events and SESSION in events else events
        return whole.rename(columns={USER: SESSION})
    if TIME not in events and task == "next-click":
        message = "next-click needs a column for times, to know what came next."
        raise UsageError(message)
    if SESSION in events:
        return events
    if TIME not in events:
        message = f"{task} needs a column for sessions or baskets, or persons with times."
        raise UsageError(message)
    ordered = events.sort_values([USER, TIME], kind="stable")
    is_first = (ordered[USER] != ordered[USER].shift()) | (ordered[TIME].diff() > GAP_SECONDS)
    return ordered.assign(**{SESSION: is_first.cumsum().astype("string")})


def split_by_time(events: "pd.DataFrame", task: str, *, first_test_day: date | None = None) -> tuple[Any, Any]:
    """Events before and after a moment; baskets stay whole, persons do not.

    Args:
        events: of :func:`name_baskets`.
        task: one of :data:`TASKS`.
        first_test_day: baskets that end on it or later (persons' events from it on) are the test; none takes the
            last tenth of the baskets, or the last fifth of persons' events.

    Raises:
        UsageError: there are no times, or one side has no events.
    """
    if TIME not in events:
        message = "Without a column for times the log cannot be split; give a file train and a file test."
        raise UsageError(message)
    if task == "top-n":
        moment, share = events[TIME], TOP_N_SHARE
        ends = moment
    else:
        moment, share = events.groupby(SESSION)[TIME].transform("max"), TEST_SHARE
        ends = events.groupby(SESSION)[TIME].max()
    if first_test_day:
        start = datetime(first_test_day.year, first_test_day.month, first_test_day.day, tzinfo=UTC).timestamp()
    else:
        start = float(ends.quantile(1 - share, interpolation="higher"))
    is_test = moment >= start
    if is_test.all() or not is_test.any():
        message = (
            f"Split at {datetime.fromtimestamp(start, UTC):%Y-%m-%d %H:%M}, one side has no events; choose another day."
        )
        raise UsageError(message)
    return events[~is_test], events[is_test]


def number_dataset(train: "pd.DataFrame", test: "pd.DataFrame") -> Dataset:
    """Both sides in numbers.

    Raises:
        UsageError: nothing is left to ask about, because the training knows none of the items.
    """
    import numpy as np

    items = np.unique(train[ITEM].to_numpy(dtype=str))
    texts = test[ITEM].to_numpy(dtype=str)
    is_seen = np.isin(texts, items)
    if not is_seen.any():
        message = f"None of the {len(np.unique(texts)):,} items of the test is in the training; nothing can be asked."
        raise UsageError(message)
    unseen = len(np.unique(texts[~is_seen]))
    return Dataset(number(train, items), number(test[is_seen], items), unseen, int((~is_seen).sum()))


def number(events: "pd.DataFrame", items: "np.ndarray[Any, Any]") -> Log:
    """Events in numbers; those of one time stay in the file's order."""
    import numpy as np

    times = events[TIME].to_numpy(dtype=float) if TIME in events else np.zeros(len(events))
    texts, codes = np.unique(events[SESSION].to_numpy(dtype=str), return_inverse=True)
    last = np.full(len(texts), -np.inf)
    np.maximum.at(last, codes, times)
    order_of_baskets = np.lexsort((np.arange(len(texts)), last))
    place = np.empty(len(texts), dtype=np.int64)
    place[order_of_baskets] = np.arange(len(texts))
    basket = place[codes]
    order = np.lexsort((np.arange(len(basket)), times, basket))
    item = np.searchsorted(items, events[ITEM].to_numpy(dtype=str))
    return Log(basket[order], item[order], times[order], texts[order_of_baskets], items)


def select_baskets(log: Log, wanted: "np.ndarray[Any, Any]") -> Log:
    """The events of some baskets, which keep their numbers."""
    return Log(log.basket[wanted], log.item[wanted], log.time[wanted], log.baskets, log.items)
