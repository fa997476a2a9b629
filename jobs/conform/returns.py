"""Returns in ``lake.returns``, under the day they came back, with the day of the sale where it is known.

Rules:
    * A return needs an id, a product, a time, a whole quantity of 1 or more and a refund of 0 or more per piece.
    * Its person is that of its own e-mail address, else of its account, else of its order; unknown is allowed.
    * An order that is not in ``lake.orders`` leaves the day of the sale unknown and refuses nothing.
    * Its currency is its own, else that of its order, else the shop's reporting currency.
    * E-mail addresses and payment-card numbers in the reason are masked.
    * Of several rows of one line that of the newest pull counts, the others are duplicates.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.fields import (
    first_broken,
    is_bad_currency,
    read_currency,
    read_text,
    read_time,
    row_as_text,
    select_rejects,
)
from jobs.conform.folding import fold
from jobs.conform.landing import check_not_expired
from jobs.conform.order_lines import broken_amounts, type_amounts
from jobs.conform.orders import BAD_CURRENCY, BAD_EMAIL, find_subjects
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.privacy.masks import mask_text
from jobs.privacy.pseudonyms import subject_bucket, subject_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

RETURNS: Final = "lake.returns"
LANDING: Final = "landing.returns"

NO_RETURN: Final = "return_id is missing"
BAD_TIME: Final = "returned_at is missing or not a time"


def type_returns(landing: "DataFrame", orders: "DataFrame", accounts: "DataFrame", keys: "DataFrame") -> "DataFrame":
    """Typed, masked and pseudonymous returns, each with the reason against it, if any.

    Args:
        landing: ``landing.returns``.
        orders: ``lake.orders``, one row per order.
        accounts: ``vault.customers``.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.

    Returns:
        One row per row: the columns of ``lake.returns``, ``row_no``, ``reason`` and ``raw``.
    """
    of_order = orders.select(
        C.ORDER_ID,
        F.col(C.DAY).alias(C.SALE_DAY),
        F.col(C.SUBJECT_ID).alias("_order_subject"),
        F.col(C.COUNTRY).alias("_order_country"),
        F.col(C.CURRENCY).alias("_order_currency"),
    )
    named = landing.withColumns({C.RAW: row_as_text(landing), C.ORDER_ID: read_text(C.ORDER_ID)})
    rows = named.transform(find_subjects, accounts, keys).transform(type_amounts)
    typed = rows.join(of_order, on=C.ORDER_ID, how="left").withColumns(
        {
            C.DAY: F.to_date(read_time(C.RETURNED_AT)),
            C.RETURNED_AT: read_time(C.RETURNED_AT),
            C.RETURN_ID: read_text(C.RETURN_ID),
            C.SUBJECT_ID: F.coalesce(C.SUBJECT_ID, "_order_subject"),
            C.COUNTRY: F.coalesce(C.COUNTRY, "_order_country"),
            C.CURRENCY: F.coalesce(read_currency(), "_order_currency"),
            "_is_bad_currency": is_bad_currency(),
            C.REASON: mask_text(read_text(C.REASON)),
        }
    )
    return typed.withColumns(
        {
            C.LINE_ID: F.xxhash64(*_line_name()),
            C.SUBJECT_BUCKET: subject_bucket(F.col(C.SUBJECT_ID)),
            "_reject": first_broken(
                {
                    NO_RETURN: F.col(C.RETURN_ID).isNull(),
                    BAD_TIME: F.col(C.RETURNED_AT).isNull(),
                    **broken_amounts(),
                    BAD_CURRENCY: F.col("_is_bad_currency"),
                    BAD_EMAIL: F.col("_is_bad_email") & F.col(C.SUBJECT_ID).isNull(),
                }
            ),
        }
    ).drop("_price", "_is_bad_email", "_is_bad_currency", "_order_subject", "_order_country", "_order_currency")


def _line_name() -> "tuple[Column | str, ...]":
    order_id = F.coalesce(C.ORDER_ID, F.lit(""))
    return (C.RETURN_ID, C.PRODUCT_ID, C.QUANTITY, F.col(C.UNIT_PRICE).cast("string"), order_id)


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the returns pulled on ``days``."""
    check_not_expired(lake, LANDING, RETURNS, days)
    rows_in = lake.count(LANDING, days=days)
    keys = subject_keys(lake)
    accounts, orders = lake.read("vault.customers"), lake.read("lake.orders")
    returns = lake.read(LANDING, days=days).transform(type_returns, orders, accounts, keys)
    names = lake.contracts[RETURNS].column_names
    with lake.scratch(returns) as typed:
        rejects = select_rejects(typed.frame.withColumn(C.REASON, F.col("_reject")), "returns")
        quarantined = publish_rejects(lake, "quarantine.returns", rejects, days)
        understood = typed.rows - quarantined
        check_nothing_lost("conform.returns", lines=rows_in, understood=understood, quarantined=quarantined)
        valid = typed.frame.where(F.col("_reject").isNull()).select(*names)
        result = fold(lake, RETURNS, valid, pulled=days, newest_by=C.PULL_DAY)
    return StepReport(rows_in, result.rows, result.duplicates, quarantined)
