"""V-SKNN: sessions that look like this one, and what else was in them.

References:
    Ludewig and Jannach, Evaluation of Session-based Recommendation Algorithms, 2018, section 3; parameters as its
    authors publish them for YooChoose.
"""

from typing import TYPE_CHECKING, Any

from jobs.evaluation.datasets import Log
from jobs.evaluation.queries import Queries, hold
from jobs.evaluation.scores import LENGTH

if TYPE_CHECKING:
    import numpy as np


class SessionNeighbours:
    """Nearest of the most recent sessions; newer known items weigh more, by the square of their place."""

    name = "v-sknn"

    def __init__(self, *, nearest: int = 100, sample: int = 1000) -> None:
        self.nearest, self.sample = nearest, sample

    def fit(self, train: Log) -> None:
        """Index sessions by item; their numbers follow their times."""
        held = hold(train.basket, train.item, (len(train.baskets), len(train.items)))
        by_item = held.tocsc()
        by_item.sort_indices()
        self._items, self._starts = held.indices, held.indptr
        self._sessions, self._item_starts = by_item.indices, by_item.indptr

    def recommend(self, queries: Queries) -> "np.ndarray[Any, Any]":
        """One question after the other."""
        import numpy as np

        lists = np.full((len(queries), LENGTH), -1, dtype=np.int64)
        for row in range(len(queries)):
            entries = slice(queries.known.indptr[row], queries.known.indptr[row + 1])
            items, steps = queries.known.indices[entries], queries.known.data[entries]
            order = np.argsort(steps, kind="stable")
            best = self._find(items[order], is_ordered=queries.is_ordered, may_repeat=queries.may_repeat)
            lists[row, : len(best)] = best
        return lists

    def _find(self, items: Any, *, is_ordered: bool, may_repeat: bool) -> Any:  # noqa: ANN401
        """The best items for known ones, the newest first."""
        import numpy as np

        length = len(items)
        recent = [self._sessions[self._item_starts[i] : self._item_starts[i + 1]][-self.sample :] for i in items]
        steps = np.repeat(np.arange(1, length + 1), [len(sessions) for sessions in recent])
        sessions, place = np.unique(np.concatenate(recent), return_inverse=True)
        weights = ((length - steps + 1) / length) ** 2 if is_ordered else np.ones(len(steps))
        nearness = np.bincount(place, weights=weights)
        latest = np.full(len(sessions), length + 1)
        np.minimum.at(latest, place, steps)
        sampled = np.arange(max(0, len(sessions) - self.sample), len(sessions))
        near = sampled[np.lexsort((-sampled, -nearness[sampled]))][: self.nearest]
        decay = 1 / latest[near] ** 2.0 if is_ordered else 1.0
        return self._collect(sessions[near], nearness[near] / length * decay, None if may_repeat else items)

    def _collect(self, sessions: Any, weights: Any, without: Any) -> Any:  # noqa: ANN401
        import numpy as np

        spans = [self._items[self._starts[session] : self._starts[session + 1]] for session in sessions]
        if not spans:
            return np.empty(0, dtype=np.int64)
        found, place = np.unique(np.concatenate(spans), return_inverse=True)
        scores = np.bincount(place, weights=np.repeat(weights, [len(span) for span in spans]))
        if without is not None:
            kept = ~np.isin(found, without)
            found, scores = found[kept], scores[kept]
        return found[np.lexsort((found, -scores))][:LENGTH]

    def describe(self) -> dict[str, Any]:
        """Sessions compared and used."""
        return {"nearest": self.nearest, "sample": self.sample}
