"""What counts as a sale: lines of orders that stand, of goods, at a price.

Cancelled orders, test orders, postage, fees and vouchers, and lines at a price of zero do not count. A product that the
catalogue does not know counts as goods.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CANCELLED: Final = "cancelled"


def drop_cancelled(lines: "DataFrame", orders: "DataFrame") -> "DataFrame":
    """Lines (or returns) without those of cancelled and of test orders; a line of no known order stays."""
    is_cancelled = (F.col(C.STATUS) == CANCELLED) | F.col(C.CANCELLED_AT).isNotNull()
    is_void = is_cancelled | F.coalesce(F.col(C.IS_TEST), F.lit(False))
    void = orders.where(is_void).select(C.ORDER_ID).distinct()
    return lines.join(void, C.ORDER_ID, how="left_anti")


def keep_merchandise(lines: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Lines (or returns) of goods at a price."""
    no_goods = products.where(~F.col(C.IS_MERCHANDISE)).select(C.PRODUCT_ID)
    return lines.where(F.col(C.UNIT_PRICE) > 0).join(no_goods, C.PRODUCT_ID, how="left_anti")


def keep_sales(lines: "DataFrame", orders: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Order lines that count as sales."""
    return lines.transform(drop_cancelled, orders).transform(keep_merchandise, products)
