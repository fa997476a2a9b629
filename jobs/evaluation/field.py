"""The field: what our tables are compared with."""

import logging
import os
import warnings
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError
from jobs.evaluation.datasets import Log
from jobs.evaluation.queries import Queries, hold
from jobs.evaluation.scores import LENGTH, recommend_dense, recommend_sparse

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse


LEFT_OUT: Final = -1e30


class Popularity:
    """The items of most baskets, the same for everybody."""

    name = "popularity"

    def fit(self, train: Log) -> None:
        """Count baskets."""
        import numpy as np

        held = hold(train.basket, train.item, (len(train.baskets), len(train.items)))
        self._baskets = np.asarray(held.sum(axis=0))

    def recommend(self, queries: Queries) -> "np.ndarray[Any, Any]":
        """The head of the chart, without what is known where that is no answer."""
        import numpy as np

        return np.asarray(recommend_dense(queries, lambda block: np.repeat(self._baskets, len(block), axis=0)))

    def describe(self) -> dict[str, Any]:
        """No parameters."""
        return {}


class AssociationRules:
    """Counts of pairs of events, a product looked at twice is one with itself.

    Lists follow from the newest item where there is an order, else from all known items together.
    """

    name = "association-rules"
    rules = 20
    longest = 500

    def fit(self, train: Log) -> None:
        """Count pairs of the ``longest`` newest events of each basket, because pairs grow with their square."""
        import numpy as np
        from scipy import sparse

        ends = np.searchsorted(train.basket, train.basket, side="right")
        newest = ends - np.arange(len(ends)) <= self.longest
        shape = (len(train.baskets), len(train.items))
        counts = sparse.csr_matrix((np.ones(newest.sum()), (train.basket[newest], train.item[newest])), shape=shape)
        counts.sum_duplicates()
        pairs = (counts.T @ counts).tocsr()
        pairs.setdiag(pairs.diagonal() - np.asarray(counts.sum(axis=0)).ravel())
        pairs.eliminate_zeros()
        self._rules: sparse.csr_matrix = keep_best(pairs, self.rules)

    def recommend(self, queries: Queries) -> "np.ndarray[Any, Any]":
        """Sums of the counts."""
        import numpy as np

        def score(block: Queries) -> "sparse.csr_matrix":
            known = block.known.copy()
            known.data = (known.data == 1).astype(float)
            return (known @ self._rules).tocsr()

        return np.asarray(recommend_sparse(queries, score, width=self.rules))

    def describe(self) -> dict[str, Any]:
        """Rules kept of each item, and events counted of each basket."""
        return {"rules": self.rules, "longest": self.longest}


class Implicit:
    """A model of the library ``implicit``."""

    def __init__(self, name: str, model: str, **parameters: Any) -> None:  # noqa: ANN401
        self.name = name
        self._model_name, self._parameters = model, parameters

    def fit(self, train: Log) -> None:
        """Fit on the matrix of baskets and items.

        Raises:
            UsageError: the library is not installed.
        """
        implicit = load_implicit()
        model = {
            "cosine": implicit.nearest_neighbours.CosineRecommender,
            "bm25": implicit.nearest_neighbours.BM25Recommender,
            "als": implicit.als.AlternatingLeastSquares,
        }[self._model_name]
        held = hold(train.basket, train.item, (len(train.baskets), len(train.items)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads and of a conversion that take no time here
            self._model = model(**self._parameters)
            self._model.fit(held, show_progress=False)

    def recommend(self, queries: Queries) -> "np.ndarray[Any, Any]":
        """What the library recommends to somebody with the known items."""
        import numpy as np

        known = queries.known.copy()
        known.data[:] = 1.0
        options: dict[str, Any] = {
            "N": min(LENGTH, known.shape[1]),
            "filter_already_liked_items": not queries.may_repeat,
        }
        users = np.arange(len(queries))
        if self._model_name == "als":
            options["recalculate_user"] = True
        lists = np.full((len(queries), LENGTH), -1, dtype=np.int64)
        for start in range(0, len(queries), 10_000):
            rows = slice(start, start + 10_000)
            block = known[rows]
            items, scores = self._model.recommend(users[: block.shape[0]], block.tocsr(), **options)
            # Items that were left out come last, with the lowest number there is; factors may well score below 0.
            is_listed = scores > (LEFT_OUT if self._model_name == "als" else 0)
            lists[rows, : items.shape[1]] = np.where(is_listed, items, -1)
        return lists

    def describe(self) -> dict[str, Any]:
        """The model's parameters."""
        return self._parameters


def load_implicit() -> Any:  # noqa: ANN401
    """The library, quiet and on as many threads as there are cores.

    Raises:
        UsageError: it is not installed.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        import implicit.als
        import implicit.nearest_neighbours
    except ImportError:
        message = (
            "The comparison with cosine, bm25 and als needs the library implicit: pip install 'sophilux[evaluate]'; "
            "or name other methods, such as --method sophilux."
        )
        raise UsageError(message) from None
    logging.getLogger("implicit").setLevel(logging.ERROR)
    return implicit


def keep_best(scores: "sparse.csr_matrix", most: int) -> "sparse.csr_matrix":
    """The ``most`` highest entries of each row."""
    import numpy as np
    from scipy import sparse

    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    order = np.lexsort((scores.indices, -scores.data, rows))
    places = np.arange(len(order)) - scores.indptr[:-1][rows]
    kept = order[places < most]
    return sparse.csr_matrix((scores.data[kept], (rows[kept], scores.indices[kept])), shape=scores.shape)
