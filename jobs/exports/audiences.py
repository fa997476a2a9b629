"""Whom an ad may be shown to: each person's segment, and how many are alike."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.privacy.humans import human

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

INTEREST_DAYS: Final = 30
NO_SEGMENT: Final = "none"


def find_segments(clicks: "DataFrame", products: "DataFrame", subjects: "DataFrame", *, day: date) -> "DataFrame":
    """Each person's top category of the last 30 days.

    Args:
        clicks: one row per click, in the columns of ``lake.clicks``; flagged ones do not count.
        products: one row per product with its ``category``.
        subjects: one row per subject with its ``person_id``.
        day: last of the 30 days.

    Returns:
        ``person_id`` and ``segment``, one row per person with such clicks; of two equal categories the first by name.
    """
    first = day - timedelta(days=INTEREST_DAYS - 1)
    is_counted = F.col(C.DAY).between(first, day) & F.col(C.FLAG).isNull()
    viewed = clicks.where(is_counted).groupBy(C.SUBJECT_ID, C.PRODUCT_ID).agg(F.count(F.lit(1)).alias(C.CLICKS))
    known = products.where(F.col(C.CATEGORY).isNotNull()).select(C.PRODUCT_ID, C.CATEGORY)
    people = subjects.select(C.SUBJECT_ID, C.PERSON_ID)
    interests = (
        viewed.join(known, C.PRODUCT_ID, how="inner")
        .join(people, C.SUBJECT_ID, how="inner")
        .groupBy(C.PERSON_ID, C.CATEGORY)
        .agg(F.sum(C.CLICKS).alias(C.CLICKS))
    )
    by_interest = Window.partitionBy(C.PERSON_ID).orderBy(F.desc(C.CLICKS), C.CATEGORY)
    ranked = interests.withColumn("_place", F.row_number().over(by_interest))
    return ranked.where("_place = 1").select(C.PERSON_ID, F.col(C.CATEGORY).alias(C.SEGMENT))


def place_in_segments(judged: "DataFrame", segments: "DataFrame") -> "DataFrame":
    """Judged subjects with what a package needs of them.

    Args:
        judged: with ``subject_id``, ``person_id``, ``circle_id``, ``country``, ``reason`` and ``ad_id``.
        segments: rows of :func:`find_segments`.

    Returns:
        Those six columns and ``segment``, which is ``none`` for whoever has none.
    """
    placed = segments.join(judged, C.PERSON_ID, how="right")
    return placed.select(
        C.SUBJECT_ID,
        C.PERSON_ID,
        C.CIRCLE_ID,
        C.COUNTRY,
        F.coalesce(C.SEGMENT, F.lit(NO_SEGMENT)).alias(C.SEGMENT),
        C.REASON,
        C.AD_ID,
    )


def count_humans(rows: "DataFrame", *columns: str, name: str) -> "DataFrame":
    """How many humans each combination of values is true of; accounts tied by addresses in common are one.

    Args:
        rows: with ``person_id``, ``circle_id`` and the columns.
        columns: to count by.
        name: of the column with the count.
    """
    return rows.select(*columns, human()).distinct().groupBy(*columns).agg(F.count(F.lit(1)).alias(name))
