"""Accounts that addresses in common tie together, also over several steps: most often one human with two accounts.

Addresses that several accounts hold are few, so the circles are found here rather than in the engine, where a chain of
accounts would cost a join for each of its links.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.people.circles import draw_circles

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SCHEMA: Final = f"{C.PERSON_ID} string, {C.CIRCLE_ID} string"


def find_ties(identities: "DataFrame") -> "DataFrame":
    """Addresses that several accounts hold.

    Args:
        identities: rows of ``vault.identities``, all there are.

    Returns:
        ``subject_id`` and ``person_id``, one row per such address and account.
    """
    held = identities.select(C.SUBJECT_ID, C.PERSON_ID).distinct()
    holders = held.groupBy(C.SUBJECT_ID).agg(F.count(F.lit(1)).alias("_holders"))
    shared = holders.where(F.col("_holders") > 1).select(C.SUBJECT_ID)
    return shared.join(held, on=C.SUBJECT_ID, how="inner")


def find_circles(lake: Lake, identities: "DataFrame") -> "DataFrame":
    """``person_id`` and ``circle_id`` of the accounts that are in a circle, one row each."""
    import pyarrow as pa

    ties = identities.transform(find_ties).toArrow()
    drawn = draw_circles(zip(ties[C.SUBJECT_ID].to_pylist(), ties[C.PERSON_ID].to_pylist(), strict=True))
    texts = [pa.array(names, pa.string()) for names in (list(drawn), list(drawn.values()))]
    return lake.session.createDataFrame(pa.table(texts, names=[C.PERSON_ID, C.CIRCLE_ID]), SCHEMA)


def find_moved(subjects: "DataFrame", circles: "DataFrame") -> "DataFrame":
    """``subject_id`` of those whose account has another circle than ``lake.subjects`` says."""
    drawn = circles.withColumnRenamed(C.CIRCLE_ID, "_drawn")
    beside = drawn.join(subjects, on=C.PERSON_ID, how="right")
    return beside.where(~F.col(C.CIRCLE_ID).eqNullSafe(F.col("_drawn"))).select(C.SUBJECT_ID)
