"""``marts.also_bought``: for each product the products most often bought in the same orders.

An order counts with at most ``ORDER_CAP`` distinct products; of a larger one those with the smallest hash of order and
product stay, a choice that favours no product. A pair weighs 1/size of its order, so that wholesale orders do not
drown the others.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts import cooccurrence as co
from jobs.marts.purchases import keep_sales
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

TABLE: Final = "marts.also_bought"
ORDER_LINES: Final = "lake.order_lines"
WINDOW_DAYS: Final = 365
ORDER_CAP: Final = 100
RECIPE: Final = co.Recipe(cap=ORDER_CAP, reach=ORDER_CAP, in_sequence=False, damping=0.1)


def select_order_items(sales: "DataFrame") -> "DataFrame":
    """Lines of orders as items of a basket."""
    return sales.select(
        F.xxhash64(C.ORDER_ID).alias(co.BASKET),
        F.when(F.col(C.SUBJECT_ID).isNotNull(), F.xxhash64(C.SUBJECT_ID)).alias(co.PERSON),
        C.PRODUCT_ID,
        F.xxhash64(C.ORDER_ID, C.PRODUCT_ID).alias(co.PLACE),
    )


def build_also_bought(sales: "DataFrame", *, as_of: "date") -> "DataFrame":
    """Neighbours of every product, in the contract's columns."""
    neighbours = sales.transform(select_order_items).transform(co.rank_neighbours, RECIPE)
    return neighbours.select(
        C.PRODUCT_ID,
        C.OTHER_PRODUCT_ID,
        C.RANK,
        C.SCORE,
        F.col(co.BASKETS).alias(C.ORDERS),
        F.col(co.PEOPLE).alias(C.BUYERS),
        F.lit(as_of).alias(C.AS_OF),
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    orders = lake.read("lake.orders", days=window)
    sales = lake.read(ORDER_LINES, days=window).transform(keep_sales, orders, lake.read("lake.products"))
    staged = lake.replace(TABLE, build_also_bought(sales, as_of=days.last), gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: no pair of products was bought by two people in {window}."]
    return StepReport(rows_in=lake.count(ORDER_LINES, days=window), rows_out=staged.rows, warnings=warnings)
