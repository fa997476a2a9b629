"""``marts.also_bought``: for each product the products most often bought in the same orders.

A pair weighs 1/size of its order, so that wholesale orders do not drown the others, and recent orders more than old
ones. Of an order with very many distinct products those with the smallest hash of order and product count, a choice
that favours no product. Where the catalogue is small, ``completion`` says besides what a product adds to an order that
holds others too; elsewhere it is null. :data:`jobs.marts.recipes.BOUGHT` has the numbers.
"""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts import cooccurrence as co
from jobs.marts.abuse import find_bursts, find_suspects, judge
from jobs.marts.completion import COMPLETION, weigh_completions
from jobs.marts.movements import name_contributors
from jobs.marts.neighbours import OTHER, choose_categories, find_neighbours, gather_baskets
from jobs.marts.purchases import keep_sales
from jobs.marts.recipes import Recipe, load_recipes
from jobs.marts.slices import keep_until
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.marts.slices import Once

NAME: Final = "also_bought"
TABLE: Final = f"marts.{NAME}"
ORDER_LINES: Final = "lake.order_lines"
SUBJECTS: Final = "lake.subjects"
WINDOW_DAYS: Final = 365


def select_order_items(sales: "DataFrame") -> "DataFrame":
    """Lines of orders as items of a basket."""
    return sales.select(
        F.xxhash64(C.ORDER_ID).alias(co.BASKET),
        F.when(F.col(C.SUBJECT_ID).isNotNull(), F.xxhash64(C.SUBJECT_ID)).alias(co.PERSON),
        C.DAY,
        C.PRODUCT_ID,
        F.xxhash64(C.ORDER_ID, C.PRODUCT_ID).alias(co.PLACE),
    )


def drop_abuse(sales: "DataFrame", subjects: "DataFrame", flagged: "DataFrame") -> "DataFrame":
    """Sales without those that charts do not count either, see :mod:`jobs.marts.abuse`.

    Args:
        sales: order lines that count.
        subjects: rows of ``lake.subjects``.
        flagged: ``day`` and ``subject_id`` of people whose clicks were flagged.
    """
    of_order = F.concat(F.lit("order:"), C.ORDER_ID)
    named = sales.transform(name_contributors, subjects, of_order)
    marked = flagged.distinct().transform(name_contributors, subjects, F.lit(None).cast("string"))
    judged = judge(named, find_suspects(named, marked), find_bursts(named))
    return judged.where(F.col(C.RULE).isNull()).select(*sales.columns)


def complete_neighbours(
    neighbours: "DataFrame",
    items: "DataFrame",
    recipe: Recipe,
    *,
    as_of: "date",
    subjects: "DataFrame | None" = None,
) -> "DataFrame":
    """The same rows with ``COMPLETION``, 0 where the regression finds that a pair adds nothing.

    Long orders weigh more here than in the score (1/square root of their size), because the regression already tells
    their products apart.
    """
    longer = replace(recipe, length_halves=1)
    baskets = gather_baskets(items, longer, as_of=as_of, subjects=subjects)
    pairs, weights = co.pair_products(baskets, longer), co.weigh_products(baskets)
    added = weigh_completions(pairs, weights, regularisation=recipe.regularisation)
    by_pair = added.withColumnsRenamed({co.A: co.ITEM, co.B: OTHER})
    joined = neighbours.join(by_pair, [co.ITEM, OTHER], how="left")
    return joined.withColumn(COMPLETION, F.coalesce(COMPLETION, F.lit(0.0)))


def shape_also_bought(neighbours: "DataFrame", *, as_of: "date") -> "DataFrame":
    """Neighbours in the contract's columns."""
    return neighbours.select(
        C.PRODUCT_ID,
        C.OTHER_PRODUCT_ID,
        C.RANK,
        C.SCORE,
        F.col(co.BASKETS).alias(C.ORDERS),
        F.col(co.PEOPLE).alias(C.BUYERS),
        F.col(COMPLETION).alias(C.COMPLETION),
        F.lit(as_of).alias(C.AS_OF),
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    recipe = load_recipes(lake.settings.recommendations)[NAME]
    with ExitStack() as scratches:
        once = keep_until(scratches, lake)
        items = once(read_items(lake, window)).frame
        rows = build_also_bought(lake, items, recipe, as_of=days.last, once=once)
        staged = lake.replace(TABLE, rows, gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: no pair of products was bought by two people in {window}."]
    return StepReport(rows_in=lake.count(ORDER_LINES, days=window), rows_out=staged.rows, warnings=warnings)


def read_items(lake: Lake, window: Days) -> "DataFrame":
    """What was honestly bought in some days, as items of orders."""
    orders, products = lake.read("lake.orders", days=window), lake.read("lake.products")
    sales = lake.read(ORDER_LINES, days=window).transform(keep_sales, orders, products)
    sessions = lake.read("lake.sessions", days=window)
    flagged = sessions.where(F.col(C.FLAG).isNotNull()).select(C.DAY, C.SUBJECT_ID)
    return sales.transform(drop_abuse, lake.read(SUBJECTS), flagged).transform(select_order_items)


def build_also_bought(
    lake: Lake, items: "DataFrame", recipe: Recipe, *, as_of: "date", once: "Once | None" = None
) -> "DataFrame":
    """Neighbours with completions where the catalogue is small, in the contract's columns."""
    subjects = lake.read(SUBJECTS)
    categories = choose_categories(lake.read("lake.products"), recipe)
    neighbours = find_neighbours(items, recipe, as_of=as_of, categories=categories, subjects=subjects, once=once)
    if is_small(items, recipe):
        completed = complete_neighbours(neighbours, items, recipe, as_of=as_of, subjects=subjects)
        return shape_also_bought(completed, as_of=as_of)
    return shape_also_bought(neighbours.withColumn(COMPLETION, F.lit(None).cast("double")), as_of=as_of)


def is_small(items: "DataFrame", recipe: Recipe) -> bool:
    """True where the catalogue of what was sold fits the regression; counts it."""
    if not recipe.small_catalogue:
        return False
    return 0 < items.select(C.PRODUCT_ID).distinct().count() <= recipe.small_catalogue
