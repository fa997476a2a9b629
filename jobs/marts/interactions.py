"""What people did with products lately: their latest products, what they own, and what is popular."""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.also_viewed import PRODUCT_ACTIONS
from jobs.privacy.pseudonyms import subject_bucket

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ACTION_WEIGHTS: Final = {"view": 1.0, "cart": 2.0, "favourite": 2.0, "buy": 3.0}
STEPS: Final = 5
STEP_POWER: Final = 1.5
POOL: Final = 40
REBUYERS: Final = 5
REBUYING_SHARE: Final = 0.2
WEIGHT: Final = "_weight"
PLACE: Final = "_place"
SHARE: Final = "_share"
PERSON_PRODUCT: Final = (C.SUBJECT_ID, C.PRODUCT_ID)
_AT, _STEP, _PEOPLE, _DAYS, _AGAIN = "_at", "_step", "_people", "_days", "_again"


def select_interactions(clicks: "DataFrame", sales: "DataFrame") -> "DataFrame":
    """One row per unflagged click on a product and per purchase: day, person, bucket, product, weight and time."""
    counted = clicks.where(F.col(C.FLAG).isNull() & F.col(C.PRODUCT_ID).isNotNull())
    weight = F.lit(ACTION_WEIGHTS["view"])
    for action, value in ACTION_WEIGHTS.items():
        weight = F.when(F.col(C.ACTION) == action, F.lit(value)).otherwise(weight)
    product_clicks = counted.where(F.col(C.ACTION).isin(*PRODUCT_ACTIONS))
    clicked = product_clicks.select(
        C.DAY, C.SUBJECT_ID, C.SUBJECT_BUCKET, C.PRODUCT_ID, weight.alias(WEIGHT), F.col(C.EVENT_TIME).alias(_AT)
    )
    bought_weight = F.lit(ACTION_WEIGHTS["buy"]).alias(WEIGHT)
    known = sales.where(F.col(C.SUBJECT_ID).isNotNull())
    bucket = subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET)
    at = F.col(C.ORDERED_AT).alias(_AT)
    bought = known.select(C.DAY, C.SUBJECT_ID, bucket, C.PRODUCT_ID, bought_weight, at)
    return clicked.unionByName(bought)


def weigh_recent_products(interactions: "DataFrame") -> "DataFrame":
    """The last ``STEPS`` distinct products of each person, weighed by their strongest action and their step."""
    by_product = interactions.groupBy(*PERSON_PRODUCT).agg(F.max(WEIGHT).alias(WEIGHT), F.max(_AT).alias(_AT))
    latest_first = Window.partitionBy(C.SUBJECT_ID).orderBy(F.desc(_AT), C.PRODUCT_ID)
    steps = by_product.withColumn(_STEP, F.row_number().over(latest_first)).where(F.col(_STEP) <= STEPS)
    fading = F.col(_STEP) * F.sqrt(_STEP)  # to the power of STEP_POWER, and the same on every engine
    return steps.select(*PERSON_PRODUCT, (F.col(WEIGHT) / fading).alias(WEIGHT))


def find_owned(sales: "DataFrame", interactions: "DataFrame") -> "DataFrame":
    """Person and product of what need not be recommended again: bought, and no product that people keep buying.

    People keep buying a product when at least ``REBUYERS`` of them, and ``REBUYING_SHARE`` of its buyers, bought it on
    several days.

    Args:
        sales: all order lines that count.
        interactions: of :func:`select_interactions`, with purchases that only the clicks tell.
    """
    known = sales.where(F.col(C.SUBJECT_ID).isNotNull())
    days = known.select(*PERSON_PRODUCT, C.DAY).distinct().groupBy(*PERSON_PRODUCT).agg(F.count(F.lit(1)).alias(_DAYS))
    again = F.sum((F.col(_DAYS) > 1).cast("bigint")).alias(_AGAIN)
    buyers = days.groupBy(C.PRODUCT_ID).agg(F.count(F.lit(1)).alias(_PEOPLE), again)
    is_bought_again = (F.col(_AGAIN) >= REBUYERS) & (F.col(_AGAIN) >= F.col(_PEOPLE) * REBUYING_SHARE)
    clicked = interactions.where(F.col(WEIGHT) == ACTION_WEIGHTS["buy"]).select(*PERSON_PRODUCT)
    bought = known.select(*PERSON_PRODUCT).unionByName(clicked).distinct()
    return bought.join(buyers.where(is_bought_again).select(C.PRODUCT_ID), C.PRODUCT_ID, how="left_anti")


def count_people(interactions: "DataFrame") -> "DataFrame":
    """One row per product: ``product_id`` and how many people bought it or looked at it."""
    # Distinct numbers take a fraction of the memory that distinct pseudonyms take.
    people = interactions.select(C.PRODUCT_ID, F.xxhash64(C.SUBJECT_ID)).distinct().groupBy(C.PRODUCT_ID)
    return people.agg(F.count(F.lit(1)).alias(_PEOPLE))


def pick_popular(counted: "DataFrame") -> "DataFrame":
    """The ``POOL`` products that most people bought or looked at: ``PLACE`` and ``SHARE`` of the first one's people.

    The pool is twice as long as a list, so that it fills one also when many of its products are known to a person.

    Args:
        counted: of :func:`count_people`, also several rows per product, each of other people.
    """
    everything = Window.partitionBy(F.lit(1))
    most_first = everything.orderBy(F.desc(_PEOPLE), C.PRODUCT_ID)
    summed = counted.groupBy(C.PRODUCT_ID).agg(F.sum(_PEOPLE).alias(_PEOPLE))
    placed = summed.withColumn(PLACE, F.row_number().over(most_first))
    share = F.col(_PEOPLE) / F.max(_PEOPLE).over(everything)
    return placed.withColumn(SHARE, share).where(F.col(PLACE) <= POOL).select(C.PRODUCT_ID, PLACE, SHARE)
