"""Purchases that do not count in charts, because no honest customer buys like this.

Rules, all of them per day of sale:
    * *too many orders*: a person who placed more than ``MOST_ORDERS`` orders; none of the day's counts.
    * *orders too fast*: a person who placed ``FAST_ORDERS`` orders within ``FAST_SECONDS``; none of the day's counts.
    * *flagged clicks*: a person whose clicks of the day were flagged as those of a bot; none of the day's counts.
    * *burst of buyers*: a product that ``BURST_PEOPLE`` known people or more, and at least half of its known buyers of
      the day, bought within one hour (or within one that begins at half past): none of these purchases counts. What
      sells all day long has no such hour; what a ring of accounts pushes has. Orders of nobody known are no sign of a
      ring: a shop books them in batches.

What is left of a person counts with at most ``MOST_UNITS`` units per product and period.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOST_UNITS: Final = 100
MOST_ORDERS: Final = 20
FAST_ORDERS: Final = 5
FAST_SECONDS: Final = 600
BURST_PEOPLE: Final = 10
HOUR: Final = 3600
TOO_MANY, TOO_FAST, FLAGGED = "too many orders", "orders too fast", "flagged clicks"
BURST: Final = "burst of buyers"
RULES: Final = (TOO_MANY, TOO_FAST, FLAGGED, BURST)
CONTRIBUTOR: Final = "_contributor"
"""A person, or an order of somebody unknown, as a 64-bit hash."""
IS_KNOWN: Final = "_is_known"
_SECOND, _FAST, _ORDERS, _FLAG, _BURST = "_second", "_fast", "_orders", "_flag", "_burst"
_GRID, _SLOT, _PEOPLE, _ALL = "_grid", "_slot", "_people", "_all"


def find_suspects(purchases: "DataFrame", flagged: "DataFrame") -> "DataFrame":
    """Persons none of whose purchases of a day count: ``day``, ``_contributor``, ``rule``, one row each.

    Args:
        purchases: with ``day``, ``_contributor``, ``order_id`` and ``ordered_at``.
        flagged: ``day`` and ``_contributor`` of people whose clicks were flagged.
    """
    in_order = Window.partitionBy(C.DAY, CONTRIBUTOR).orderBy(_SECOND, C.ORDER_ID)
    second = F.unix_timestamp(C.ORDERED_AT)
    orders = purchases.groupBy(C.DAY, CONTRIBUTOR, C.ORDER_ID).agg(F.min(second).alias(_SECOND))
    is_fast = (F.col(_SECOND) - F.lag(_SECOND, FAST_ORDERS - 1).over(in_order)) < FAST_SECONDS
    by_person = orders.withColumn(_FAST, F.coalesce(is_fast, F.lit(False))).groupBy(C.DAY, CONTRIBUTOR)
    counted = by_person.agg(F.count(F.lit(1)).alias(_ORDERS), F.max(_FAST).alias(_FAST))
    marked = flagged.select(C.DAY, CONTRIBUTOR).distinct().withColumn(_FLAG, F.lit(True))
    both = counted.join(marked, [C.DAY, CONTRIBUTOR], how="left")
    rule = F.when(F.col(_ORDERS) > MOST_ORDERS, F.lit(TOO_MANY)).when(F.col(_FAST), F.lit(TOO_FAST))
    named = both.withColumn(C.RULE, rule.when(F.col(_FLAG), F.lit(FLAGGED)))
    return named.where(F.col(C.RULE).isNotNull()).select(C.DAY, CONTRIBUTOR, C.RULE)


def find_bursts(purchases: "DataFrame") -> "DataFrame":
    """Purchases that are part of a burst: ``day``, ``product_id``, ``_contributor``, ``_burst``, one row each.

    Args:
        purchases: with ``day``, ``product_id``, ``_contributor``, ``_is_known`` and ``ordered_at``.
    """
    keys = (C.DAY, C.PRODUCT_ID)
    second = F.min(F.unix_timestamp(C.ORDERED_AT)).alias(_SECOND)
    firsts = purchases.where(IS_KNOWN).groupBy(*keys, CONTRIBUTOR).agg(second)
    days = firsts.groupBy(*keys).agg(F.count(F.lit(1)).alias(_ALL)).where(F.col(_ALL) >= BURST_PEOPLE)
    busy = firsts.join(days, list(keys), how="inner").withColumn(_GRID, F.explode(F.array(F.lit(0), F.lit(HOUR // 2))))
    slotted = busy.withColumn(_SLOT, F.floor((F.col(_SECOND) + F.col(_GRID)) / HOUR))
    slots = slotted.groupBy(*keys, _GRID, _SLOT).agg(F.count(F.lit(1)).alias(_PEOPLE), F.max(_ALL).alias(_ALL))
    is_burst = (F.col(_PEOPLE) >= BURST_PEOPLE) & (F.col(_PEOPLE) * 2 >= F.col(_ALL))
    bursts = slots.where(is_burst).select(*keys, _GRID, _SLOT)
    caught = slotted.join(bursts, [*keys, _GRID, _SLOT], how="left_semi").select(*keys, CONTRIBUTOR).distinct()
    return caught.withColumn(_BURST, F.lit(True))


def judge(purchases: "DataFrame", suspects: "DataFrame", bursts: "DataFrame") -> "DataFrame":
    """Purchases with ``rule``: the one against each, null where it counts."""
    beside = purchases.join(suspects, [C.DAY, CONTRIBUTOR], how="left")
    both = beside.join(bursts, [C.DAY, C.PRODUCT_ID, CONTRIBUTOR], how="left")
    rule = F.coalesce(C.RULE, F.when(F.col(_BURST), F.lit(BURST)))
    return both.select(*purchases.columns, rule.alias(C.RULE))


def count_excluded(judged: "DataFrame") -> "DataFrame":
    """Rows of ``ledger.chart_exclusions``.

    Args:
        judged: of :func:`judge`.
    """
    keys = (C.DAY, C.PRODUCT_ID, C.RULE)
    excluded = judged.where(F.col(C.RULE).isNotNull())
    by_person = excluded.groupBy(*keys, CONTRIBUTOR, C.ORDER_ID).agg(F.sum(C.QUANTITY).alias(C.UNITS))
    persons = by_person.groupBy(*keys, CONTRIBUTOR).agg(
        F.count(F.lit(1)).alias(C.ORDERS), F.sum(C.UNITS).alias(C.UNITS)
    )
    sums = (F.sum(name).cast("bigint").alias(name) for name in (C.ORDERS, C.UNITS))
    return (
        persons.groupBy(*keys).agg(F.count(F.lit(1)).alias(C.PEOPLE), *sums).select(*keys, C.PEOPLE, C.ORDERS, C.UNITS)
    )
