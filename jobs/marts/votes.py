"""Votes of people's latest products for what to recommend, counted by number.

A person has up to 250 votes and a list 20 rows, so nearly all the work lies between. There people and products are
numbers, a vote's person and product one number of 63 bits, and only what made it into a list gets its names back.
Popular products vote last, and what a person owns votes so much against itself that nothing outweighs it: one sum
settles all three.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.interactions import PLACE, SHARE, WEIGHT
from jobs.privacy.pseudonyms import subject_bucket

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ALSO_BOUGHT: Final = "also_bought"
ALSO_VIEWED: Final = "also_viewed"
POPULAR: Final = "popular"
NEIGHBOURS: Final = 20
TOP: Final = 20
PRODUCT_BITS: Final = 24
"""Room for 16.7 million products."""
PEOPLE_BITS: Final = 31
"""Room for 2.1 billion people of one bucket."""
AGAINST: Final = -1e9
DIGITS: Final = 9
PERSON, PRODUCT, KEY = "_person", "_product", "_key"
HAS_ACCOUNT: Final = "_has_account"
VIA_BOUGHT, VIA_VIEWED = "_bought", "_viewed"
PAIR: Final = (C.PRODUCT_ID, C.OTHER_PRODUCT_ID)
_NONE: Final = (1 << PRODUCT_BITS) - 1


def number_people(recent: "DataFrame", accounts: "DataFrame") -> "DataFrame":
    """Everybody who gets a list of their own: ``subject_id``, ``PERSON``, and whether they have an account.

    ``PERSON`` has the bucket above and the place within it below, so that no two people share one.

    Args:
        recent: rows with ``subject_id``, repeated or not.
        accounts: one row per willing person with an account.
    """
    both = recent.select(C.SUBJECT_ID, F.lit(0).alias(HAS_ACCOUNT)).unionByName(
        accounts.select(C.SUBJECT_ID, F.lit(1).alias(HAS_ACCOUNT))
    )
    people = both.groupBy(C.SUBJECT_ID).agg(F.max(HAS_ACCOUNT).alias(HAS_ACCOUNT))
    bucket = subject_bucket(F.col(C.SUBJECT_ID))
    in_bucket = Window.partitionBy(bucket).orderBy(C.SUBJECT_ID)
    person = first_person(bucket) + F.row_number().over(in_bucket)
    return people.select(C.SUBJECT_ID, person.alias(PERSON), (F.col(HAS_ACCOUNT) == 1).alias(HAS_ACCOUNT))


def first_person(bucket: "Column") -> "Column":
    """The number below those of the people of a bucket."""
    return F.shiftleft(bucket.cast("bigint"), PEOPLE_BITS)


def number_products(also_bought: "DataFrame", also_viewed: "DataFrame", popular: "DataFrame") -> "DataFrame":
    """Every product that may be recommended: ``product_id``, ``PRODUCT`` in order of identifiers, and ``SHARE``."""
    others = also_bought.select(C.OTHER_PRODUCT_ID).unionByName(also_viewed.select(C.OTHER_PRODUCT_ID))
    every = others.toDF(C.PRODUCT_ID).unionByName(popular.select(C.PRODUCT_ID)).distinct()
    in_order = Window.partitionBy(F.lit(1)).orderBy(C.PRODUCT_ID)
    numbered = every.select(C.PRODUCT_ID, F.row_number().over(in_order).alias(PRODUCT))
    return numbered.join(popular, C.PRODUCT_ID, how="left")


def join_neighbours(also_bought: "DataFrame", further: "DataFrame", products: "DataFrame") -> "DataFrame":
    """One row per product and neighbour, the latter by number: its score in each table, 0 where it is not near.

    Args:
        also_bought: rows of ``marts.also_bought``.
        further: of :func:`jobs.marts.reach.reach_further`, from ``marts.also_viewed``.
        products: of :func:`number_products`.
    """
    nothing = F.lit(0.0)
    near = also_bought.where(F.col(C.RANK) <= NEIGHBOURS)
    bought = near.select(*PAIR, F.col(C.SCORE).alias(VIA_BOUGHT), nothing.alias(VIA_VIEWED))
    viewed = further.select(*PAIR, nothing.alias(VIA_BOUGHT), F.col(C.SCORE).alias(VIA_VIEWED))
    by_pair = bought.unionByName(viewed).groupBy(*PAIR)
    summed = by_pair.agg(F.sum(VIA_BOUGHT).alias(VIA_BOUGHT), F.sum(VIA_VIEWED).alias(VIA_VIEWED))
    numbers = products.select(F.col(C.PRODUCT_ID).alias(C.OTHER_PRODUCT_ID), PRODUCT)
    return numbers.join(summed, C.OTHER_PRODUCT_ID, how="inner").select(C.PRODUCT_ID, PRODUCT, VIA_BOUGHT, VIA_VIEWED)


def tell_person(rows: "DataFrame", people: "DataFrame") -> "DataFrame":
    """Rows with ``PERSON`` in place of ``subject_id``, without those of others than ``people``."""
    return people.select(C.SUBJECT_ID, PERSON).join(rows, C.SUBJECT_ID, how="inner").drop(C.SUBJECT_ID)


def tell_product(rows: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Rows with ``PRODUCT`` in place of ``product_id``, without those of others than ``products``."""
    return products.select(C.PRODUCT_ID, PRODUCT).join(rows, C.PRODUCT_ID, how="inner").drop(C.PRODUCT_ID)


def count_votes(
    recent: "DataFrame", owned: "DataFrame", people: "DataFrame", neighbours: "DataFrame", products: "DataFrame"
) -> "DataFrame":
    """One row per person and candidate: ``KEY``, what each table gives it, and its place among the popular.

    Args:
        recent: ``PERSON``, ``product_id``, ``WEIGHT``: the latest products.
        owned: ``PERSON``, ``PRODUCT`` of what is not recommended.
        people: of :func:`number_people`; the lists of these are made.
        neighbours: of :func:`join_neighbours`.
        products: of :func:`number_products`.
    """
    # The small side comes first: the embedded engine keeps the first one in memory and takes no hint.
    voted = neighbours.join(recent.select(PERSON, C.PRODUCT_ID, WEIGHT), C.PRODUCT_ID, how="inner")
    bought, viewed = (F.col(WEIGHT) * F.col(via) for via in (VIA_BOUGHT, VIA_VIEWED))
    for_neighbours = _vote(voted, bought, viewed, F.lit(_NONE))
    popular = products.where(F.col(PLACE).isNotNull()).select(PRODUCT, PLACE)
    offered = people.where(HAS_ACCOUNT).select(PERSON).crossJoin(F.broadcast(popular))
    for_popular = _vote(offered, F.lit(0.0), F.lit(0.0), F.col(PLACE))
    against = _vote(owned, F.lit(AGAINST), F.lit(0.0), F.lit(_NONE))
    votes = for_neighbours.unionByName(for_popular).unionByName(against)
    # Rounded, because sums of fractions differ in the last bits with the order of rows.
    sums = [F.round(F.sum(via), DIGITS).alias(via) for via in (VIA_BOUGHT, VIA_VIEWED)]
    return votes.groupBy(KEY).agg(*sums, F.min(PLACE).alias(PLACE))


def rank_votes(counted: "DataFrame") -> "DataFrame":
    """Each person's first ``TOP`` candidates, what was voted for before what is popular: by number, with ``rank``."""
    total = F.col(VIA_BOUGHT) + F.col(VIA_VIEWED)
    is_offered = (total > 0) | ((total == 0) & (F.col(PLACE) < _NONE))
    person, product = F.shiftright(KEY, PRODUCT_BITS), F.col(KEY).bitwiseAND(F.lit(_NONE)).cast("int")
    candidates = counted.where(is_offered).select(
        person.alias(PERSON), product.alias(PRODUCT), VIA_BOUGHT, VIA_VIEWED, total.alias(C.SCORE), PLACE
    )
    best_first = Window.partitionBy(PERSON).orderBy(F.desc(C.SCORE), PLACE, PRODUCT)
    return candidates.withColumn(C.RANK, F.row_number().over(best_first)).where(F.col(C.RANK) <= TOP)


def name_lists(ranked: "DataFrame", people: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Person, product, rank, score and the ``reason`` that gave most of it, for numbers."""
    with_person = people.select(C.SUBJECT_ID, PERSON).join(ranked, PERSON, how="inner")
    named = products.select(C.PRODUCT_ID, PRODUCT, SHARE).join(with_person, PRODUCT, how="inner")
    is_popular = F.col(C.SCORE) == 0
    is_bought = F.col(VIA_BOUGHT) >= F.col(VIA_VIEWED)
    reason = F.when(is_popular, F.lit(POPULAR)).when(is_bought, F.lit(ALSO_BOUGHT)).otherwise(F.lit(ALSO_VIEWED))
    score = F.when(is_popular, F.col(SHARE)).otherwise(F.col(C.SCORE))
    return named.select(C.SUBJECT_ID, C.PRODUCT_ID, C.RANK, score.alias(C.SCORE), reason.alias(C.REASON))


def _vote(rows: "DataFrame", bought: "Column", viewed: "Column", place: "Column") -> "DataFrame":
    key = F.shiftleft(PERSON, PRODUCT_BITS) + F.col(PRODUCT)
    return rows.select(
        key.alias(KEY), bought.alias(VIA_BOUGHT), viewed.alias(VIA_VIEWED), place.cast("int").alias(PLACE)
    )
