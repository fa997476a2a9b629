"""Which products stand together in the same baskets; a basket is an order or a visit.

A basket becomes one array, and pairs are read out of the array, so nothing is joined to itself. Products and people
go through as 64-bit hashes, because grouping tens of millions of pairs by numbers takes a quarter of the time that
strings take. Weights are whole numbers of ``SCALE``, so that sums do not depend on the order of rows.

References:
    Sarwar et al., Item-Based Collaborative Filtering Recommendation Algorithms, 2001 (cosine between products).
    Ludewig and Jannach, Evaluation of Session-based Recommendation Algorithms, 2018 (nearness within a visit).
"""

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

SCALE: Final = 1_000_000
MIN_PEOPLE: Final = 2
TOP: Final = 50
BASKET: Final = "_basket"
PERSON: Final = "_person"
PLACE: Final = "_place"
BASKETS: Final = "_baskets"
PEOPLE: Final = "_people"
_ITEM, _ITEMS, _A, _B, _GAP, _SIZE = "_item", "_items", "_a", "_b", "_gap", "_size"
_WEIGHT, _FORWARD, _BACKWARD, _MIRROR = "_weight", "_forward", "_backward", "_mirror"


@dataclass(frozen=True)
class Recipe:
    """How pairs are weighed.

    Attributes:
        cap: distinct products kept of one basket, the first by ``PLACE``; bounds what one heavy user can add.
        reach: products at most so many places apart make a pair.
        in_sequence: places have a meaning. If so a pair weighs 1/distance, and three quarters of that from the later
            product to the earlier one. If not, every pair weighs 1/size of its basket.
        own_quarters: exponent of the product's own weight in the score, in quarters.
        other_quarters: exponent of the other product's weight; a low one lets popular products through. The two make
            four, which keeps the score between 0 and 1.
        damping: added to both weights, in baskets; keeps pairs seen by few from the top.
    """

    cap: int
    reach: int
    in_sequence: bool
    own_quarters: int = 2
    other_quarters: int = 2
    damping: float = 0.0


def collect_baskets(items: "DataFrame", *, cap: int) -> "DataFrame":
    """One row per basket with the hashes of its first distinct products.

    Args:
        items: ``BASKET`` and ``PERSON`` (64-bit numbers, the latter null when unknown), ``product_id``, ``PLACE``.
        cap: products kept; the first by the smallest ``PLACE`` of each, ties by the product's hash.
    """
    item = F.xxhash64(C.PRODUCT_ID).alias(_ITEM)
    distinct = items.select(BASKET, PERSON, item, PLACE).groupBy(BASKET, PERSON, _ITEM).agg(F.min(PLACE).alias(PLACE))
    in_place = F.slice(F.sort_array(F.collect_list(F.struct(PLACE, _ITEM))), 1, cap)
    arrays = distinct.groupBy(BASKET, PERSON).agg(in_place.alias(_ITEMS))
    return arrays.select(PERSON, F.transform(_ITEMS, lambda entry: entry[_ITEM]).alias(_ITEMS))


def pair_products(baskets: "DataFrame", recipe: Recipe) -> "DataFrame":
    """One row per unordered pair with ``BASKETS``, ``PEOPLE`` and its weights in both directions."""
    firsts = baskets.select(PERSON, _ITEMS, F.size(_ITEMS).alias(_SIZE), F.posexplode(_ITEMS).alias(_GAP, _ITEM))
    followers = F.posexplode(F.slice(_ITEMS, F.col(_GAP) + 2, recipe.reach)).alias(_GAP, _B)
    pairs = firsts.select(PERSON, _SIZE, F.col(_ITEM).alias(_A), followers)
    is_in_order = F.col(_A) < F.col(_B)
    forward, backward = _weigh_pair(recipe)
    directed = pairs.select(
        PERSON,
        F.least(_A, _B).alias(_A),
        F.greatest(_A, _B).alias(_B),
        F.when(is_in_order, forward).otherwise(backward).alias(_FORWARD),
        F.when(is_in_order, backward).otherwise(forward).alias(_BACKWARD),
    )
    sums = (F.sum(_FORWARD).alias(_FORWARD), F.sum(_BACKWARD).alias(_BACKWARD))
    by_person = directed.groupBy(_A, _B, PERSON).agg(F.count(F.lit(1)).alias(BASKETS), *sums)
    return by_person.groupBy(_A, _B).agg(F.sum(BASKETS).alias(BASKETS), F.count(PERSON).alias(PEOPLE), *sums)


def weigh_products(baskets: "DataFrame", items: "DataFrame", recipe: Recipe) -> "DataFrame":
    """One row per product: hash, ``product_id`` and the weight of the baskets that hold it, in baskets."""
    weight = F.lit(SCALE) if recipe.in_sequence else _share_of_basket()
    exploded = baskets.select(F.size(_ITEMS).alias(_SIZE), F.explode(_ITEMS).alias(_ITEM))
    weights = exploded.select(_ITEM, weight.alias(_WEIGHT)).groupBy(_ITEM).agg(F.sum(_WEIGHT).alias(_WEIGHT))
    names = items.select(C.PRODUCT_ID).distinct().withColumn(_ITEM, F.xxhash64(C.PRODUCT_ID))
    damped = (F.col(_WEIGHT) / SCALE + recipe.damping).alias(_WEIGHT)
    return weights.join(names, _ITEM, how="inner").select(_ITEM, C.PRODUCT_ID, damped)


def rank_neighbours(items: "DataFrame", recipe: Recipe) -> "DataFrame":
    """The closest products of each product.

    The score of *b* for *a* is C(a, b) / (n(a)^(own/4) n(b)^(other/4)): C sums the weights of the pair, n those of the
    baskets that hold the product, plus the damping.

    Args:
        items: one row per product of a basket, see :func:`collect_baskets`; repeats do no harm.
        recipe: how pairs are weighed.

    Returns:
        ``product_id``, ``other_product_id``, ``rank``, ``score``, ``BASKETS``, ``PEOPLE``: at most ``TOP`` rows per
        product, only of pairs that ``MIN_PEOPLE`` known people share. Unknown people count for the score, not here.
    """
    baskets = collect_baskets(items, cap=recipe.cap)
    pairs = pair_products(baskets, recipe).where(F.col(PEOPLE) >= MIN_PEOPLE)
    products = weigh_products(baskets, items, recipe)
    sides = [
        products.select(F.col(_ITEM).alias(side), F.struct(C.PRODUCT_ID, _WEIGHT).alias(f"{side}_product"))
        for side in (_A, _B)
    ]
    # The small side comes first: the embedded engine keeps the first one in memory and takes no hint.
    with_own = F.broadcast(sides[0]).join(pairs, _A, how="inner")
    described = F.broadcast(sides[1]).join(with_own, _B, how="inner")
    both_ways = described.select(BASKETS, PEOPLE, F.explode(F.array(*_mirror_pair())).alias(_MIRROR))
    scored = both_ways.select(
        F.col(_MIRROR)["own"][C.PRODUCT_ID].alias(C.PRODUCT_ID),
        F.col(_MIRROR)["other"][C.PRODUCT_ID].alias(C.OTHER_PRODUCT_ID),
        _score_pair(recipe).alias(C.SCORE),
        BASKETS,
        PEOPLE,
    )
    closest_first = Window.partitionBy(C.PRODUCT_ID).orderBy(F.desc(C.SCORE), F.desc(PEOPLE), C.OTHER_PRODUCT_ID)
    return scored.withColumn(C.RANK, F.row_number().over(closest_first)).where(F.col(C.RANK) <= TOP)


def _share_of_basket() -> "Column":
    return F.floor(F.lit(SCALE) / F.col(_SIZE)).cast("bigint")


def _weigh_pair(recipe: Recipe) -> tuple["Column", "Column"]:
    if not recipe.in_sequence:
        return _share_of_basket(), _share_of_basket()
    distance = F.col(_GAP) + 1
    forward = F.floor(F.lit(SCALE) / distance).cast("bigint")
    return forward, F.floor(F.lit(SCALE * 3 // 4) / distance).cast("bigint")


def _mirror_pair() -> tuple["Column", "Column"]:
    return tuple(
        F.struct(F.col(f"{own}_product").alias("own"), F.col(f"{other}_product").alias("other"), weight.alias("weight"))
        for own, other, weight in ((_A, _B, F.col(_FORWARD)), (_B, _A, F.col(_BACKWARD)))
    )  # type: ignore[return-value]


def _score_pair(recipe: Recipe) -> "Column":
    # Square roots are exact to the last bit on every engine, powers are not.
    own, other = (F.sqrt(F.sqrt(F.col(_MIRROR)[side][_WEIGHT])) for side in ("own", "other"))
    popularity = reduce(mul, [own] * recipe.own_quarters + [other] * recipe.other_quarters)
    return F.least(F.col(_MIRROR)["weight"] / SCALE / popularity, F.lit(1.0))
