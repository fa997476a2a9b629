"""``marts.bestsellers``: best-selling products per day, ISO week and month; overall, per category and per country.

Returns come off the day and country of their purchase where it is known, else off the day of the return. A product
whose returns outweigh its sales is not on the chart. Buyers are the people who bought, also those who returned it.
The whole chart is kept. A product the catalogue does not know is in the overall and country charts only.
"""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.periods import ORDINAL, build_calendar, describe_periods, find_periods, list_days
from jobs.marts.purchases import drop_cancelled, keep_merchandise, keep_sales
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

TABLE: Final = "marts.bestsellers"
ORDER_LINES, ORDERS, RETURNS, PRODUCTS = "lake.order_lines", "lake.orders", "lake.returns", "lake.products"
OVERALL, CATEGORY, COUNTRY, ALL = "overall", "category", "country", "all"
_BUYER, _BOUGHT, _BY_COUNTRY, _SCOPED = "_buyer", "_bought", "_by_country", "_scoped"


def find_changed_days(lines: "DataFrame", orders: "DataFrame", returns: "DataFrame", *, days: Days) -> "DataFrame":
    """Distinct days of sale whose figures changed by what was pulled, cancelled or returned in a range of days."""
    is_pulled = F.col(C.PULL_DAY).between(days.first, days.last)
    is_returned = F.col(C.DAY).between(days.first, days.last)
    is_cancelled = F.to_date(C.CANCELLED_AT).between(days.first, days.last)
    changed = (
        lines.where(is_pulled).select(C.DAY),
        orders.where(is_cancelled).select(C.DAY),
        returns.where(is_pulled | is_returned).select(_sale_day().alias(C.DAY)),
    )
    return reduce(lambda one, other: one.unionByName(other), changed).distinct()


def take_off_sale_day(returns: "DataFrame", orders: "DataFrame") -> "DataFrame":
    """Returns with day and country of their purchase where it is known."""
    bought_in = orders.select(C.ORDER_ID, F.col(C.COUNTRY).alias(_BY_COUNTRY)).dropDuplicates([C.ORDER_ID])
    located = returns.join(bought_in, C.ORDER_ID, how="left")
    country = F.coalesce(F.col(_BY_COUNTRY), F.col(C.COUNTRY)).alias(C.COUNTRY)
    return located.select(_sale_day().alias(C.DAY), C.PRODUCT_ID, C.SUBJECT_ID, C.QUANTITY, C.UNIT_PRICE, country)


def net_sales(sales: "DataFrame", returns: "DataFrame") -> "DataFrame":
    """One row per day, product, country and hash of the person with net units, net revenue and whether they bought."""
    sold = _select_movements(sales, F.col(C.QUANTITY)).withColumn(_BOUGHT, F.lit(True))
    came_back = _select_movements(returns, -F.col(C.QUANTITY)).withColumn(_BOUGHT, F.lit(False))
    by_person = sold.unionByName(came_back).groupBy(C.DAY, C.PRODUCT_ID, C.COUNTRY, _BUYER)
    return by_person.agg(*_sums(), F.max(_BOUGHT).alias(_BOUGHT))


def sum_periods(movements: "DataFrame", calendar: "DataFrame") -> "DataFrame":
    """One row per period and product, overall (``country`` null) and per country: net units, revenue, buyers."""
    periods = F.broadcast(calendar).join(movements, C.DAY, how="inner")
    both = periods.withColumn(_BY_COUNTRY, F.explode(F.array(F.lit(False), F.lit(True))))
    scoped = both.where(~F.col(_BY_COUNTRY) | F.col(C.COUNTRY).isNotNull())
    country = F.when(F.col(_BY_COUNTRY), F.col(C.COUNTRY)).alias(C.COUNTRY)
    keyed = scoped.select(ORDINAL, country, C.PRODUCT_ID, _BUYER, C.UNITS, C.REVENUE, _BOUGHT)
    by_buyer = keyed.groupBy(ORDINAL, C.COUNTRY, C.PRODUCT_ID, _BUYER).agg(*_sums(), F.max(_BOUGHT).alias(_BOUGHT))
    buyers = F.count(F.when(F.col(_BOUGHT), F.col(_BUYER))).alias(C.BUYERS)
    return by_buyer.groupBy(ORDINAL, C.COUNTRY, C.PRODUCT_ID).agg(*_sums(), buyers)


def add_scopes(sums: "DataFrame", products: "DataFrame") -> "DataFrame":
    """One row per place in a chart: products with units left, repeated for their category."""
    named = products.select(C.PRODUCT_ID, F.col(C.NAME).alias(C.PRODUCT_NAME), C.CATEGORY)
    on_chart = sums.where(F.col(C.UNITS) > 0).join(F.broadcast(named), C.PRODUCT_ID, how="left")
    overall = _scope(OVERALL, F.lit(ALL))
    scopes = F.when(F.col(C.COUNTRY).isNotNull(), F.array(_scope(COUNTRY, F.col(C.COUNTRY))))
    scopes = scopes.when(F.col(C.CATEGORY).isNull(), F.array(overall))
    scopes = scopes.otherwise(F.array(overall, _scope(CATEGORY, F.col(C.CATEGORY))))
    repeated = on_chart.withColumn(_SCOPED, F.explode(scopes))
    scope_columns = [F.col(_SCOPED)[name].alias(name) for name in (C.SCOPE, C.SCOPE_VALUE)]
    described = (C.PRODUCT_ID, C.PRODUCT_NAME, C.CATEGORY, C.UNITS, C.REVENUE, C.BUYERS)
    return repeated.select(ORDINAL, *scope_columns, *described)


def rank_products(places: "DataFrame") -> "DataFrame":
    """Places with ``rank`` and, from the period before, ``previous_rank`` and ``rank_change``."""
    chart = Window.partitionBy(ORDINAL, C.SCOPE, C.SCOPE_VALUE)
    best_first = chart.orderBy(F.desc(C.UNITS), F.desc(C.REVENUE), C.PRODUCT_ID)
    over_time = Window.partitionBy(C.SCOPE, C.SCOPE_VALUE, C.PRODUCT_ID).orderBy(ORDINAL)
    ranked = places.withColumn(C.RANK, F.row_number().over(best_first))
    was_there = F.lag(ORDINAL).over(over_time) == F.col(ORDINAL) - 1
    before = ranked.withColumn(C.PREVIOUS_RANK, F.when(was_there, F.lag(C.RANK).over(over_time)))
    return before.withColumn(C.RANK_CHANGE, F.col(C.PREVIOUS_RANK) - F.col(C.RANK))


def name_periods(places: "DataFrame", periods: "DataFrame") -> "DataFrame":
    """Places of the named periods, in the contract's columns; other periods served only for ``previous_rank``."""
    return (
        F.broadcast(periods)
        .join(places, ORDINAL, how="inner")
        .select(
            C.PERIOD_ID,
            C.PERIOD,
            C.PERIOD_START,
            C.SCOPE,
            C.SCOPE_VALUE,
            C.PRODUCT_ID,
            C.PRODUCT_NAME,
            C.CATEGORY,
            C.UNITS,
            F.col(C.REVENUE).cast("decimal(18,2)").alias(C.REVENUE),
            C.BUYERS,
            C.RANK,
            C.PREVIOUS_RANK,
            C.RANK_CHANGE,
        )
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the charts of every period that the days touch, and of those whose earlier sales changed in them."""
    periods = find_periods({*days, *_read_changed_days(lake, days)})
    ranges = list_days(periods)
    span = Days(ranges[0].first, ranges[-1].last)
    products = lake.read(PRODUCTS)
    lines, orders = (lake.read(table, days=span).where(_is_within(C.DAY, ranges)) for table in (ORDER_LINES, ORDERS))
    sales = keep_sales(lines, orders, products)
    known = lake.read(RETURNS).where(_is_within(_sale_day(), ranges))
    returns = known.transform(drop_cancelled, orders).transform(keep_merchandise, products)
    movements = net_sales(sales, take_off_sale_day(returns, orders))
    places = movements.transform(sum_periods, build_calendar(lake.session, periods)).transform(add_scopes, products)
    rows = places.transform(rank_products).transform(name_periods, describe_periods(lake.session, periods))
    staged = lake.replace(TABLE, rows, partitions=[period.id for period in periods], gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE}: no sales in the periods of {days}; their charts are empty."]
    return StepReport(rows_in=lake.count(ORDER_LINES, days=span), rows_out=staged.rows, warnings=warnings)


def _read_changed_days(lake: Lake, days: Days) -> "list[date]":
    changed = find_changed_days(lake.read(ORDER_LINES), lake.read(ORDERS), lake.read(RETURNS), days=days)
    return [row[C.DAY] for row in changed.collect()]


def _is_within(day: "Column | str", ranges: list[Days]) -> "Column":
    column = F.col(day) if isinstance(day, str) else day
    return reduce(or_, [column.between(part.first, part.last) for part in ranges])


def _sale_day() -> "Column":
    return F.coalesce(F.col(C.SALE_DAY), F.col(C.DAY))


def _select_movements(lines: "DataFrame", units: "Column") -> "DataFrame":
    revenue = (units * F.col(C.UNIT_PRICE)).cast("decimal(18,2)").alias(C.REVENUE)
    buyer = F.when(F.col(C.SUBJECT_ID).isNotNull(), F.xxhash64(C.SUBJECT_ID)).alias(_BUYER)
    return lines.select(C.DAY, C.PRODUCT_ID, C.COUNTRY, buyer, units.alias(C.UNITS), revenue)


def _sums() -> "tuple[Column, Column]":
    return F.sum(C.UNITS).alias(C.UNITS), F.sum(C.REVENUE).alias(C.REVENUE)


def _scope(name: str, value: "Column") -> "Column":
    return F.struct(F.lit(name).alias(C.SCOPE), value.alias(C.SCOPE_VALUE))
