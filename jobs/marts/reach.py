"""Neighbours of neighbours: what a product leads to over one more product, for lists that follow from several.

Most pairs of a large catalogue were never seen together, or by too few people to be told. Where *a* leads to *b* and
*b* to *c*, a part of the score of *a* and *b* goes on to *c*. The published tables hold seen pairs only; this is made
from them when a person's list is.

References:
    Huang, Chen and Zeng, Applying Associative Retrieval Techniques to Alleviate the Sparsity Problem, 2004.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

VIA: Final = 20
KEPT: Final = 30
DIGITS: Final = 9
_MIDDLE, _SHARE, _PLACE = "_middle", "_share", "_place"
PAIR: Final = (C.PRODUCT_ID, C.OTHER_PRODUCT_ID)


def reach_further(neighbours: "DataFrame", *, via: int = VIA, kept: int = KEPT) -> "DataFrame":
    """Neighbours of each product, those over one more product included.

    Args:
        neighbours: ``product_id``, ``other_product_id``, ``rank``, ``score``; product ids may be numbers.
        via: closest neighbours that lead further, of each product; the work is at most its square per product.
        kept: neighbours kept of each product.

    Returns:
        ``product_id``, ``other_product_id``, ``score``; a neighbour's score is its own, and for each product between
        the score of that one times the neighbour's share in what that one leads to.
    """
    near = neighbours.where(F.col(C.RANK) <= via).select(*PAIR, C.SCORE)
    total = F.sum(C.SCORE).over(Window.partitionBy(C.PRODUCT_ID))
    shares = near.where(F.col(C.SCORE) > 0).select(
        F.col(C.PRODUCT_ID).alias(_MIDDLE), C.OTHER_PRODUCT_ID, (F.col(C.SCORE) / total).alias(_SHARE)
    )
    steps = near.select(C.PRODUCT_ID, F.col(C.OTHER_PRODUCT_ID).alias(_MIDDLE), C.SCORE).join(
        shares, _MIDDLE, how="inner"
    )
    onward = steps.where(F.col(C.PRODUCT_ID) != F.col(C.OTHER_PRODUCT_ID))
    further = onward.select(*PAIR, (F.col(C.SCORE) * F.col(_SHARE)).alias(C.SCORE))
    both = neighbours.select(*PAIR, C.SCORE).unionByName(further)
    # Rounded, because sums of fractions differ in the last bits with the order of rows.
    summed = both.groupBy(*PAIR).agg(F.round(F.sum(C.SCORE), DIGITS).alias(C.SCORE))
    closest_first = Window.partitionBy(C.PRODUCT_ID).orderBy(F.desc(C.SCORE), C.OTHER_PRODUCT_ID)
    ranked = summed.withColumn(_PLACE, F.row_number().over(closest_first))
    return ranked.where(F.col(_PLACE) <= kept).select(*PAIR, C.SCORE)
