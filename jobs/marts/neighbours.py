"""The closest products of each product, from the pairs that stand together in baskets.

The score of *b* for *a* is ``C(a, b) / ((n(a) + d)^(own/4) (n(b) + d)^(other/4))``: C sums the weights of the pair, n
those of the baskets that hold the product, d is the damping. docs/recommendations.md explains it with an example.
"""

from functools import reduce
from operator import mul
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.cooccurrence import (
    BACKWARD,
    BASKETS,
    FORWARD,
    ITEM,
    PEOPLE,
    SCALE,
    WEIGHT,
    A,
    B,
    collect_baskets,
    pair_products,
    unite_people,
    weigh_products,
)
from jobs.marts.recipes import Recipe
from jobs.marts.slices import count_in_slices

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from jobs.marts.slices import Once

OTHER: Final = "_other"
_MIRROR, _PLACE, _NUMBER, _KIND = "_mirror", "_place", "_number", "_kind"
_OWN_NUMBER, _OTHER_NUMBER, _OWN_KIND, _OTHER_KIND = "_own_number", "_other_number", "_own_kind", "_other_kind"


def find_neighbours(
    items: "DataFrame",
    recipe: Recipe,
    *,
    as_of: "date",
    categories: "DataFrame | None" = None,
    subjects: "DataFrame | None" = None,
    once: "Once | None" = None,
) -> "DataFrame":
    """Neighbours of every product of some baskets, see :func:`rank_neighbours`.

    Args:
        items: of baskets, see :func:`jobs.marts.cooccurrence.collect_baskets`.
        recipe: how pairs are weighed, scored and kept.
        as_of: last day taken into account.
        categories: of :func:`choose_categories`.
        subjects: rows of ``lake.subjects``, so that a human of several addresses is one person.
        once: computes rows and keeps them; with it pairs are counted in slices of people.
    """
    baskets, names = gather_baskets(items, recipe, as_of=as_of, subjects=subjects), name_products(items, categories)
    if once is None:
        return rank_neighbours(pair_products(baskets, recipe), weigh_products(baskets), names, recipe)
    pairs, weights = count_in_slices(once(baskets).frame, recipe, once=once)
    return rank_neighbours(pairs, weights, once(names).frame, recipe)


def gather_baskets(
    items: "DataFrame", recipe: Recipe, *, as_of: "date", subjects: "DataFrame | None" = None
) -> "DataFrame":
    """Baskets, of humans where ``subjects`` tell who they are."""
    baskets = collect_baskets(items, recipe, as_of=as_of)
    return baskets if subjects is None else baskets.transform(unite_people, subjects)


def choose_categories(products: "DataFrame", recipe: Recipe) -> "DataFrame | None":
    """``product_id`` and the category that pairs are kept within; none where they are kept within the shop.

    Args:
        products: rows of ``lake.products``.
        recipe: says within what.
    """
    return None if recipe.within == "shop" else products.select(C.PRODUCT_ID, recipe.within)


def name_products(items: "DataFrame", categories: "DataFrame | None" = None) -> "DataFrame":
    """``ITEM``, ``product_id``, a number in order of identifiers, and the category, null where none is known.

    Args:
        items: ``product_id``, repeated or not.
        categories: one row per product: ``product_id`` and what to keep pairs within.
    """
    in_order = Window.partitionBy(F.lit(1)).orderBy(C.PRODUCT_ID)
    distinct = items.select(C.PRODUCT_ID).distinct()
    numbered = distinct.select(
        F.xxhash64(C.PRODUCT_ID).alias(ITEM), C.PRODUCT_ID, F.row_number().over(in_order).alias(_NUMBER)
    )
    if categories is None:
        return numbered.withColumn(_KIND, F.lit(None).cast("string"))
    return numbered.join(categories.toDF(C.PRODUCT_ID, _KIND), C.PRODUCT_ID, how="left")


def rank_neighbours(pairs: "DataFrame", weights: "DataFrame", names: "DataFrame", recipe: Recipe) -> "DataFrame":
    """The closest products of each product.

    Args:
        pairs: of :func:`jobs.marts.cooccurrence.pair_products`.
        weights: of :func:`jobs.marts.cooccurrence.weigh_products`.
        names: of :func:`name_products`.
        recipe: how pairs are scored and kept.

    Returns:
        ``ITEM``, ``OTHER`` (hashes), ``product_id``, ``other_product_id``, ``rank``, ``score``, ``BASKETS`` and
        ``PEOPLE``: only pairs that ``min_people`` known people share. Unknown people count for the score, not there.
    """
    kept = score_pairs(pairs.where(F.col(PEOPLE) >= recipe.min_people), weights, names, recipe)
    if recipe.within != "shop":
        kept = kept.where(F.col(_OWN_KIND) == F.col(_OTHER_KIND))
    if recipe.per_other:
        kept = _keep_first(kept, of=OTHER, ties=_OWN_NUMBER, most=recipe.per_other)
    ranked = _keep_first(kept, of=ITEM, ties=_OTHER_NUMBER, most=recipe.top)
    texts = names.select(ITEM, C.PRODUCT_ID)
    others = names.select(F.col(ITEM).alias(OTHER), F.col(C.PRODUCT_ID).alias(C.OTHER_PRODUCT_ID))
    named = F.broadcast(others).join(F.broadcast(texts).join(ranked, ITEM, how="inner"), OTHER, how="inner")
    rank = F.col(_PLACE).alias(C.RANK)
    return named.select(ITEM, OTHER, C.PRODUCT_ID, C.OTHER_PRODUCT_ID, rank, C.SCORE, BASKETS, PEOPLE)


def score_pairs(pairs: "DataFrame", weights: "DataFrame", names: "DataFrame", recipe: Recipe) -> "DataFrame":
    """Both directions of every pair, by hash, with score, numbers and categories of the two."""
    damped = weights.select(ITEM, (F.col(WEIGHT) / SCALE + recipe.damping).alias(WEIGHT))
    products = damped.join(names, ITEM, how="inner")
    sides = [
        products.select(F.col(ITEM).alias(side), F.struct(_NUMBER, WEIGHT, _KIND).alias(f"{side}_product"))
        for side in (A, B)
    ]
    # The small side comes first: the embedded engine keeps the first one in memory and takes no hint.
    with_own = F.broadcast(sides[0]).join(pairs, A, how="inner")
    both_known = F.broadcast(sides[1]).join(with_own, B, how="inner")
    both_ways = both_known.select(BASKETS, PEOPLE, F.explode(F.array(*_mirror_pair())).alias(_MIRROR))
    own, other = (F.col(_MIRROR)[side] for side in ("own", "other"))
    return both_ways.select(
        F.col(_MIRROR)[ITEM].alias(ITEM),
        F.col(_MIRROR)[OTHER].alias(OTHER),
        own[_NUMBER].alias(_OWN_NUMBER),
        other[_NUMBER].alias(_OTHER_NUMBER),
        own[_KIND].alias(_OWN_KIND),
        other[_KIND].alias(_OTHER_KIND),
        _score(recipe, own[WEIGHT], other[WEIGHT]).alias(C.SCORE),
        BASKETS,
        PEOPLE,
    )


def _keep_first(scored: "DataFrame", *, of: str, ties: str, most: int) -> "DataFrame":
    """The ``most`` rows of highest score of each product, with their ``_place``."""
    closest_first = Window.partitionBy(of).orderBy(F.desc(C.SCORE), F.desc(PEOPLE), ties)
    return scored.withColumn(_PLACE, F.row_number().over(closest_first)).where(F.col(_PLACE) <= most)


def _mirror_pair() -> list["Column"]:
    return [
        F.struct(
            F.col(one).alias(ITEM),
            F.col(two).alias(OTHER),
            F.col(f"{one}_product").alias("own"),
            F.col(f"{two}_product").alias("other"),
            F.col(weight).alias(WEIGHT),
        )
        for one, two, weight in ((A, B, FORWARD), (B, A, BACKWARD))
    ]


def _score(recipe: Recipe, own: "Column", other: "Column") -> "Column":
    # Square roots are exact to the last bit on every engine, powers are not.
    roots = [F.sqrt(F.sqrt(own))] * recipe.own_quarters + [F.sqrt(F.sqrt(other))] * recipe.other_quarters
    popularity = reduce(mul, roots, F.lit(1.0))
    return F.least(F.col(_MIRROR)[WEIGHT] / SCALE / popularity, F.lit(1.0))
