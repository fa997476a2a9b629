"""One evaluation: every method fitted, asked, measured and timed, one after the other."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError
from jobs.evaluation.datasets import TASKS, Dataset, name_baskets, number_dataset, split_by_time
from jobs.evaluation.field import AssociationRules, Implicit, Popularity, load_implicit
from jobs.evaluation.logs import find_files, read_log
from jobs.evaluation.queries import ask, measure
from jobs.evaluation.scores import Method
from jobs.evaluation.sessions import SessionNeighbours

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OURS: Final = ("sophilux", "sophilux-defaults", "sophilux-k2", "sophilux-table")
LIBRARY: Final = ("cosine", "bm25", "als")
METHODS: Final = (*OURS, *LIBRARY, "popularity", "association-rules", "v-sknn")
PLACES: Final = {"next-click": (20,), "next-basket": (10, 20), "top-n": (20,)}


@dataclass(frozen=True)
class Plan:
    """What to evaluate.

    Attributes:
        dataset: file or folder.
        task: one of :data:`jobs.evaluation.datasets.TASKS`.
        methods: names of :data:`METHODS`.
        columns: names of columns where they are not the usual ones.
        first_test_day: where the log is split; none takes its newest part.
        tune: choose our parameters on a validation split of the training.
        min_people: people that a pair needs; baskets are people here.
        most_queries: questions asked at most; none asks all.
    """

    dataset: Path
    task: str
    methods: Sequence[str] = METHODS
    columns: Mapping[str, str] = field(default_factory=dict)
    first_test_day: date | None = None
    tune: bool = True
    min_people: int = 1
    most_queries: int | None = None


def check_plan(plan: Plan) -> None:
    """Refuse what cannot be done before anything is read.

    Raises:
        UsageError: a task or method that is not known, or a library that is not installed.
    """
    if plan.task not in TASKS:
        message = f"The task must be one of {', '.join(TASKS)}, got {plan.task!r}."
        raise UsageError(message)
    unknown = [name for name in plan.methods if name not in METHODS]
    if unknown:
        message = f"There are no methods {', '.join(unknown)}; there are {', '.join(METHODS)}."
        raise UsageError(message)
    try:
        import scipy.sparse  # noqa: F401
    except ImportError:
        message = "An evaluation needs the library scipy: pip install 'sophilux[evaluate]'."
        raise UsageError(message) from None
    if set(plan.methods) & set(LIBRARY):
        load_implicit()


def load_dataset(plan: Plan) -> Dataset:
    """Both sides of the log.

    Raises:
        UsageError: the log cannot be read, or lacks what the task needs.
    """
    files = find_files(plan.dataset)
    events = name_baskets(read_log(files.train, plan.columns), plan.task)
    if files.test is None:
        train, test = split_by_time(events, plan.task, first_test_day=plan.first_test_day)
    else:
        train, test = events, name_baskets(read_log(files.test, plan.columns), plan.task)
    return number_dataset(train, test)


def evaluate(session: "SparkSession", plan: Plan) -> Iterator[dict[str, Any]]:
    """One row per method, as soon as it is done.

    Yields:
        ``method``, ``task``, the measures, ``queries``, ``fit_seconds``, ``score_seconds``, ``tune_seconds`` for what
        is tuned, the sizes of the data set, and ``parameters``.
    """
    check_plan(plan)
    dataset = load_dataset(plan)
    queries = ask(dataset, plan.task, most=plan.most_queries)
    sizes = {
        "queries": len(queries),
        "train_events": len(dataset.train.item),
        "items": len(dataset.train.items),
        "unseen_items": dataset.unseen_items,
        "unseen_events": dataset.unseen_events,
    }
    for name in (known for known in METHODS if known in plan.methods):
        started = time.perf_counter()
        method = make_method(name, session, dataset, plan)
        tuned = time.perf_counter()
        if method is None:
            continue
        method.fit(dataset.train)
        fitted = time.perf_counter()
        lists = method.recommend(queries)
        scored = time.perf_counter()
        measures = {
            k: round(v, 5) for at in PLACES[plan.task] for k, v in measure(lists, queries.wanted, at=at).items()
        }
        seconds = {"fit_seconds": round(fitted - tuned, 3), "score_seconds": round(scored - fitted, 3)}
        if name == "sophilux" and plan.tune:
            seconds["tune_seconds"] = round(tuned - started, 3)
        yield {"method": name, "task": plan.task, **measures, **seconds, **sizes, "parameters": method.describe()}


def make_method(name: str, session: "SparkSession", dataset: Dataset, plan: Plan) -> Method | None:
    """A method, not yet fitted; none where it would be the same as another on this data."""
    if name in OURS:
        return _make_ours(name, session, dataset, plan)
    threads = os.cpu_count() or 1
    makers: dict[str, Method] = {
        "cosine": Implicit("cosine", "cosine", K=100, num_threads=threads),
        "bm25": Implicit("bm25", "bm25", K=100, num_threads=threads),
        "als": Implicit("als", "als", factors=64, random_state=1, num_threads=threads),
        "popularity": Popularity(),
        "association-rules": AssociationRules(),
        "v-sknn": SessionNeighbours(),
    }
    return makers[name]


def _make_ours(name: str, session: "SparkSession", dataset: Dataset, plan: Plan) -> Method | None:
    from jobs.evaluation.tables import LISTS, RECIPES, OurTables
    from jobs.evaluation.tuning import tune

    recipe, lists = replace(RECIPES[plan.task], min_people=plan.min_people), LISTS[plan.task]
    if name == "sophilux":
        if plan.tune:
            recipe, lists = tune(session, dataset.train, plan.task, recipe, lists)
    elif name == "sophilux-k2":
        if plan.min_people >= 2:
            return None
        recipe = replace(recipe, min_people=2)
    elif name == "sophilux-table":
        if not lists.completion or len(dataset.train.items) > recipe.small_catalogue:
            return None
        recipe, lists = replace(recipe, small_catalogue=0), replace(lists, completion=False)
    elif not plan.tune:
        return None
    return OurTables(session, recipe, lists, name=name)
