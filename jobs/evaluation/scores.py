"""Lists of items from scores, a block of questions at a time; ties go to the item that comes first by identifier."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from jobs.evaluation.datasets import Log
from jobs.evaluation.queries import Queries

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

LENGTH: Final = 20
CELLS: Final = 8_000_000
BLOCK: Final = 2_000


class Method(Protocol):
    """Something that recommends."""

    name: str

    def fit(self, train: Log) -> None:
        """Learn from a log."""

    def recommend(self, queries: Queries) -> "np.ndarray[Any, Any]":
        """For each question the numbers of the ``LENGTH`` best items, -1 where there are fewer."""

    def describe(self) -> dict[str, Any]:
        """The parameters."""


def recommend_sparse(queries: Queries, score: Callable[[Queries], "sparse.csr_matrix"], *, width: float) -> Any:  # noqa: ANN401
    """Lists of the items with a score above 0.

    Args:
        queries: the questions.
        score: scores of a block of them.
        width: items that one known item brings, about; keeps blocks within memory.
    """
    import numpy as np

    per_question = max(1.0, queries.known.nnz / max(1, len(queries)) * width)
    rows = int(min(BLOCK, max(1, CELLS / per_question)))
    blocks = [queries.part(slice(start, start + rows)) for start in range(0, len(queries), rows)]
    return np.concatenate([take_best(_leave_out(score(block), block)) for block in blocks])


def recommend_dense(queries: Queries, score: Callable[[Queries], Any]) -> Any:  # noqa: ANN401
    """Lists of the items with the highest scores, whatever they are."""
    import numpy as np

    rows = int(min(BLOCK, max(1, CELLS / queries.known.shape[1])))
    lists = []
    for start in range(0, len(queries), rows):
        block = queries.part(slice(start, start + rows))
        scores = np.array(score(block), dtype=float)
        if not block.may_repeat:
            scores[block.known.nonzero()] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :LENGTH]
        lists.append(np.where(np.take_along_axis(scores, order, axis=1) > -np.inf, order, -1))
    return np.concatenate(lists)


def take_best(scores: "sparse.csr_matrix") -> Any:  # noqa: ANN401
    """The ``LENGTH`` best items of each row."""
    import numpy as np

    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    order = np.lexsort((scores.indices, -scores.data, rows))
    places = np.arange(len(order)) - scores.indptr[:-1][rows]
    is_kept = (places < LENGTH) & (scores.data[order] > 0)
    best = np.full((scores.shape[0], LENGTH), -1, dtype=np.int64)
    best[rows[is_kept], places[is_kept]] = scores.indices[order[is_kept]]
    return best


def _leave_out(scores: "sparse.csr_matrix", queries: Queries) -> "sparse.csr_matrix":
    if queries.may_repeat:
        return scores.tocsr()
    known = queries.known.copy()
    known.data[:] = 1.0
    return (scores - scores.multiply(known)).tocsr()
