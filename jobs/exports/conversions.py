"""What the people of an audience bought, for the partner who showed them ads; in whole units, by category and day."""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days
from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NO_CATEGORY: Final = "none"
CANCELLED: Final = "cancelled"


def find_purchases(lines: "DataFrame", orders: "DataFrame", products: "DataFrame", *, days: Days) -> "DataFrame":
    """What each subject bought on each day, by category.

    Args:
        lines: one row per product of an order, in the columns of ``lake.order_lines``; one without a price, such as a
            gift, or without a rate of its currency, does not count.
        orders: in the columns of ``lake.orders``; cancelled ones and tests do not count. Returns are not subtracted.
        products: one row per product with its ``category``; what is no merchandise, such as postage, does not count.
        days: of the orders.

    Returns:
        ``subject_id``, ``category``, ``converted_on`` and ``_amount``, in the shop's accounting currency.
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
    return sold.groupBy(
        C.SUBJECT_ID, F.coalesce(C.CATEGORY, F.lit(NO_CATEGORY)).alias(C.CATEGORY), F.col(C.DAY).alias(C.CONVERTED_ON)
    ).agg(F.sum(F.col(C.QUANTITY) * F.col(C.UNIT_PRICE)).alias("_amount"))


def build_conversions(eligible: "DataFrame", purchases: "DataFrame") -> "DataFrame":
    """Rows of ``exports.conversions``: under the address that bought, and under no other of the same person.

    Args:
        eligible: subjects that may be exported, with ``ad_id``.
        purchases: rows of :func:`find_purchases`.
    """
    bought = eligible.select(C.SUBJECT_ID, C.AD_ID).join(purchases, C.SUBJECT_ID, how="inner")
    amount = F.round(F.sum("_amount"), 0).cast("bigint").alias(C.REVENUE)
    return bought.groupBy(C.AD_ID, C.CATEGORY, C.CONVERTED_ON).agg(amount)
