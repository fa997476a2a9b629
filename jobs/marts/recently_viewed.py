"""``marts.recently_viewed``: the products each person looked at last.

It is personalisation too: people who opted out of it, and closed accounts, have no rows. Guests have.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.slices import cut_buckets
from jobs.privacy.rights.choices import apply_choices
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

TABLE: Final = "marts.recently_viewed"
CLICKS: Final = "lake.clicks"
WINDOW_DAYS: Final = 30
TOP: Final = 20
SLICE_CLICKS: Final = 8_000_000
"""Clicks whose lists are made at once."""


def list_unwilling(subjects: "DataFrame") -> "DataFrame":
    """``subject_id`` of people who opted out of personalisation or closed their account."""
    return subjects.where(F.col(C.PERSONALISATION_OPT_OUT) | F.col(C.CLOSED_ON).isNotNull()).select(C.SUBJECT_ID)


def build_recently_viewed(clicks: "DataFrame", unwilling: "DataFrame", *, as_of: "date") -> "DataFrame":
    """The latest ``TOP`` distinct products of each person, in the contract's columns.

    Args:
        clicks: of some people, all that count.
        unwilling: of :func:`list_unwilling`, at least those of these people.
        as_of: last day taken into account.
    """
    is_view = F.col(C.FLAG).isNull() & (F.col(C.ACTION) == "view") & F.col(C.PRODUCT_ID).isNotNull()
    by_product = clicks.where(is_view).groupBy(C.SUBJECT_ID, C.SUBJECT_BUCKET, C.PRODUCT_ID)
    viewed = by_product.agg(F.max(C.EVENT_TIME).alias(C.VIEWED_AT)).join(unwilling, C.SUBJECT_ID, how="left_anti")
    latest_first = Window.partitionBy(C.SUBJECT_ID).orderBy(F.desc(C.VIEWED_AT), C.PRODUCT_ID)
    latest = viewed.withColumn(C.RANK, F.row_number().over(latest_first)).where(F.col(C.RANK) <= TOP)
    as_of_day = F.lit(as_of).alias(C.AS_OF)
    return latest.select(C.SUBJECT_ID, C.SUBJECT_BUCKET, C.PRODUCT_ID, C.RANK, C.VIEWED_AT, as_of_day)


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    clicks, bucket = lake.read(CLICKS, days=window), F.col(C.SUBJECT_BUCKET)
    number = lake.count(CLICKS, days=window)
    slices = cut_buckets(number, per_slice=SLICE_CLICKS)
    subjects = lake.read("lake.subjects").transform(apply_choices, lake.read("ledger.choices"))
    with lake.scratch(list_unwilling(subjects)) as unwilling:
        parts = (clicks.where(bucket.between(buckets.start, buckets.stop - 1)) for buckets in slices)
        lists = (build_recently_viewed(part, unwilling.frame, as_of=days.last) for part in parts)
        staged = lake.replace_parts(TABLE, lists, gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: nobody viewed a product in {window}."]
    return StepReport(rows_in=number, rows_out=staged.rows, warnings=warnings)
