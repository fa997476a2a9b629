"""``marts.also_viewed``: for each product the products most often looked at in the same visits.

A visit counts with its first distinct products; products near each other, and the later after the earlier one, count
most, and recent visits more than old ones. Flagged clicks do not count. :data:`jobs.marts.recipes.VIEWED` has the
numbers.
"""

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts import cooccurrence as co
from jobs.marts.neighbours import choose_categories, find_neighbours
from jobs.marts.recipes import load_recipes
from jobs.marts.slices import keep_until
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

NAME: Final = "also_viewed"
TABLE: Final = f"marts.{NAME}"
CLICKS: Final = "lake.clicks"
WINDOW_DAYS: Final = 30
PRODUCT_ACTIONS: Final = ("view", "cart", "favourite", "buy")


def select_visit_items(clicks: "DataFrame") -> "DataFrame":
    """Unflagged clicks on products, as items of their visit in order of time."""
    is_product_click = F.col(C.ACTION).isin(*PRODUCT_ACTIONS) & F.col(C.PRODUCT_ID).isNotNull()
    counted = clicks.where(F.col(C.FLAG).isNull() & is_product_click)
    return counted.select(
        F.xxhash64(C.SESSION_ID, C.SUBJECT_ID).alias(co.BASKET),
        F.xxhash64(C.SUBJECT_ID).alias(co.PERSON),
        C.DAY,
        C.PRODUCT_ID,
        F.col(C.EVENT_TIME).alias(co.PLACE),
    )


def shape_also_viewed(neighbours: "DataFrame", *, as_of: "date") -> "DataFrame":
    """Neighbours in the contract's columns."""
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
    recipe = load_recipes(lake.settings.recommendations)[NAME]
    items = lake.read(CLICKS, days=window).transform(select_visit_items)
    with ExitStack() as scratches:
        neighbours = find_neighbours(
            items,
            recipe,
            as_of=days.last,
            categories=choose_categories(lake.read("lake.products"), recipe),
            subjects=lake.read("lake.subjects"),
            once=keep_until(scratches, lake),
        )
        staged = lake.replace(TABLE, shape_also_viewed(neighbours, as_of=days.last), gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: no pair of products was viewed by two people in {window}."]
    return StepReport(rows_in=lake.count(CLICKS, days=window), rows_out=staged.rows, warnings=warnings)
