"""Our parameters chosen on a validation split of the training; the test is never looked at.

What needs a new table is tried one change at a time from the defaults; how lists follow from a table is tried in full
for each, because that costs nothing. A change must be worth it on the validation to be taken.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from jobs.evaluation.datasets import Dataset, Log, select_baskets
from jobs.evaluation.queries import Queries, ask, measure
from jobs.evaluation.scores import recommend_sparse
from jobs.evaluation.tables import Lists, build_tables, choose_table, score
from jobs.marts.recipes import Recipe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

QUESTIONS: Final = 4_000
VALIDATION_SHARE: Final = 0.1
WORTH: Final = 1.005
CHANGES: Final[dict[str, list[dict[str, Any]]]] = {
    "next-click": [
        {"half_life_days": 0},
        {"half_life_days": 4},
        {"own_quarters": 2, "other_quarters": 1},
        {"own_quarters": 2, "other_quarters": 2},
        {"length_halves": 0},
    ],
    "next-basket": [
        {"half_life_days": 0},
        {"half_life_days": 60},
        {"own_quarters": 2, "other_quarters": 2},
        {"length_halves": 1},
        {"regularisation": 0.2},
        {"regularisation": 2.0},
    ],
    "top-n": [
        {"half_life_days": 0},
        {"own_quarters": 2, "other_quarters": 1},
        {"own_quarters": 3, "other_quarters": 1},
        {"length_halves": 0},
        {"length_halves": 2},
        {"regularisation": 0.2},
        {"regularisation": 2.0},
        {"regularisation": 8.0},
    ],
}
MEASURES: Final = {
    "next-click": (20, ("HitRate@20", "MRR@20")),
    "next-basket": (10, ("HitRate@10",)),
    "top-n": (20, ("Recall@20", "NDCG@20")),
}


def tune(session: "SparkSession", train: Log, task: str, recipe: Recipe, lists: Lists) -> tuple[Recipe, Lists]:
    """The recipe and lists that do best on the validation; the given ones where it asks nothing.

    Args:
        session: of the engine.
        train: the training; its newest tenth, or a fifth of each person's events, validates.
        task: what is asked.
        recipe: to start from.
        lists: to start from.
    """
    parts = hold_out(train, task)
    if parts is None:
        return recipe, lists
    queries = ask(parts, task, most=QUESTIONS)
    best = (0.0, recipe, lists)
    for change in [{}, *CHANGES[task]]:
        # Each change is tried upon those that were worth it before.
        changed = replace(best[1], **change)
        if change and "regularisation" in change and len(parts.train.items) > changed.small_catalogue:
            continue
        tables = build_tables(session, parts.train, changed, further=task == "next-click")
        for form in _vary(best[2], task, is_small=tables.completion is not None):
            table = choose_table(tables, form)
            found = _worth(queries, table, form, task)
            if found > best[0] * (WORTH if best[0] else 1.0):
                best = (found, changed, form)
    return best[1], best[2]


def hold_out(train: Log, task: str) -> Dataset | None:
    """The training split again; none where one side would be empty."""
    import numpy as np

    if task == "top-n":
        is_held = _hash(train) < VALIDATION_SHARE * 2
    else:
        is_held = train.basket >= int(len(train.baskets) * (1 - VALIDATION_SHARE))
    known = np.zeros(len(train.items), dtype=bool)
    known[train.item[~is_held]] = True
    is_held_and_seen = is_held & known[train.item]
    if not is_held_and_seen.any() or is_held.all():
        return None
    return Dataset(select_baskets(train, ~is_held), select_baskets(train, is_held_and_seen))


def _hash(train: Log) -> Any:  # noqa: ANN401
    """A number from 0 to 1 for every pair of person and item, always the same."""
    import numpy as np

    mixed = (train.basket.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ (
        train.item.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    )
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0x165667B19E3779F9)
    mixed ^= mixed >> np.uint64(32)
    return mixed.astype(np.float64) / 2.0**64


def _vary(lists: Lists, task: str, *, is_small: bool) -> Iterator[Lists]:
    """The given way first, then the others."""
    yield lists
    if task == "next-click":
        for further, reminders in product((True, False), (0.0, 1.0, 2.5, 4.0)):
            yield Lists(further=further, reminders=reminders)
    elif is_small:
        yield Lists(completion=not lists.completion)


def _worth(queries: Queries, table: Any, lists: Lists, task: str) -> float:  # noqa: ANN401
    places, names = MEASURES[task]
    width = table.nnz / max(1, table.shape[0])
    found = recommend_sparse(queries, lambda block: score(block, table, lists), width=width)
    measures = measure(found, queries.wanted, at=places)
    return sum(measures[name] for name in names)
