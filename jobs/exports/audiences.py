"""The rows of a partner's package: whom an ad may be shown to, and which apps they already have."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

INTEREST_DAYS: Final = 30
NO_SEGMENT: Final = "none"
INSTALL: Final = "install"


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


def find_installs(clicks: "DataFrame", subjects: "DataFrame", *, day: date) -> "DataFrame":
    """Apps each person installed up to a day, from whichever of the person's addresses.

    Returns:
        ``person_id``, ``app_id`` and ``installed_on`` (the first time), one row per person and app.
    """
    is_install = (F.col(C.ACTION) == INSTALL) & F.col(C.APP_ID).isNotNull() & (F.col(C.DAY) <= F.lit(day))
    people = subjects.select(C.SUBJECT_ID, C.PERSON_ID)
    installs = clicks.where(is_install).select(C.SUBJECT_ID, C.APP_ID, C.DAY)
    return (
        installs.join(people, C.SUBJECT_ID, how="inner")
        .groupBy(C.PERSON_ID, C.APP_ID)
        .agg(F.min(C.DAY).alias(C.INSTALLED_ON))
    )


def place_in_segments(judged: "DataFrame", segments: "DataFrame") -> "DataFrame":
    """Judged subjects with what a package needs of them.

    Args:
        judged: with ``subject_id``, ``person_id``, ``country``, ``reason`` and ``ad_id``.
        segments: rows of :func:`find_segments`.

    Returns:
        Those five columns and ``segment``, which is ``none`` for whoever has none.
    """
    placed = segments.join(judged, C.PERSON_ID, how="right")
    return placed.select(
        C.SUBJECT_ID,
        C.PERSON_ID,
        C.COUNTRY,
        F.coalesce(C.SEGMENT, F.lit(NO_SEGMENT)).alias(C.SEGMENT),
        C.REASON,
        C.AD_ID,
    )


def build_app_installs(eligible: "DataFrame", installs: "DataFrame") -> "DataFrame":
    """Rows of ``exports.app_installs``: one per identifier and app that its person has.

    Args:
        eligible: subjects that may be exported, with ``ad_id``.
        installs: rows of :func:`find_installs`.
    """
    owners = eligible.select(C.PERSON_ID, C.AD_ID).join(installs, C.PERSON_ID, how="inner")
    return owners.groupBy(C.AD_ID, C.APP_ID).agg(F.min(C.INSTALLED_ON).alias(C.INSTALLED_ON))
