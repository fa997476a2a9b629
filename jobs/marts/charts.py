"""Charts from movements: sums per period, the scopes a product is ranked in, and how places move.

A chart is one period and one scope: overall, one category of any level of the tree, or one country. A product is *on
the chart* with a place among the first ``CHART``.
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.conform.currencies import CENTS
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.marts.abuse import CONTRIBUTOR, MOST_UNITS
from jobs.marts.movements import BOUGHT, sum_movements
from jobs.marts.periods import ORDINAL, WEEK, Period

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

OVERALL, CATEGORY, COUNTRY, ALL = "overall", "category", "country", "all"
CHART: Final = 100
LEVELS: Final = 8
"""Levels of the category tree that have charts; what is deeper counts in the eighth."""
WEEKS_BACK: Final = 52
SCOPE_KEY: Final = (C.SCOPE, C.SCOPE_VALUE)
DESCRIBED: Final = (C.PRODUCT_NAME, C.CATEGORY, C.CATEGORY_PATH)
_BY_COUNTRY, _FACTOR, _OF, _IN, _PARTS = "_by_country", "_factor", "_of", "_in", "_parts"
_WEEKS, _WEEK = "_weeks", "_week"


def sum_periods(movements: "DataFrame", calendar: "DataFrame") -> "DataFrame":
    """One row per period and product, overall (``country`` null) and per country: units, cents, returns, buyers.

    Args:
        movements: of :class:`jobs.marts.movements.Movements`.
        calendar: of :func:`jobs.marts.periods.build_calendar`.
    """
    periods = F.broadcast(calendar).join(movements, C.DAY, how="inner")
    both = periods.withColumn(_BY_COUNTRY, F.explode(F.array(F.lit(False), F.lit(True))))
    scoped = both.where(~F.col(_BY_COUNTRY) | F.col(C.COUNTRY).isNotNull())
    country = F.when(F.col(_BY_COUNTRY), F.col(C.COUNTRY)).alias(C.COUNTRY)
    facts = [name for name in movements.columns if name not in (C.DAY, C.COUNTRY, C.PRODUCT_ID, CONTRIBUTOR)]
    keyed = scoped.select(ORDINAL, country, C.PRODUCT_ID, CONTRIBUTOR, *facts)
    by_person = keyed.groupBy(ORDINAL, C.COUNTRY, C.PRODUCT_ID, CONTRIBUTOR).agg(*sum_movements())
    sums = (F.sum(name).cast("bigint").alias(name) for name in (C.UNITS, CENTS, C.RETURNS))
    buyers = F.count(F.when(F.col(BOUGHT), F.lit(1))).alias(C.BUYERS)
    return by_person.transform(cap_units).groupBy(ORDINAL, C.COUNTRY, C.PRODUCT_ID).agg(*sums, buyers)


def cap_units(by_person: "DataFrame") -> "DataFrame":
    """Rows with at most ``MOST_UNITS`` units, sold or come back, and the money of as many."""
    units, cents = F.col(C.UNITS), F.col(CENTS)
    is_above = F.abs(units) > MOST_UNITS
    shrunk = F.floor(cents.cast("double") * MOST_UNITS / F.abs(units)).cast("bigint")
    capped = F.greatest(F.least(units, F.lit(MOST_UNITS)), F.lit(-MOST_UNITS)).cast("bigint")
    return by_person.withColumn(CENTS, F.when(is_above, shrunk).otherwise(cents)).withColumn(C.UNITS, capped)


def list_scopes(products: "DataFrame") -> "DataFrame":
    """Overall, and every level of a product's path: ``_of`` (the product), ``_in``, ``scope_value``, ``level``."""
    parts = F.slice(F.split(C.CATEGORY_PATH, "/"), 1, LEVELS)
    levelled = products.select(F.col(C.PRODUCT_ID).alias(_OF), parts.alias(_PARTS)).withColumn(
        C.LEVEL, F.explode(F.sequence(F.lit(0), F.size(_PARTS)))
    )
    path = F.array_join(F.slice(_PARTS, F.lit(1), F.col(C.LEVEL)), "/")
    is_top = F.col(C.LEVEL) == 0
    return levelled.select(
        _OF,
        F.when(is_top, F.lit(OVERALL)).otherwise(F.lit(CATEGORY)).alias(_IN),
        F.when(is_top, F.lit(ALL)).otherwise(path).alias(C.SCOPE_VALUE),
        F.when(~is_top, F.col(C.LEVEL)).alias(C.LEVEL),
    )


def add_scopes(sums: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Rows repeated for every scope, with ``scope``, ``scope_value`` and ``level`` in place of ``country``.

    A product that the catalogue does not know is in the overall and country charts only.
    """
    is_overall = F.col(C.COUNTRY).isNull()
    scopes = F.broadcast(list_scopes(products))
    beside = sums.join(scopes, (F.col(C.PRODUCT_ID) == F.col(_OF)) & is_overall, how="left")
    scope = F.when(is_overall, F.coalesce(F.col(_IN), F.lit(OVERALL))).otherwise(F.lit(COUNTRY))
    value = F.when(is_overall, F.coalesce(F.col(C.SCOPE_VALUE), F.lit(ALL))).otherwise(F.col(C.COUNTRY))
    return beside.withColumns({C.SCOPE: scope, C.SCOPE_VALUE: value}).drop(C.COUNTRY, _OF, _IN)


def describe_products(places: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Rows with name and category; a product without a name is called by its number."""
    named = products.select(C.PRODUCT_ID, F.col(C.NAME).alias(C.PRODUCT_NAME), C.CATEGORY, C.CATEGORY_PATH)
    beside = places.join(F.broadcast(named), C.PRODUCT_ID, how="left")
    return beside.withColumn(C.PRODUCT_NAME, F.coalesce(C.PRODUCT_NAME, C.PRODUCT_ID))


def move_places(ranked: "DataFrame") -> "DataFrame":
    """Places with ``previous_rank``, ``rank_change`` and ``is_new_entry``.

    Args:
        ranked: with ``rank``; also those of the periods before.
    """
    over_time = Window.partitionBy(*SCOPE_KEY, C.PRODUCT_ID).orderBy(ORDINAL)
    was_there = F.lag(ORDINAL).over(over_time) == F.col(ORDINAL) - 1
    before = ranked.withColumn(C.PREVIOUS_RANK, F.when(was_there, F.lag(C.RANK).over(over_time)))
    was_on_chart = F.coalesce(F.col(C.PREVIOUS_RANK) <= CHART, F.lit(False))
    return before.withColumns(
        {
            C.RANK_CHANGE: F.col(C.PREVIOUS_RANK) - F.col(C.RANK),
            C.IS_NEW_ENTRY: (F.col(C.RANK) <= CHART) & ~was_on_chart,
        }
    )


def add_weeks(places: "DataFrame", weekly: "DataFrame") -> "DataFrame":
    """Places with ``weeks_on_chart``: earlier ISO weeks on the weekly chart, within the last 52, and this one.

    Args:
        places: with ``rank`` and ``period_end``.
        weekly: places of weekly charts, of these periods or before, with ``rank`` and ``period_start``.
    """
    on_chart = weekly.where(F.col(C.RANK) <= CHART)
    lists = on_chart.groupBy(*SCOPE_KEY, C.PRODUCT_ID).agg(F.collect_set(_count_days(C.PERIOD_START)).alias(_WEEKS))
    beside = places.join(lists, [*SCOPE_KEY, C.PRODUCT_ID], how="left")
    this_week = F.floor((_count_days(C.PERIOD_END) + 3) / 7) * 7 - 3
    own = beside.withColumn(_WEEK, this_week.cast("int"))
    first = F.col(_WEEK) - 7 * (WEEKS_BACK - 1)
    earlier = F.filter(_WEEKS, lambda monday: (monday >= first) & (monday < F.col(_WEEK)))
    weeks = F.coalesce(F.size(earlier), F.lit(0)) + 1
    counted = F.when(F.col(_WEEKS).isNull(), F.lit(1)).otherwise(weeks)
    return own.withColumn(C.WEEKS_ON_CHART, F.when(F.col(C.RANK) <= CHART, counted).cast("int")).drop(_WEEKS, _WEEK)


def read_weekly(lake: Lake, table: str, places: "DataFrame", periods: "Sequence[Period]") -> "DataFrame":
    """Weekly places for :func:`add_weeks`: of these periods, and of the weeks before that a table holds.

    Args:
        lake: the lake.
        table: of charts.
        places: of these periods, with ``period`` and ``period_start``.
        periods: one or more.
    """
    names = (*SCOPE_KEY, C.PRODUCT_ID, C.RANK, C.PERIOD_START)
    earliest = first_week(min(period.last for period in periods))
    is_weekly = F.col(C.PERIOD) == WEEK
    is_earlier = (F.col(C.PERIOD_START) >= earliest) & ~F.col(C.PERIOD_ID).isin([period.id for period in periods])
    held = lake.read(table).where(is_weekly & is_earlier).select(*names)
    return places.where(is_weekly).select(*names).unionByName(held)


def first_week(earliest: date) -> date:
    """Monday of the earliest week that ``weeks_on_chart`` of a period that ends on this day looks at."""
    return earliest - timedelta(earliest.weekday() + 7 * (WEEKS_BACK - 1))


def _count_days(name: str) -> "Column":
    """Days since 1970-01-01, a Thursday."""
    return F.datediff(F.col(name), F.lit(date(1970, 1, 1)))
