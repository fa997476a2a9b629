"""What charts are counted from: net movements per day, product, country and person, abuse left out.

Returns come off the day and country of their purchase where it is known, else off the day of the return, and never more
often than the purchase counts: what comes back of a purchase that does not count does not count either. A person is a
human, with all addresses and accounts that belong together; of somebody unknown each order is a person of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.currencies import CENTS, add_cents, check_rates, read_rates
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.marts.abuse import CONTRIBUTOR, IS_KNOWN, count_excluded, find_bursts, find_suspects, judge
from jobs.marts.attribution import PERSON, name_people
from jobs.marts.purchases import drop_cancelled, keep_merchandise, keep_sales

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

ORDER_LINES, ORDERS, RETURNS, PRODUCTS = "lake.order_lines", "lake.orders", "lake.returns", "lake.products"
SUBJECTS, SESSIONS = "lake.subjects", "lake.sessions"
BOUGHT: Final = "_bought"
_BY_COUNTRY, _BY_CURRENCY = "_by_country", "_by_currency"


@dataclass(frozen=True)
class Movements:
    """Counted movements of some days, and what was left out.

    Attributes:
        frame: one row per ``day``, ``product_id``, ``country`` and ``_contributor`` with net ``units`` and ``_cents``,
            ``returns``, and whether it is a known person (``_is_known``) who bought (``_bought``).
        excluded: rows of ``ledger.chart_exclusions``.
        rows: in ``frame``.
    """

    frame: "DataFrame"
    excluded: "DataFrame"
    rows: int


def sale_day() -> "Column":
    """The day a return comes off."""
    return F.coalesce(F.col(C.SALE_DAY), F.col(C.DAY))


def name_contributors(rows: "DataFrame", subjects: "DataFrame", otherwise: "Column") -> "DataFrame":
    """Rows with ``_contributor`` and ``_is_known``.

    Args:
        rows: with ``subject_id``.
        subjects: ``lake.subjects``.
        otherwise: text that stands for a person where nobody is known.
    """
    named = rows.transform(name_people, subjects)
    return named.withColumns(
        {
            IS_KNOWN: F.col(PERSON).isNotNull(),
            CONTRIBUTOR: F.xxhash64(F.coalesce(F.col(PERSON), otherwise)),
        }
    ).drop(PERSON)


def value_lines(lines: "DataFrame", orders: "DataFrame", rates: "DataFrame", *, reporting: str) -> "DataFrame":
    """Order lines with ``_cents``, by the currency of their order."""
    of_order = orders.select(C.ORDER_ID, C.CURRENCY).dropDuplicates([C.ORDER_ID])
    return lines.join(of_order, C.ORDER_ID, how="left").transform(add_cents, rates, reporting=reporting)


def take_off_sale_day(returns: "DataFrame", orders: "DataFrame") -> "DataFrame":
    """Returns with day, country and currency of their purchase where it is known."""
    bought_in = orders.select(
        C.ORDER_ID, F.col(C.COUNTRY).alias(_BY_COUNTRY), F.col(C.CURRENCY).alias(_BY_CURRENCY)
    ).dropDuplicates([C.ORDER_ID])
    located = returns.join(bought_in, C.ORDER_ID, how="left")
    return located.withColumns(
        {
            C.DAY: sale_day(),
            C.COUNTRY: F.coalesce(_BY_COUNTRY, C.COUNTRY),
            C.CURRENCY: F.coalesce(_BY_CURRENCY, C.CURRENCY),
        }
    ).drop(_BY_COUNTRY, _BY_CURRENCY)


def net_movements(purchases: "DataFrame", returns: "DataFrame") -> "DataFrame":
    """The frame of :class:`Movements`.

    Args:
        purchases: counted lines with ``_contributor``, ``_is_known`` and ``_cents``.
        returns: counted returns with the same.
    """
    none, some = F.lit(0).cast("bigint"), F.col(C.QUANTITY)
    sold = _select(purchases, units=some, cents=F.col(CENTS), returned=none, bought=F.col(IS_KNOWN))
    back = _select(returns, units=-some, cents=-F.col(CENTS), returned=some, bought=F.lit(False))
    keys = (C.DAY, C.PRODUCT_ID, C.COUNTRY, CONTRIBUTOR)
    return sold.unionByName(back).groupBy(*keys).agg(*sum_movements())


def sum_movements() -> "tuple[Column, ...]":
    """Aggregates that keep the columns of :class:`Movements`."""
    sums = (F.sum(name).cast("bigint").alias(name) for name in (C.UNITS, CENTS, C.RETURNS))
    return (*sums, *(F.max(name).alias(name) for name in (IS_KNOWN, BOUGHT)))


@contextmanager
def read_movements(lake: Lake, ranges: "Sequence[Days]") -> Iterator[Movements]:
    """Movements of some days, computed once for several uses.

    Raises:
        ContractError: a currency has no rate.
    """
    span = Days(ranges[0].first, ranges[-1].last)
    products, subjects, rates, reporting = (
        *map(lake.read, (PRODUCTS, SUBJECTS)),
        read_rates(lake),
        lake.settings.currency,
    )
    lines, orders = (lake.read(table, days=span).where(is_within(C.DAY, ranges)) for table in (ORDER_LINES, ORDERS))
    valued = keep_sales(lines, orders, products).transform(value_lines, orders, rates, reporting=reporting)
    of_order = F.concat(F.lit("order:"), C.ORDER_ID)
    named = valued.transform(name_contributors, subjects, of_order).select(*_PURCHASE)
    known = lake.read(RETURNS).where(is_within(sale_day(), ranges))
    returns = known.transform(drop_cancelled, orders).transform(keep_merchandise, products)
    off = returns.transform(take_off_sale_day, orders).transform(add_cents, rates, reporting=reporting)
    of_return = F.coalesce(of_order, F.concat(F.lit("return:"), F.col(C.LINE_ID).cast("string")))
    back = off.transform(name_contributors, subjects, of_return).select(*_RETURN)
    flagged = lake.read(SESSIONS, days=span).where(F.col(C.FLAG).isNotNull()).select(C.DAY, C.SUBJECT_ID).distinct()
    marked = flagged.transform(name_contributors, subjects, F.lit(None).cast("string"))
    with lake.scratch(named) as bought, lake.scratch(back) as returned:
        check_rates(bought.frame.select(C.DAY, C.CURRENCY, CENTS), reporting=reporting)
        check_rates(returned.frame.select(C.DAY, C.CURRENCY, CENTS), reporting=reporting)
        suspects, bursts = find_suspects(bought.frame, marked), find_bursts(bought.frame)
        with lake.scratch(suspects) as who, lake.scratch(bursts) as when:
            judged, returns_judged = (judge(rows.frame, who.frame, when.frame) for rows in (bought, returned))
            counted = (rows.where(F.col(C.RULE).isNull()) for rows in (judged, returns_judged))
            with lake.scratch(net_movements(*counted)) as net:
                yield Movements(net.frame, count_excluded(judged), net.rows)


def is_within(day: "Column | str", ranges: "Sequence[Days]") -> "Column":
    """True for days of one of the ranges."""
    column = F.col(day) if isinstance(day, str) else day
    return reduce(or_, [column.between(part.first, part.last) for part in ranges])


_RETURN: Final = (C.DAY, C.PRODUCT_ID, C.COUNTRY, C.QUANTITY, C.CURRENCY, CENTS, CONTRIBUTOR, IS_KNOWN)
_PURCHASE: Final = (*_RETURN, C.ORDER_ID, C.ORDERED_AT)


def _select(
    rows: "DataFrame", *, units: "Column", cents: "Column", returned: "Column", bought: "Column"
) -> "DataFrame":
    return rows.select(
        C.DAY,
        C.PRODUCT_ID,
        C.COUNTRY,
        CONTRIBUTOR,
        units.cast("bigint").alias(C.UNITS),
        cents.cast("bigint").alias(CENTS),
        returned.cast("bigint").alias(C.RETURNS),
        IS_KNOWN,
        bought.alias(BOUGHT),
    )
