"""What completes a basket, by regression: where the catalogue is small, all its products are weighed at once.

The score of a pair knows nothing of the other products in a basket: where *a* and *b* always come together, both vote
for *c*, and *c* is counted twice. The regression finds weights that reproduce every basket from its other products,
so that what *a* says already is not said again by *b*. It inverts one matrix of the catalogue's size, in a function
that runs within the engine, and holds that matrix in memory three times (4,096 products: 0.4 GB).

References:
    Steck, Embarrassingly Shallow Autoencoders for Sparse Data, 2019 (closed form, EASE).
"""

import sys
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.marts.cooccurrence import FORWARD, ITEM, WEIGHT, A, B

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

COMPLETION: Final = "_completion"
DIGITS: Final = 9


def weigh_completions(pairs: "DataFrame", weights: "DataFrame", *, regularisation: float) -> "DataFrame":
    """Weights that complete a basket, in both directions of every pair.

    Args:
        pairs: of :func:`jobs.marts.cooccurrence.pair_products` over baskets without sequence.
        weights: of :func:`jobs.marts.cooccurrence.weigh_products` over the same baskets.
        regularisation: added to every product's weight, in mean weights of a product; above 0.

    Returns:
        ``A``, ``B`` (hashes) and ``COMPLETION``: what *a* in a basket adds to the expectation of *b*; only weights
        above 0, at most 1.
    """
    diagonal = weights.select(F.col(ITEM).alias(A), F.col(ITEM).alias(B), WEIGHT)
    cells = diagonal.unionByName(pairs.select(A, B, F.col(FORWARD).alias(WEIGHT)))
    _send_by_value()

    def solve(table: "pa.Table") -> "pa.Table":
        return _solve(table, regularisation)

    whole = cells.groupBy(F.lit(1).alias("_all"))
    return whole.applyInArrow(solve, f"{A} bigint, {B} bigint, {COMPLETION} double")


def _send_by_value() -> None:
    """Let workers of a cluster run this module's functions without having it installed."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # type: ignore[no-untyped-call]


def _solve(table: "pa.Table", regularisation: float) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    first, second, weight = (table[name].to_numpy() for name in (A, B, WEIGHT))
    products, rows = np.unique(first, return_inverse=True)
    columns = np.searchsorted(products, second)
    gram = np.zeros((len(products), len(products)))
    gram[rows, columns] = weight
    gram[columns, rows] = weight
    mean = gram.trace() / max(len(products), 1)
    gram[np.diag_indices_from(gram)] += regularisation * mean
    added = _regress(gram)
    source, target = np.nonzero(added > 0)
    values = np.minimum(added[source, target], 1.0)
    columns_out: list[Any] = [products[source], products[target], values]
    return pa.table(dict(zip((A, B, COMPLETION), columns_out, strict=True)))


def _regress(gram: Any) -> Any:  # noqa: ANN401
    """Weights of the closed form: the inverse over its diagonal, negated, zero on the diagonal."""
    import numpy as np

    inverse = np.linalg.inv(gram)
    added = np.round(-inverse / np.diag(inverse)[None, :], DIGITS)
    np.fill_diagonal(added, 0.0)
    return added
