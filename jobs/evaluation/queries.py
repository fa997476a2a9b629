"""What a method is asked: what is known of each basket, and what came next, which it has to find."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError
from jobs.evaluation.datasets import Dataset, Log

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

MOST_KNOWN: Final = 50
"""Products of a session that a method is told, the newest; keeps a session of thousands of clicks from going square."""


@dataclass(frozen=True)
class Queries:
    """Rows of questions.

    Attributes:
        known: row by item; 1 for the newest known item, 2 for the one before, and so on; 1 for all where no order is.
        wanted: row by item; 1 for what is to be found.
        may_repeat: known items may be the answer.
        is_ordered: ``known`` tells an order.
        users: rows of the training that the questions are about, where they are about persons; else none.
    """

    known: "sparse.csr_matrix"
    wanted: "sparse.csr_matrix"
    may_repeat: bool
    is_ordered: bool
    users: "np.ndarray[Any, Any] | None" = None

    def __len__(self) -> int:
        return int(self.known.shape[0])

    def part(self, rows: slice) -> "Queries":
        """Some of the questions."""
        users = None if self.users is None else self.users[rows]
        return Queries(self.known[rows], self.wanted[rows], self.may_repeat, self.is_ordered, users)


def ask(dataset: Dataset, task: str, *, most: int | None = None) -> Queries:
    """The questions of a task.

    Args:
        dataset: what was known and what came after.
        task: one of :data:`jobs.evaluation.datasets.TASKS`.
        most: questions to keep, spread evenly; none keeps all.

    Raises:
        UsageError: there is nothing to ask.
    """
    asked = {"next-click": ask_next_clicks, "next-basket": ask_baskets, "top-n": ask_persons}[task](dataset)
    if not len(asked):
        message = f"{task}: the test asks nothing; no basket of it has two items, or no person is in both sides."
        raise UsageError(message)
    if most and len(asked) > most:
        import numpy as np

        rows: Any = np.linspace(0, len(asked) - 1, most).astype(int)
        return asked.part(rows)
    return asked


def ask_next_clicks(dataset: Dataset) -> Queries:
    """Every prefix of every session is asked for the item after it."""
    import numpy as np

    steps: list[int] = []
    items: list[int] = []
    lengths: list[int] = []
    wanted: list[int] = []
    for session in _split(dataset.test):
        latest: dict[int, None] = {}
        for position, item in enumerate(session.tolist()):
            if position:
                newest = list(latest)[::-1]
                items += newest
                steps += range(1, len(newest) + 1)
                lengths.append(len(newest))
                wanted.append(item)
            latest.pop(item, None)
            latest[item] = None
            if len(latest) > MOST_KNOWN:
                del latest[next(iter(latest))]
    known = _rows(np.array(steps, float), items, lengths, len(dataset.train.items))
    return Queries(known, _single(wanted, known.shape[1]), may_repeat=True, is_ordered=True)


def ask_baskets(dataset: Dataset) -> Queries:
    """Of every basket the item with the smallest MD5 of ``basket|item`` is hidden, and asked for."""
    import numpy as np

    items: list[int] = []
    lengths: list[int] = []
    wanted: list[int] = []
    for number, basket in zip(np.unique(dataset.test.basket), _split(dataset.test), strict=True):
        distinct = sorted(set(basket.tolist()))
        if len(distinct) > 1:
            name = dataset.test.baskets[number]
            hidden = min(distinct, key=lambda item: md5(f"{name}|{dataset.test.items[item]}"))
            items += [item for item in distinct if item != hidden]
            lengths.append(len(distinct) - 1)
            wanted.append(hidden)
    known = _rows(np.ones(len(items)), items, lengths, len(dataset.train.items))
    return Queries(known, _single(wanted, known.shape[1]), may_repeat=False, is_ordered=False)


def ask_persons(dataset: Dataset) -> Queries:
    """Persons with items on both sides are asked for those of the test that are new to them."""
    import numpy as np

    train, test = dataset.train, dataset.test
    persons, rows_of_train, rows_of_test = np.intersect1d(train.baskets, test.baskets, return_indices=True)
    size = len(train.items)
    known = hold(train.basket, train.item, (len(train.baskets), size))[rows_of_train]
    after = hold(test.basket, test.item, (len(test.baskets), size))[rows_of_test]
    new = (after - after.multiply(known)).tocsr()
    new.eliminate_zeros()
    asked = np.flatnonzero(np.diff(new.indptr) * np.diff(known.indptr) if len(persons) else [])
    return Queries(known[asked], new[asked], may_repeat=False, is_ordered=False, users=rows_of_train[asked])


def hold(rows: Any, items: Any, shape: tuple[int, int]) -> "sparse.csr_matrix":  # noqa: ANN401
    """A matrix of ones where a basket holds an item."""
    import numpy as np
    from scipy import sparse

    held = sparse.csr_matrix((np.ones(len(items)), (rows, items)), shape=shape)
    held.data[:] = 1.0
    return held


def md5(text: str) -> bytes:
    """The digest that chooses what is hidden; a public rule, no protection."""
    from cryptography.hazmat.primitives import hashes

    digest = hashes.Hash(hashes.MD5())  # noqa: S303
    digest.update(text.encode())
    return digest.finalize()


def _split(log: Log) -> list[Any]:
    """The items of each basket, in order."""
    import numpy as np

    return np.split(log.item, np.flatnonzero(np.diff(log.basket)) + 1)


def _rows(data: Any, items: list[int], lengths: list[int], size: int) -> "sparse.csr_matrix":  # noqa: ANN401
    import numpy as np
    from scipy import sparse

    pointers = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return sparse.csr_matrix((data, np.array(items, dtype=np.int64), pointers), shape=(len(lengths), size))


def _single(wanted: list[int], size: int) -> "sparse.csr_matrix":
    import numpy as np

    return _rows(np.ones(len(wanted)), wanted, [1] * len(wanted), size)


def measure(lists: Any, wanted: "sparse.csr_matrix", *, at: int) -> dict[str, float]:  # noqa: ANN401
    """Means over the questions of four measures of the first ``at`` places.

    Args:
        lists: row by place, number of the item or -1 where a list is shorter.
        wanted: row by item.
        at: places that count.

    Returns:
        ``HitRate``: share of questions with a hit; ``MRR``: one over the place of the first hit; ``Recall``: share of
        what was wanted; ``NDCG``: gain discounted by log2(place + 1), over that of the best possible list.
    """
    import numpy as np

    places = lists[:, :at]
    rows = np.repeat(np.arange(len(places)), places.shape[1])
    flat = np.maximum(places, 0).ravel()
    hits = np.asarray(wanted[rows, flat]).reshape(places.shape) * (places >= 0)
    counts = np.diff(wanted.indptr)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1), np.inf)
    gains = 1 / np.log2(np.arange(places.shape[1]) + 2)
    best = np.concatenate([[0.0], np.cumsum([1 / math.log2(place + 2) for place in range(at)])])
    return {
        f"HitRate@{at}": float(hits.any(axis=1).mean()),
        f"MRR@{at}": float((1 / (first + 1)).mean()),
        f"Recall@{at}": float((hits.sum(axis=1) / counts).mean()),
        f"NDCG@{at}": float((hits @ gains / best[np.minimum(counts, at)]).mean()),
    }
