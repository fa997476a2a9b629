"""Which products stand together in the same baskets; a basket is an order or a visit.

A basket becomes one array, and pairs are read out of the array, so nothing is joined to itself and the work grows with
the number of rows: a basket of any size makes at most ``cap * reach`` pairs. Products and people go through as 64-bit
hashes, because grouping tens of millions of pairs by numbers takes a quarter of the time that strings take. Weights are
whole numbers of ``SCALE``, so that sums do not depend on the order of rows.

References:
    Sarwar et al., Item-Based Collaborative Filtering Recommendation Algorithms, 2001.
    Ludewig and Jannach, Evaluation of Session-based Recommendation Algorithms, 2018 (nearness within a visit).
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.recipes import Recipe
from jobs.privacy.humans import HUMAN, human

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

SCALE: Final = 1_000_000
BASKET: Final = "_basket"
PERSON: Final = "_person"
PLACE: Final = "_place"
BASKETS: Final = "_baskets"
PEOPLE: Final = "_people"
ITEM, A, B = "_item", "_a", "_b"
WEIGHT, FORWARD, BACKWARD = "_weight", "_forward", "_backward"
ITEMS: Final = "_items"
_GAP = "_gap"


def collect_baskets(items: "DataFrame", recipe: Recipe, *, as_of: "date") -> "DataFrame":
    """One row per basket with its first distinct products and its weight.

    Args:
        items: ``BASKET`` and ``PERSON`` (64-bit numbers, the latter null when unknown), ``day``, ``product_id``,
            ``PLACE``; repeats do no harm.
        recipe: ``cap`` products are kept, the first by the smallest ``PLACE`` of each, ties by the product's hash.
        as_of: the day on which a basket weighs most; none of the baskets is later.

    Returns:
        ``PERSON``, ``_items`` (hashes of products, in order), ``WEIGHT``.
    """
    item = F.xxhash64(C.PRODUCT_ID).alias(ITEM)
    by_product = items.select(BASKET, PERSON, C.DAY, item, PLACE).groupBy(BASKET, PERSON, ITEM)
    distinct = by_product.agg(F.min(PLACE).alias(PLACE), F.max(C.DAY).alias(C.DAY))
    in_place = F.slice(F.sort_array(F.collect_list(F.struct(PLACE, ITEM))), 1, recipe.cap)
    arrays = distinct.groupBy(BASKET, PERSON).agg(in_place.alias(ITEMS), F.max(C.DAY).alias(C.DAY))
    numbers = arrays.select(PERSON, C.DAY, F.transform(ITEMS, lambda entry: entry[ITEM]).alias(ITEMS))
    return numbers.select(PERSON, ITEMS, _weigh_basket(recipe, as_of).alias(WEIGHT))


def unite_people(baskets: "DataFrame", subjects: "DataFrame") -> "DataFrame":
    """Baskets with one ``PERSON`` for all addresses and accounts that belong to one human.

    Args:
        baskets: of :func:`collect_baskets`, with the hash of a ``subject_id`` as ``PERSON``.
        subjects: rows of ``lake.subjects``.
    """
    humans = subjects.select(F.xxhash64(C.SUBJECT_ID).alias(PERSON), F.xxhash64(human()).alias(HUMAN))
    # The small side comes first: the embedded engine keeps the first one in memory and takes no hint.
    joined = humans.join(baskets, PERSON, how="right")
    return joined.select(F.coalesce(HUMAN, PERSON).alias(PERSON), ITEMS, WEIGHT)


def pair_products(baskets: "DataFrame", recipe: Recipe) -> "DataFrame":
    """One row per unordered pair: ``A``, ``B``, ``BASKETS``, ``PEOPLE`` and its weights in both directions.

    One known person moves a pair by at most ``SCALE``, as much as one basket of today, however many they fill.
    """
    firsts = baskets.select(PERSON, WEIGHT, ITEMS, F.posexplode(ITEMS).alias(_GAP, ITEM))
    followers = F.posexplode(F.slice(ITEMS, F.col(_GAP) + 2, recipe.reach)).alias(_GAP, B)
    pairs = firsts.select(PERSON, WEIGHT, F.col(ITEM).alias(A), followers)
    is_in_order = F.col(A) < F.col(B)
    forward, backward = _weigh_pair(recipe)
    directed = pairs.select(
        PERSON,
        F.least(A, B).alias(A),
        F.greatest(A, B).alias(B),
        F.when(is_in_order, forward).otherwise(backward).alias(FORWARD),
        F.when(is_in_order, backward).otherwise(forward).alias(BACKWARD),
    )
    bounded = [_bound_person(F.sum(weight)).alias(weight) for weight in (FORWARD, BACKWARD)]
    by_person = directed.groupBy(A, B, PERSON).agg(F.count(F.lit(1)).alias(BASKETS), *bounded)
    sums = [F.sum(weight).alias(weight) for weight in (FORWARD, BACKWARD)]
    return by_person.groupBy(A, B).agg(F.sum(BASKETS).alias(BASKETS), F.count(PERSON).alias(PEOPLE), *sums)


def weigh_products(baskets: "DataFrame") -> "DataFrame":
    """One row per product: ``ITEM`` and the weight of the baskets that hold it, bounded per person like pairs."""
    exploded = baskets.select(PERSON, WEIGHT, F.explode(ITEMS).alias(ITEM))
    by_person = exploded.groupBy(ITEM, PERSON).agg(_bound_person(F.sum(WEIGHT)).alias(WEIGHT))
    return by_person.groupBy(ITEM).agg(F.sum(WEIGHT).alias(WEIGHT))


def _bound_person(weight: "Column") -> "Column":
    return F.when(F.col(PERSON).isNull(), weight).otherwise(F.least(weight, F.lit(SCALE)))


def _weigh_basket(recipe: Recipe, as_of: "date") -> "Column":
    """Weight of a basket by its age and length.

    Between halves the weight falls in a straight line: whole numbers are the same on every engine, powers are not.
    """
    size = F.size(ITEMS)
    length = {0: F.lit(1), 1: F.sqrt(size), 2: size}[recipe.length_halves]
    half_life = recipe.half_life_days
    if not half_life:
        return F.floor(F.lit(SCALE) / length).cast("bigint")
    age = F.datediff(F.lit(as_of), F.col(C.DAY))
    since = F.lit(1.0) - (age % half_life) / F.lit(2.0 * half_life)
    decay = since / F.pow(F.lit(2.0), F.floor(age / half_life).cast("double"))
    return F.floor(F.lit(SCALE) * decay / length).cast("bigint")


def _weigh_pair(recipe: Recipe) -> tuple["Column", "Column"]:
    weight = F.col(WEIGHT)
    if not recipe.in_sequence:
        return weight, weight
    distance = F.col(_GAP) + 1
    return F.floor(weight / distance).cast("bigint"), F.floor(weight * 3 / (distance * 4)).cast("bigint")
