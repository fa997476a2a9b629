"""What the people of an audience bought, for the partner who showed them ads: by category, ISO week and band of amount.

The exact day and amount of a purchase are a fingerprint: two files with both can be put together person by person
without any identifier in common. So a partner learns of an ISO week once it is over, of amounts in bands, and of what
too few people have alike less, or nothing.
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.exports.audiences import count_humans
from jobs.lake import Days
from jobs.lake import columns as C
from jobs.privacy.epochs import Epoch

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NO_CATEGORY: Final = "none"
CANCELLED: Final = "cancelled"
A_MONDAY: Final = date(1970, 1, 5)
SUNDAY: Final = 6
BANDS: Final = tuple(digit * 10**zeros for zeros in range(1, 9) for digit in (1, 2, 5))
"""Where a band of amounts begins, in whole units of the accounting currency; the first begins at 0."""


def monday_of(day: date) -> date:
    """First day of the ISO week that a day is in."""
    return day - timedelta(days=day.weekday())


def find_weeks(start: date, day: date, epoch: Epoch | None) -> Days | None:
    """Days of the ISO weeks from ``start`` on that are over on a day, none where none is.

    Args:
        start: first day that was not told yet.
        day: last day that is known whole.
        epoch: of the identifiers; its first and last week end at its borders, so that no purchase is told under the
            identifiers of two.
    """
    is_over = day.weekday() == SUNDAY or (epoch is not None and day == epoch.last)
    last = day if is_over else monday_of(day) - timedelta(days=1)
    first = start if epoch is None else max(start, epoch.first)
    return Days(first, last) if first <= last else None


def find_purchases(lines: "DataFrame", orders: "DataFrame", products: "DataFrame", *, days: Days) -> "DataFrame":
    """What each subject bought in each ISO week, by category.

    Args:
        lines: one row per product of an order, in the columns of ``lake.order_lines``; one without a price, such as a
            gift, or without a rate of its currency, does not count.
        orders: in the columns of ``lake.orders``; cancelled ones and tests do not count. Returns are not subtracted.
        products: one row per product with its ``category``; what is no merchandise, such as postage, does not count.
        days: of the orders.

    Returns:
        ``subject_id``, ``category``, ``week_start`` and ``_amount``, in the shop's accounting currency.
    """
    of_period = lines.where(F.col(C.DAY).between(days.first, days.last) & F.col(C.SUBJECT_ID).isNotNull())
    is_cancelled = (F.col(C.STATUS) == CANCELLED) | F.col(C.CANCELLED_AT).isNotNull()
    cancelled = orders.where(is_cancelled | F.coalesce(F.col(C.IS_TEST), F.lit(False))).select(C.ORDER_ID)
    known = products.select(C.PRODUCT_ID, C.CATEGORY, C.IS_MERCHANDISE)
    sold = (
        of_period.where(F.col(C.UNIT_PRICE) > 0)
        .join(cancelled, C.ORDER_ID, how="left_anti")
        .join(known, C.PRODUCT_ID, how="left")
        .where(F.coalesce(C.IS_MERCHANDISE, F.lit(True)))
    )
    # Engines disagree on functions of weeks.
    monday = F.date_sub(F.col(C.DAY), F.pmod(F.datediff(F.col(C.DAY), F.lit(A_MONDAY)), F.lit(7)))
    category = F.coalesce(C.CATEGORY, F.lit(NO_CATEGORY)).alias(C.CATEGORY)
    amount = F.sum(F.col(C.QUANTITY) * F.col(C.UNIT_PRICE)).alias("_amount")
    return sold.groupBy(C.SUBJECT_ID, category, monday.alias(C.WEEK_START)).agg(amount)


def build_conversions(eligible: "DataFrame", purchases: "DataFrame", *, minimum: int) -> "DataFrame":
    """Rows of ``exports.conversions``: under the address that bought, and under no other of the same person.

    Args:
        eligible: subjects that may be exported, with ``ad_id``, ``country`` and ``segment``.
        purchases: rows of :func:`find_purchases`.
        minimum: humans of one country and segment who must share a row's category, week and band; where they share
            only category and week the band is null, and where not even that there is no row.
    """
    told = (C.PERSON_ID, C.CIRCLE_ID, C.AD_ID, C.COUNTRY, C.SEGMENT)
    week = (C.COUNTRY, C.SEGMENT, C.CATEGORY, C.WEEK_START)
    band = (*week, C.REVENUE_FROM)
    bought = (
        eligible.select(C.SUBJECT_ID, *told)
        .join(purchases, C.SUBJECT_ID, how="inner")
        .groupBy(*told, C.CATEGORY, C.WEEK_START)
        .agg(find_band(F.sum("_amount")).alias(C.REVENUE_FROM))
    )
    alike = bought.join(count_humans(bought, *band, name="_alike"), list(band), how="inner")
    odd = count_humans(alike.where(F.col("_alike") < minimum), *week, name="_odd")
    counted = alike.join(count_humans(bought, *week, name="_buyers"), list(week), how="inner").join(
        odd, list(week), how="left"
    )
    # A few without a band would stand out like their bands, so they take the others' bands with them.
    keeps_bands = F.coalesce(F.col("_odd"), F.lit(minimum)) >= minimum
    shown = F.when((F.col("_alike") >= minimum) & keeps_bands, F.col(C.REVENUE_FROM)).alias(C.REVENUE_FROM)
    return counted.where(F.col("_buyers") >= minimum).select(C.AD_ID, C.CATEGORY, C.WEEK_START, shown)


def find_band(amount: "Column") -> "Column":
    """Where the band of an amount begins: 0, 10, 20, 50, 100, 200, 500 and so on."""
    begins = [F.when(amount >= F.lit(begin), F.lit(begin)) for begin in reversed(BANDS)]
    return F.coalesce(*begins, F.lit(0)).cast("bigint")
