"""``marts.bestsellers_exact``: exact charts of products, for inside use; ``marts.bestsellers`` is what is published.

Charts per day, ISO week, month, year and trailing 7 and 30 days; overall, per category of every level, per country. A
product whose returns outweigh its sales is not on a chart. Buyers are the known people who bought, also those who
returned it. Whole charts are kept. Late orders, returns and cancellations restate the days, weeks and months that they
belong to, and a restated chart says so; trailing days and years stay what they were when their last day was run.
"""

from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial, reduce
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.conform.currencies import CENTS
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.abuse import CONTRIBUTOR
from jobs.marts.charts import (
    SCOPE_KEY,
    add_scopes,
    add_weeks,
    describe_products,
    move_places,
    read_weekly,
    sum_periods,
)
from jobs.marts.movements import ORDER_LINES, ORDERS, PRODUCTS, RETURNS, read_movements, sale_day
from jobs.marts.periods import ORDINAL, Period, build_calendar, describe_periods, find_periods, list_days
from jobs.marts.restatements import Edition, number_editions, tabulate_editions
from jobs.marts.slices import keep_until, sum_in_slices
from jobs.quality import gate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from pyspark.sql import DataFrame

TABLE: Final = "marts.bestsellers_exact"
EXCLUDED: Final = "ledger.chart_exclusions"
SLICE_MOVEMENTS: Final = 1_000_000
"""Movements whose people are counted at once; each is part of about seven periods."""


def find_changed_days(lines: "DataFrame", orders: "DataFrame", returns: "DataFrame", *, days: Days) -> "DataFrame":
    """Distinct days of sale whose figures changed by what was pulled, cancelled or returned in a range of days."""
    is_pulled = F.col(C.PULL_DAY).between(days.first, days.last)
    is_returned = F.col(C.DAY).between(days.first, days.last)
    is_cancelled = F.to_date(C.CANCELLED_AT).between(days.first, days.last)
    changed = (
        lines.where(is_pulled).select(C.DAY),
        orders.where(is_cancelled).select(C.DAY),
        returns.where(is_pulled | is_returned).select(sale_day().alias(C.DAY)),
    )
    return reduce(lambda one, other: one.unionByName(other), changed).distinct()


def rank_products(places: "DataFrame") -> "DataFrame":
    """Places with ``revenue``, ``rank`` by units and ``buyers_rank``."""
    valued = places.withColumn(C.REVENUE, (F.col(CENTS) / 100).cast("decimal(18,2)"))
    chart = Window.partitionBy(ORDINAL, *SCOPE_KEY)
    best_first = chart.orderBy(F.desc(C.UNITS), F.desc(CENTS), C.PRODUCT_ID)
    most_first = chart.orderBy(F.desc(C.BUYERS), F.desc(C.UNITS), F.desc(CENTS), C.PRODUCT_ID)
    ranked = valued.withColumn(C.RANK, F.row_number().over(best_first))
    return ranked.withColumn(C.BUYERS_RANK, F.row_number().over(most_first))


def rank_periods(sums: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Places of all periods of :func:`jobs.marts.charts.sum_periods` and how they moved, by ``_ordinal``."""
    return (
        sums.where(F.col(C.UNITS) > 0).transform(add_scopes, products).transform(rank_products).transform(move_places)
    )


def finish_places(
    places: "DataFrame", products: "DataFrame", weekly: "DataFrame", editions: "DataFrame", *, currency: str
) -> "DataFrame":
    """Places in the contract's columns."""
    described = places.transform(add_weeks, weekly).transform(describe_products, products)
    edited = described.join(F.broadcast(editions), C.PERIOD_ID, how="inner")
    return edited.withColumn(C.CURRENCY, F.lit(currency))


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the charts of every period that the days touch, and of those whose earlier sales changed in them.

    Raises:
        ContractError: a currency has no rate.
        GateError: the charts did not pass their expectations; the last good ones stay.
    """
    changed = _read_changed_days(lake, days)
    periods = find_periods(days, changed)
    ranges = list_days(periods)
    products, session = lake.read(PRODUCTS), lake.session
    with read_movements(lake, ranges) as movements, ExitStack() as scratches:
        sums = sum_in_slices(
            movements.frame,
            partial(sum_periods, calendar=build_calendar(session, periods)),
            person=CONTRIBUTOR,
            slices=-(-movements.rows // SLICE_MOVEMENTS),
            keys=(ORDINAL, C.COUNTRY, C.PRODUCT_ID),
            once=keep_until(scratches, lake),
        )
        ranked = rank_periods(sums, products)
        named = F.broadcast(describe_periods(session, periods)).join(ranked, ORDINAL, how="inner")
        with lake.scratch(named) as places:
            editions = _number_editions(lake, places.frame, periods, days)
            weekly = read_weekly(lake, TABLE, places.frame, periods)
            table = tabulate_editions(session, editions)
            rows = finish_places(places.frame, products, weekly, table, currency=lake.settings.currency)
            names = lake.contracts[TABLE].column_names
            ids = [period.id for period in periods]
            staged = lake.replace(TABLE, rows.select(*names), partitions=ids, gate=gate(lake, TABLE))
        touched = sorted({*days, *changed})
        excluded = movements.excluded.where(F.col(C.DAY).isin(touched))
        left_out = lake.replace(EXCLUDED, excluded, partitions=[str(day) for day in touched])
    return StepReport(
        rows_in=sum(lake.count(ORDER_LINES, days=part) for part in ranges),
        rows_out=staged.rows,
        warnings=_warn(days, staged.rows, left_out.rows),
    )


def _warn(days: Days, rows: int, excluded: int) -> list[str]:
    warnings = [] if rows else [f"{TABLE}: no sales in the periods of {days}; their charts are empty."]
    if excluded:
        warnings.append(f"{EXCLUDED} lists purchases of {excluded:,} products and days that do not count.")
    return warnings


def _number_editions(
    lake: Lake, places: "DataFrame", periods: "Sequence[Period]", days: Days
) -> "Mapping[str, Edition]":
    held = lake.read(TABLE).where(F.col(C.PERIOD_ID).isin([period.id for period in periods]))
    return number_editions(held, places, periods, today=days.last, at=datetime.now(UTC))


def _read_changed_days(lake: Lake, days: Days) -> "list[date]":
    changed = find_changed_days(lake.read(ORDER_LINES), lake.read(ORDERS), lake.read(RETURNS), days=days)
    return [row[C.DAY] for row in changed.collect()]
