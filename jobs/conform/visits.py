"""``lake.sessions``: the visits that clicks form, and which traffic does not count.

Rules:
    * A visit ends after 30 minutes without an event, and at midnight UTC.
    * A person's events of a day do not count (``flag``) when the agent declares itself a bot, when there are more
      than 2,000 of them, or when 60 fall within a minute.

Rows are walked through in one order per bucket of people rather than per person: the embedded engine pays for every
partition of a window and every column in it. The bucket comes first because files are clustered by it.
"""

from collections import Counter
from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CLICKS: Final = "lake.clicks"
SESSIONS: Final = "lake.sessions"
VISIT_GAP_SECONDS: Final = 30 * 60
MAX_EVENTS_A_DAY: Final = 2_000
BURST_EVENTS: Final = 60
BURST_SECONDS: Final = 60

DECLARED_BOT: Final = "declared bot"
TOO_MANY: Final = "more than 2,000 events in a day"
TOO_FAST: Final = "60 events within a minute"

PERSONS_DAY: Final = (C.DAY, C.SUBJECT_ID)


def form_visits(events: "DataFrame") -> "DataFrame":
    """Drop duplicates, number the visits and flag what does not count.

    Args:
        events: all events of whole days, in the columns of ``lake.clicks``.

    Returns:
        The same columns, one row per ``event_id``, with ``session_id`` and ``flag``.
    """
    abuse = events.transform(find_abuse).withColumnRenamed(C.FLAG, "_abuse")
    numbered = abuse.join(events, list(PERSONS_DAY), how="right").transform(_find_visit_starts)
    is_first = F.coalesce(F.col("_event_before") != F.col(C.EVENT_ID), F.lit(True))
    flag = F.when(F.col(C.DEVICE) == "bot", F.lit(DECLARED_BOT)).otherwise(F.col("_abuse"))
    session_id = F.xxhash64(C.SUBJECT_ID, "_visit_start")
    return numbered.where(is_first).withColumns({C.SESSION_ID: session_id, C.FLAG: flag}).select(*events.columns)


def find_abuse(events: "DataFrame") -> "DataFrame":
    """Days of people with too many events or too fast ones.

    Args:
        events: all events of whole days, duplicates included.

    Returns:
        ``day, subject_id, flag``: one row per person and day that does not count, whatever the agents say.
    """
    rows_a_day = events.groupBy(*PERSONS_DAY).agg(F.count(F.lit(1)).alias("_events"))
    busy = rows_a_day.where(F.col("_events") >= min(BURST_EVENTS, MAX_EVENTS_A_DAY + 1)).select(*PERSONS_DAY)
    narrow = events.select(*PERSONS_DAY, C.EVENT_ID, _seconds().alias("_seconds"))
    distinct = busy.join(narrow, list(PERSONS_DAY), how="inner").select(*narrow.columns).distinct()
    in_order = Window.partitionBy(*PERSONS_DAY).orderBy("_seconds", C.EVENT_ID)
    burst = F.col("_seconds") - F.lag("_seconds", BURST_EVENTS - 1).over(in_order)
    days = distinct.withColumn("_burst", burst).groupBy(*PERSONS_DAY)
    counted = days.agg(F.count(F.lit(1)).alias("_events"), F.min("_burst").alias("_burst"))
    is_too_many, is_too_fast = F.col("_events") > MAX_EVENTS_A_DAY, F.col("_burst") < BURST_SECONDS
    flag = F.when(is_too_many, F.lit(TOO_MANY)).when(is_too_fast, F.lit(TOO_FAST))
    return counted.select(*PERSONS_DAY, flag.alias(C.FLAG)).where(F.col(C.FLAG).isNotNull())


def sum_visits(clicks: "DataFrame") -> "DataFrame":
    """One row per visit, in the columns of ``lake.sessions``.

    Args:
        clicks: rows of ``lake.clicks``.
    """
    visit = (C.DAY, C.SESSION_ID, C.SUBJECT_ID, C.SUBJECT_BUCKET)
    by_product = clicks.groupBy(*visit, C.PRODUCT_ID).agg(
        F.min(C.EVENT_TIME).alias(C.STARTED_AT),
        F.max(C.EVENT_TIME).alias(C.ENDED_AT),
        F.count(F.lit(1)).alias(C.CLICKS),
        F.max(C.FLAG).alias(C.FLAG),
    )
    visits = by_product.groupBy(*visit).agg(
        F.min(C.STARTED_AT).alias(C.STARTED_AT),
        F.max(C.ENDED_AT).alias(C.ENDED_AT),
        F.sum(C.CLICKS).alias(C.CLICKS),
        F.count(C.PRODUCT_ID).alias(C.PRODUCTS_VIEWED),
        F.max(C.FLAG).alias(C.FLAG),
    )
    return visits.select(
        C.DAY,
        C.SESSION_ID,
        C.SUBJECT_ID,
        C.SUBJECT_BUCKET,
        C.STARTED_AT,
        C.ENDED_AT,
        C.CLICKS,
        C.PRODUCTS_VIEWED,
        C.FLAG,
    )


def publish_visits(lake: Lake, touched: Collection[date], *, near: Days) -> None:
    """Form the visits of the touched days anew, and of days where a crash left them behind their clicks.

    Args:
        lake: the lake.
        touched: days whose clicks were rewritten.
        near: days that may have been left behind.
    """
    changed = sorted({*touched, *_list_stale_days(lake, near)})
    if not changed:
        return
    clicks = lake.read(CLICKS, days=Days(changed[0], changed[-1])).where(F.col(C.DAY).isin(*changed))
    lake.replace(SESSIONS, clicks.transform(sum_visits), partitions=[str(day) for day in changed])


def _list_stale_days(lake: Lake, near: Days) -> set[date]:
    """Days whose visits do not hold as many clicks as there are."""
    clicks = Counter[date]()
    for file in lake.list_files(CLICKS):
        if file.partition:
            clicks[date.fromisoformat(file.partition)] += file.rows
    summed = lake.read(SESSIONS, days=near).groupBy(C.DAY).agg(F.sum(C.CLICKS).alias(C.CLICKS)).collect()
    of_visits = {row[C.DAY]: row[C.CLICKS] for row in summed}
    return {day for day in near if clicks[day] != of_visits.get(day, 0)}


def _find_visit_starts(events: "DataFrame") -> "DataFrame":
    """Events with the second their visit started in (``_visit_start``) and the event before (``_event_before``)."""
    in_order = Window.partitionBy(C.SUBJECT_BUCKET, C.DAY).orderBy(C.SUBJECT_ID, C.EVENT_TIME, C.EVENT_ID, C.PULL_DAY)
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = {
        "_event_before": F.lag(C.EVENT_ID).over(in_order),
        "_subject_before": F.lag(C.SUBJECT_ID).over(in_order),
        "_seconds_before": F.lag("_seconds").over(in_order),
    }
    timed = events.withColumn("_seconds", _seconds()).withColumns(before)
    is_same_person = F.col("_subject_before") == F.col(C.SUBJECT_ID)
    is_soon = F.col("_seconds") - F.col("_seconds_before") <= VISIT_GAP_SECONDS
    is_start = ~F.coalesce(is_same_person & is_soon, F.lit(False))
    starts = timed.withColumn("_start", F.when(is_start, F.col("_seconds")))
    return starts.withColumn("_visit_start", F.last("_start", ignorenulls=True).over(so_far))


def _seconds() -> "Column":
    return F.unix_micros(C.EVENT_TIME) / 1_000_000
