"""Which ad a purchase belongs to, and how much one human may add to the numbers of a partner's week.

A purchase belongs to the last ad that the partner showed to its buyer before it, while that ad counts. One human, all
addresses and accounts taken together, counts in at most ``MAX_CAMPAIGNS`` campaigns, once in each number of people, and
with at most ``REVENUE_CAP``.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.privacy.humans import HUMAN, human

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ALL: Final = "(all)"
"""The row of all campaigns together; no campaign can be called so."""
MAX_CAMPAIGNS: Final = 3
REVENUE_CAP: Final = 200
"""In whole units of currency per human, week and partner."""
PERSON: Final = "_person"
CENTS: Final = "_cents"
_PLACE, _TOTAL = "_place", "_total"


def name_people(rows: "DataFrame", subjects: "DataFrame") -> "DataFrame":
    """Rows with ``_person``: the human behind a pseudonym, by account and addresses in common where they are known."""
    known = rows.join(subjects.select(C.SUBJECT_ID, human()), C.SUBJECT_ID, how="left")
    return known.withColumn(PERSON, F.coalesce(HUMAN, C.SUBJECT_ID)).drop(HUMAN)


def touch_last(impressions: "DataFrame", lines: "DataFrame") -> "DataFrame":
    """Sales beside the last impression before them that still counts.

    Args:
        impressions: of one partner, with ``_person``; also those after the week that is asked for.
        lines: order lines that count as sales, with ``_person``.

    Returns:
        One row per line that has such an impression: ``day`` and ``campaign`` of it, ``_person`` and ``_cents``.
    """
    cents = (F.col(C.QUANTITY) * F.col(C.UNIT_PRICE) * 100).cast("bigint").alias(CENTS)
    sales = lines.select(PERSON, C.LINE_ID, C.ORDERED_AT, cents)
    shown = impressions.select(PERSON, C.DAY, C.IMPRESSION_ID, C.CAMPAIGN, C.SHOWN_AT, C.COUNTS_UNTIL)
    is_before = F.col(C.SHOWN_AT) < F.col(C.ORDERED_AT)
    still_counts = F.to_date(C.ORDERED_AT) <= F.col(C.COUNTS_UNTIL)
    touches = shown.join(sales, PERSON, how="inner").where(is_before & still_counts)
    last_first = Window.partitionBy(C.LINE_ID).orderBy(F.desc(C.SHOWN_AT), C.IMPRESSION_ID)
    placed = touches.withColumn(_PLACE, F.row_number().over(last_first))
    return placed.where(F.col(_PLACE) == 1).select(C.DAY, PERSON, C.CAMPAIGN, CENTS)


def sum_contributions(impressions: "DataFrame", touches: "DataFrame") -> "DataFrame":
    """One row per human and campaign of a week: 1 or 0 for ``clicked`` and ``bought``, and ``_cents``.

    Args:
        impressions: of one partner and week, with ``_person``.
        touches: of :func:`touch_last`, of the same partner and week.
    """
    clicked = F.max(F.col(C.IS_CLICK).cast("int")).alias(C.CLICKED)
    reached = impressions.groupBy(PERSON, C.CAMPAIGN).agg(clicked)
    bought = touches.groupBy(PERSON, C.CAMPAIGN).agg(F.sum(CENTS).alias(CENTS), F.lit(1).alias(C.BOUGHT))
    both = reached.join(bought, [PERSON, C.CAMPAIGN], how="left")
    # A line below zero would let one human's amounts differ by more than the cap.
    cents = F.greatest(F.coalesce(CENTS, F.lit(0)), F.lit(0)).cast("bigint").alias(CENTS)
    return both.select(PERSON, C.CAMPAIGN, C.CLICKED, F.coalesce(C.BOUGHT, F.lit(0)).alias(C.BOUGHT), cents)


def bound_contributions(contributions: "DataFrame", *, by: str) -> "DataFrame":
    """At most ``MAX_CAMPAIGNS`` rows and ``REVENUE_CAP`` per human; an amount above it shrinks in proportion.

    Args:
        contributions: of :func:`sum_contributions`, with a keyed digest of human and campaign.
        by: its column; the smallest ones are kept, which neither the partner nor the human can foresee.

    Returns:
        ``_person, campaign, clicked, bought, revenue``, the last in whole units, rounded down.
    """
    of_person = Window.partitionBy(PERSON)
    placed = contributions.withColumn(_PLACE, F.row_number().over(of_person.orderBy(by)))
    kept = placed.where(F.col(_PLACE) <= MAX_CAMPAIGNS).withColumn(_TOTAL, F.sum(CENTS).over(of_person))
    shared_out = F.col(CENTS) * REVENUE_CAP / F.greatest(F.col(_TOTAL), F.lit(REVENUE_CAP * 100))
    revenue = F.floor(shared_out).cast("bigint").alias(C.REVENUE)
    return kept.select(PERSON, C.CAMPAIGN, C.CLICKED, C.BOUGHT, revenue)


def count_campaigns(bounded: "DataFrame") -> "DataFrame":
    """Exact ``reached``, ``clicked``, ``bought`` and ``revenue`` per campaign, and of all together as ``(all)``."""
    people = bounded.groupBy(PERSON).agg(
        *(F.max(name).alias(name) for name in (C.CLICKED, C.BOUGHT)), F.sum(C.REVENUE).alias(C.REVENUE)
    )
    every = people.withColumn(C.CAMPAIGN, F.lit(ALL))
    numbers = (C.CLICKED, C.BOUGHT, C.REVENUE)
    both = bounded.select(C.CAMPAIGN, *numbers).unionByName(every.select(C.CAMPAIGN, *numbers))
    sums = (F.sum(name).cast("bigint").alias(name) for name in numbers)
    return both.groupBy(C.CAMPAIGN).agg(F.count(F.lit(1)).alias(C.REACHED), *sums)
