"""Returns in ``lake.returns``, under the day they came back, with the day of the sale where it is known.

Rules:
    * A return needs an id, a product, a time, a whole quantity of 1 or more and a refund of 0 or more per piece.
    * Its person is that of its own e-mail address, else of its account, else of its order; unknown is allowed.
    * An order that is not in ``lake.orders`` leaves the day of the sale unknown and refuses nothing.
    * Its currency is its own, else that of its order, else the shop's reporting currency.
    * E-mail addresses and payment-card numbers in the reason are masked.
    * Of several rows of one line that of the newest pull counts, the others are duplicates.
    * A return of somebody who was erased, or of their order, is kept without the person.
    * Which account sent something back under another address is kept in ``vault.linked_purchases``.
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
from jobs.conform.linked_purchases import publish_links
from jobs.conform.order_lines import broken_amounts, type_amounts
from jobs.conform.orders import BAD_CURRENCY, BAD_EMAIL, find_subjects
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.conform.suppression.erased_rows import ROW_PLACE, Claim, split_erased
from jobs.conform.suppression.severed_orders import SeveredOrders, find_severed, join_orders
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.privacy import tombstones
from jobs.privacy.minimisation.masks import mask_text
from jobs.privacy.pseudonyms import subject_bucket, subject_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

RETURNS: Final = "lake.returns"
LANDING: Final = "landing.returns"
CLAIMS: Final = (
    Claim(tombstones.RETURN, C.RETURN_ID, spreads=True),
    Claim(tombstones.ORDER, C.ORDER_ID),
    Claim(tombstones.SUBJECT, C.SUBJECT_ID, at=C.RETURNED_AT),
    Claim(tombstones.PERSON, C.PERSON_ID, at=C.RETURNED_AT),
)

NO_RETURN: Final = "return_id is missing"
BAD_TIME: Final = "returned_at is missing or not a time"


def type_returns(
    landing: "DataFrame",
    orders: "DataFrame",
    accounts: "DataFrame",
    keys: "DataFrame",
    *,
    severed: SeveredOrders | None = None,
    names_accounts: bool = False,
) -> "DataFrame":
    """Typed, masked and pseudonymous returns, each with the reason against it, if any.

    Args:
        landing: ``landing.returns``.
        orders: ``lake.orders``, one row per order.
        accounts: ``vault.customers``.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.
        severed: orders of erased people that landing names.
        names_accounts: as for :func:`jobs.conform.orders.find_subjects`.

    Returns:
        One row per row: the columns of ``lake.returns``, ``person_id``, ``row_no``, ``_reject``, ``raw``, and
        those of :func:`jobs.conform.linked_purchases.mark_linked`.
    """
    of_order = orders.select(
        C.ORDER_ID,
        F.col(C.DAY).alias(C.SALE_DAY),
        F.col(C.SUBJECT_ID).alias("_order_subject"),
        F.col(C.COUNTRY).alias("_order_country"),
        F.col(C.CURRENCY).alias("_order_currency"),
    )
    named = landing.withColumns({C.RAW: row_as_text(landing), C.ORDER_ID: read_text(C.ORDER_ID)})
    people = named.transform(find_subjects, accounts, keys, names_accounts=names_accounts)
    rows = people.transform(type_amounts)
    typed = join_orders(rows, of_order, severed).withColumns(
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
    landed = lake.read(LANDING, days=days)
    with find_severed(lake, landed.select(read_text(C.ORDER_ID).alias(C.ORDER_ID))) as severed:
        returns = landed.transform(
            type_returns,
            lake.read("lake.orders"),
            lake.read("vault.customers"),
            subject_keys(lake),
            severed=severed,
            names_accounts=tombstones.has_tombstones(lake),
        )
        return _conform(lake, returns, days)


def _conform(lake: Lake, returns: "DataFrame", days: Days) -> StepReport:
    rows_in = lake.count(LANDING, days=days)
    contract, is_valid = lake.contracts[RETURNS], F.col("_reject").isNull()
    is_reject = F.col("_reject").isNotNull()
    with (
        lake.scratch(returns) as typed,
        split_erased(lake, typed, CLAIMS, table=RETURNS, place=ROW_PLACE, texts=is_reject) as split,
    ):
        kept = split.kept
        rejects = select_rejects(kept.frame.withColumn(C.REASON, F.col("_reject")), "returns")
        quarantined = publish_rejects(lake, "quarantine.returns", rejects, days)
        understood = kept.rows - quarantined
        check_nothing_lost(
            "conform.returns", lines=rows_in, understood=understood, quarantined=quarantined, forgotten=split.rows
        )
        theirs = split.of_others(ROW_PLACE).where(is_valid)
        publish_links(lake, theirs, number=C.RETURN_ID, happened=C.RETURNED_AT, newest_by=C.PULL_DAY)
        valid = kept.frame.where(is_valid).select(*contract.column_names)
        both = split.add_severed(lake, valid, contract, where=is_valid)
        result = fold(lake, RETURNS, both, pulled=days, newest_by=C.PULL_DAY)
        split.scrub(lake, LANDING, ROW_PLACE)
    return StepReport(rows_in, result.rows, result.duplicates, quarantined, forgotten=split.rows)
