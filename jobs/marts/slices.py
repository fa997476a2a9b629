"""Work done for a slice of people after the other, so that memory does not grow with the shop.

Lists are made for some buckets of people at once. Pairs are counted for some people at once: what one person adds to a
pair is bounded before people are summed, and all of a person's baskets are in one slice. So the sums over slices are
those over everybody, to the last digit: they are whole numbers.
"""

from functools import partial, reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

from pyspark.sql import functions as F

from jobs.marts.cooccurrence import ITEM, ITEMS, PERSON, WEIGHT, A, B, pair_products, weigh_products
from jobs.marts.recipes import Recipe
from jobs.privacy.subject_ids import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from pyspark.sql import Column, DataFrame

    from jobs.lake import Lake
    from jobs.lake.scratch import Scratch

    class Once(Protocol):
        """Computes rows once for several uses."""

        def __call__(self, rows: DataFrame, by: str = "") -> Scratch:
            """See :meth:`jobs.lake.Lake.scratch`."""
            ...


SLICE_PAIRS: Final = 8_000_000
"""Pairs of single baskets that are grouped at once, about 1 GB."""
SLICE: Final = "_slice"


def keep_until(scratches: "ExitStack", lake: "Lake") -> "Once":
    """Computes rows and keeps them until the stack is closed."""
    return lambda rows, by="": scratches.enter_context(lake.scratch(rows, by))


def count_in_slices(
    baskets: "DataFrame", recipe: Recipe, *, once: "Once", per_slice: int = SLICE_PAIRS
) -> tuple["DataFrame", "DataFrame"]:
    """The rows of :func:`jobs.marts.cooccurrence.pair_products`, and those of its ``weigh_products``.

    Args:
        baskets: of :func:`jobs.marts.cooccurrence.collect_baskets`, computed already, because they are read more than
            once.
        recipe: how pairs are weighed.
        once: computes rows and keeps them.
        per_slice: pairs of single baskets in a slice.
    """
    slices = -(-count_pairs(baskets, recipe) // per_slice)
    # Baskets of nobody known are not bounded and may be anywhere.
    of_nobody = F.xxhash64(WEIGHT, F.element_at(ITEMS, 1), F.element_at(ITEMS, -1))
    person = F.when(F.col(PERSON).isNotNull(), F.xxhash64(PERSON)).otherwise(of_nobody)
    parts = cut_people(baskets, person=person, slices=slices, once=once)
    pairs = sum_parts(parts, partial(pair_products, recipe=recipe), keys=(A, B), once=once)
    return pairs, sum_parts(parts, weigh_products, keys=(ITEM,), once=once)


def sum_in_slices(
    rows: "DataFrame",
    work: "Callable[[DataFrame], DataFrame]",
    *,
    person: "Column | str",
    slices: int,
    keys: "Sequence[str]",
    once: "Once",
) -> "DataFrame":
    """What some work counts, done for a slice of people after the other.

    Args:
        rows: computed already, because they are read more than once.
        work: counts of rows whole numbers that add up over people, one row per ``keys``.
        person: what tells people apart.
        slices: how many, 1 or more.
        keys: what is counted for.
        once: computes rows and keeps them.
    """
    return sum_parts(cut_people(rows, person=person, slices=slices, once=once), work, keys=keys, once=once)


def cut_people(rows: "DataFrame", *, person: "Column | str", slices: int, once: "Once") -> "list[DataFrame]":
    """The rows of a slice of people after the other; those of one person are in one slice."""
    if slices <= 1:
        return [rows]
    number = F.pmod(F.xxhash64(person), F.lit(slices)).cast("int")
    cut = once(rows.withColumn(SLICE, number), by=SLICE).frame
    return [cut.where(F.col(SLICE) == n).drop(SLICE) for n in range(slices)]


def sum_parts(
    parts: "Sequence[DataFrame]", work: "Callable[[DataFrame], DataFrame]", *, keys: "Sequence[str]", once: "Once"
) -> "DataFrame":
    """What some work counts in each part, summed up; see :func:`sum_in_slices`."""
    if len(parts) == 1:
        return work(parts[0])
    counted = [once(work(part)).frame for part in parts]
    sums = [F.sum(name).alias(name) for name in counted[0].columns if name not in keys]
    return reduce(lambda one, other: one.unionByName(other), counted).groupBy(*keys).agg(*sums)


def count_pairs(baskets: "DataFrame", recipe: Recipe) -> int:
    """Pairs that the baskets make, repeats counted."""
    size = F.size(ITEMS).cast("bigint")
    followers = F.least(size - 1, F.lit(recipe.reach))
    pairs = size * followers - F.floor(followers * (followers + 1) / 2).cast("bigint")
    (row,) = baskets.select(F.sum(pairs).alias("_pairs")).collect()
    return row["_pairs"] or 0


def cut_buckets(rows: int, *, per_slice: int) -> list[range]:
    """Ranges of buckets that together hold all people, each about ``per_slice`` of the rows.

    People are spread over the buckets by a hash, so that equal ranges hold equal parts.
    """
    slices = min(BUCKETS, -(-rows // per_slice)) or 1
    edges = [BUCKETS * number // slices for number in range(slices + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


def number_slice(bucket: "Column", slices: int) -> "Column":
    """The place of a bucket's range among the ``slices`` of :func:`cut_buckets`."""
    return F.floor(((bucket + 1) * slices - 1) / F.lit(BUCKETS)).cast("int")
