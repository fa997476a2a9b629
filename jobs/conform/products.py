"""The catalogue in ``lake.products``: one row per product, the newest the shop told us.

Rules:
    * A product needs an id and a time of its last change.
    * Its category is the top level of its path; without a path it is ``Uncategorised``.
    * A path that comes back to a name it has been through is a cycle: the name counts where it came first.
    * A price that is no amount, or below zero, is unknown. Prices are rounded to two places, half away from zero.
    * What does not say otherwise is merchandise.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.fields import (
    first_broken,
    read_flag,
    read_number,
    read_text,
    read_time,
    round_price,
    row_as_text,
    select_rejects,
)
from jobs.conform.folding import keep_newest
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PRODUCTS: Final = "lake.products"
LANDING: Final = "landing.products"
UNCATEGORISED: Final = "Uncategorised"

NO_PRODUCT: Final = "product_id is missing"
BAD_UPDATE: Final = "updated_at is missing or not a time"


def type_products(landing: "DataFrame") -> "DataFrame":
    """Typed catalogue rows, each with the reason against it, if any.

    Args:
        landing: ``landing.products``.

    Returns:
        One row per row: the columns of ``lake.products``, ``pull_day``, ``row_no``, ``reason`` and ``raw``.
    """
    levels = F.regexp_replace(F.regexp_replace(C.CATEGORY_PATH, r"\s*/[\s/]*", "/"), r"^[\s/]+|[\s/]+$", "")
    levels = F.array_join(F.array_distinct(F.split(levels, "/")), "/")
    path = F.when(levels != "", levels).otherwise(F.lit(UNCATEGORISED))
    price = read_number(C.UNIT_PRICE)
    typed = landing.select(
        read_text(C.PRODUCT_ID).alias(C.PRODUCT_ID),
        read_text(C.NAME).alias(C.NAME),
        F.coalesce(path, F.lit(UNCATEGORISED)).alias(C.CATEGORY_PATH),
        F.when(price >= 0, round_price(price)).alias(C.UNIT_PRICE),
        read_flag(C.IS_MERCHANDISE, missing=True, unclear=True).alias(C.IS_MERCHANDISE),
        read_time(C.UPDATED_AT).alias(C.UPDATED_AT),
        C.PULL_DAY,
        C.ROW_NO,
        row_as_text(landing).alias(C.RAW),
    )
    broken = {NO_PRODUCT: F.col(C.PRODUCT_ID).isNull(), BAD_UPDATE: F.col(C.UPDATED_AT).isNull()}
    category = F.substring_index(C.CATEGORY_PATH, "/", 1)
    return typed.withColumns({C.CATEGORY: category, C.REASON: first_broken(broken)})


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the catalogue rows pulled on ``days``."""
    rows_in = lake.count(LANDING, days=days)
    names = lake.contracts[PRODUCTS].column_names
    with lake.scratch(lake.read(LANDING, days=days).transform(type_products)) as typed:
        quarantined = publish_rejects(lake, "quarantine.products", select_rejects(typed.frame, "products"), days)
        understood = typed.rows - quarantined
        check_nothing_lost("conform.products", lines=rows_in, understood=understood, quarantined=quarantined)
        valid = typed.frame.where(F.col(C.REASON).isNull())
        newest = keep_newest(valid, key=(C.PRODUCT_ID,), newest_by=C.UPDATED_AT)
        rows_out = newest.count()
        if rows_out:
            lake.merge(PRODUCTS, newest.select(*names), newest_by=C.UPDATED_AT)
    return StepReport(rows_in, rows_out, understood - rows_out, quarantined)
