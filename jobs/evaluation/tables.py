"""Our own method: the tables that the production jobs build, and the lists that follow from them.

The log becomes visits or orders, goes through the functions behind ``marts.also_viewed`` and ``marts.also_bought`` on
the engine, and what they return is read back. Nothing about pairs is computed here.
"""

import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.evaluation.datasets import Log
from jobs.evaluation.queries import Queries
from jobs.evaluation.scores import recommend_sparse
from jobs.lake import columns as C
from jobs.marts import also_bought, also_viewed
from jobs.marts.completion import COMPLETION
from jobs.marts.interactions import STEP_POWER, STEPS
from jobs.marts.neighbours import find_neighbours
from jobs.marts.reach import reach_further
from jobs.marts.recipes import BOUGHT, VIEWED, Recipe

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession
    from scipy import sparse

SECONDS_A_DAY: Final = 86_400
VIEW: Final = "view"
HISTORIES: Final = replace(BOUGHT, cap=200, reach=200, length_halves=1, own_quarters=2, other_quarters=2, damping=0.0)
"""Persons' whole histories as orders: longer than orders, and asked about all at once."""
RECIPES: Final = {"next-click": VIEWED, "next-basket": BOUGHT, "top-n": HISTORIES}


@dataclass(frozen=True)
class Lists:
    """How lists follow from a table.

    Attributes:
        further: neighbours of neighbours count too.
        reminders: weight of the known items themselves, in mean highest scores of theirs; 0 lists new items only.
        completion: the regression's weights are summed where there are some, not the scores.
    """

    further: bool = False
    reminders: float = 0.0
    completion: bool = False


LISTS: Final = {
    "next-click": Lists(further=True, reminders=2.5),
    "next-basket": Lists(completion=True),
    "top-n": Lists(completion=True),
}


@dataclass(frozen=True)
class Tables:
    """What was read back, item by item: scores, scores with neighbours of neighbours, and completions."""

    score: "sparse.csr_matrix"
    further: "sparse.csr_matrix | None" = None
    completion: "sparse.csr_matrix | None" = None


def build_tables(session: "SparkSession", train: Log, recipe: Recipe, *, further: bool) -> Tables:
    """Send a log through the production functions.

    Args:
        session: of the engine.
        train: what was known.
        recipe: how pairs are weighed, scored and kept; sequences become visits, others orders.
        further: also compute neighbours of neighbours.
    """
    from pyarrow import parquet

    size = len(train.items)
    with tempfile.TemporaryDirectory(prefix="sophilux-evaluation-") as folder:
        as_of = _write_events(train, Path(folder) / "events")
        events = session.read.parquet(f"{folder}/events")
        neighbours, has_completion = _find_neighbours(events, recipe, as_of, size)
        columns = [C.PRODUCT_ID, C.OTHER_PRODUCT_ID, C.RANK, C.SCORE, *([COMPLETION] if has_completion else [])]
        rows = neighbours.select(*columns).toArrow()
        onward = None
        if further and rows.num_rows:
            parquet.write_table(rows, f"{folder}/table.parquet")
            onward = reach_further(session.read.parquet(f"{folder}/table.parquet")).toArrow()
    return Tables(
        _to_matrix(rows, C.SCORE, size),
        _to_matrix(onward, C.SCORE, size) if further else None,
        _to_matrix(rows, COMPLETION, size) if has_completion else None,
    )


def _find_neighbours(events: "DataFrame", recipe: Recipe, as_of: date, size: int) -> tuple["DataFrame", bool]:
    """What the production jobs make of the events, and whether completions are in it."""
    if recipe.in_sequence:
        items = also_viewed.select_visit_items(events)
        return find_neighbours(items, recipe, as_of=as_of), False
    items = also_bought.select_order_items(events)
    neighbours = find_neighbours(items, recipe, as_of=as_of)
    if not 0 < size <= recipe.small_catalogue:
        return neighbours, False
    return also_bought.complete_neighbours(neighbours, items, recipe, as_of=as_of), True


def _write_events(train: Log, folder: Path) -> date:
    """The log in the columns of clicks and order lines that the jobs read; gives its last day.

    Baskets are people of their own, and events lie a microsecond apart, so that those of one moment keep their order.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir()
    names = pa.array([f"{number:010}" for number in range(len(train.items))])
    people = pa.array([f"{number:010}" for number in range(len(train.baskets))]).take(pa.array(train.basket))
    days = np.floor(train.time / SECONDS_A_DAY).astype(np.int32)
    count = len(train.item)
    columns = {
        C.SESSION_ID: pa.array(train.basket),
        C.ORDER_ID: people,
        C.SUBJECT_ID: people,
        C.DAY: pa.array(days).cast(pa.date32()),
        C.PRODUCT_ID: names.take(pa.array(train.item)),
        C.EVENT_TIME: pa.array(np.arange(count)).cast(pa.timestamp("us", "UTC")),
        C.ACTION: pa.array([VIEW]).take(pa.array(np.zeros(count, dtype=np.int64))),
        C.FLAG: pa.nulls(count, pa.string()),
    }
    parquet.write_table(pa.table(columns), folder / "events.parquet")
    return datetime.fromtimestamp(int(days.max()) * SECONDS_A_DAY, UTC).date()


def _to_matrix(rows: "pa.Table | None", column: str, size: int) -> "sparse.csr_matrix":
    import numpy as np
    from scipy import sparse

    if rows is None:
        return sparse.csr_matrix((size, size))
    own, other = (rows[name].cast("int64").to_numpy() for name in (C.PRODUCT_ID, C.OTHER_PRODUCT_ID))
    return sparse.csr_matrix((rows[column].to_numpy().astype(np.float64), (own, other)), shape=(size, size))


class OurTables:
    """The production tables, asked as ``marts.recommended_for_you`` asks them."""

    def __init__(self, session: "SparkSession", recipe: Recipe, lists: Lists, *, name: str = "sophilux") -> None:
        self.name = name
        self.recipe, self.lists = recipe, lists
        self._session = session
        self.tables: Tables | None = None

    def fit(self, train: Log) -> None:
        """Build the tables on the engine."""
        self.tables = build_tables(self._session, train, self.recipe, further=self.lists.further)

    def recommend(self, queries: Queries) -> "np.ndarray[Any, Any]":
        """Lists that follow from the known items."""
        import numpy as np

        assert self.tables is not None, "fit comes first"  # noqa: S101
        chosen = choose_table(self.tables, self.lists)
        width = chosen.nnz / max(1, chosen.shape[0])
        return np.asarray(recommend_sparse(queries, lambda block: score(block, chosen, self.lists), width=width))

    def describe(self) -> dict[str, Any]:
        """What differs from the production defaults, and how lists are made."""
        defaults = asdict(VIEWED if self.recipe.in_sequence else BOUGHT)
        changed = {name: value for name, value in asdict(self.recipe).items() if value != defaults[name]}
        return {**changed, **asdict(self.lists)}


def choose_table(tables: Tables, lists: Lists) -> "sparse.csr_matrix":
    """The scores that lists are made from; scores where there are no completions."""
    if lists.completion and tables.completion is not None:
        return tables.completion
    return tables.further if lists.further and tables.further is not None else tables.score


def score(queries: Queries, table: "sparse.csr_matrix", lists: Lists) -> "sparse.csr_matrix":
    """Scores of items: sums over the known ones, the newest ``STEPS`` by their step where they have an order."""
    import numpy as np
    from scipy import sparse

    weights = queries.known.copy()
    if queries.is_ordered:
        weights.data = np.where(weights.data <= STEPS, weights.data**-STEP_POWER, 0.0)
        weights.eliminate_zeros()
    scores = (weights @ table).tocsr()
    if not (lists.reminders and queries.may_repeat):
        return scores
    highest = np.asarray(table.max(axis=1).todense()).ravel()
    counted = weights.copy()
    counted.data[:] = 1.0
    means = np.asarray(counted @ highest).ravel() / np.maximum(np.asarray(counted.sum(axis=1)).ravel(), 1.0)
    # Where nothing follows from any of the known items they are still there to be listed again.
    reminders = sparse.diags(lists.reminders * np.where(means > 0, means, 1.0)) @ weights
    return (scores + reminders).tocsr()
