"""``marts.also_viewed``: for each product the products most often looked at in the same visits.

A visit counts once per pair, with its first ``VISIT_CAP`` distinct products; products near each other, and the later
after the earlier one, count most. Flagged clicks do not count.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts import cooccurrence as co
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

TABLE: Final = "marts.also_viewed"
CLICKS: Final = "lake.clicks"
WINDOW_DAYS: Final = 30
VISIT_CAP: Final = 50
PRODUCT_ACTIONS: Final = ("view", "cart", "favourite", "buy")
RECIPE: Final = co.Recipe(cap=VISIT_CAP, reach=20, in_sequence=True, own_quarters=3, other_quarters=1, damping=5.0)


def select_visit_items(clicks: "DataFrame") -> "DataFrame":
    """Unflagged clicks on products, as items of their visit in order of time."""
    is_product_click = F.col(C.ACTION).isin(*PRODUCT_ACTIONS) & F.col(C.PRODUCT_ID).isNotNull()
    counted = clicks.where(F.col(C.FLAG).isNull() & is_product_click)
    return counted.select(
        F.xxhash64(C.SESSION_ID, C.SUBJECT_ID).alias(co.BASKET),
        F.xxhash64(C.SUBJECT_ID).alias(co.PERSON),
        C.PRODUCT_ID,
        F.col(C.EVENT_TIME).alias(co.PLACE),
    )


def build_also_viewed(clicks: "DataFrame", *, as_of: "date") -> "DataFrame":
    """Neighbours of every product, in the contract's columns."""
    neighbours = clicks.transform(select_visit_items).transform(co.rank_neighbours, RECIPE)
    return neighbours.select(
        C.PRODUCT_ID,
        C.OTHER_PRODUCT_ID,
        C.RANK,
        C.SCORE,
        F.col(co.BASKETS).alias(C.SESSIONS),
        F.col(co.PEOPLE).alias(C.VIEWERS),
        F.lit(as_of).alias(C.AS_OF),
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    rows = build_also_viewed(lake.read(CLICKS, days=window), as_of=days.last)
    staged = lake.replace(TABLE, rows, gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: no pair of products was viewed by two people in {window}."]
    return StepReport(rows_in=lake.count(CLICKS, days=window), rows_out=staged.rows, warnings=warnings)
