"""Order lines in ``lake.order_lines``, under the day of their order and with its person and country.

Rules:
    * A line belongs to an order of ``lake.orders``, of this pull or any before.
    * Its quantity is a whole number of 1 or more: negative ones are stock corrections or returns that were booked as
      lines, which have no place among sales.
    * Its price is 0 or more, rounded to two places, half away from zero.
    * A line is named by order and line number, or by order, product, quantity and price where it has no number; of
      several rows of one name that of the newest pull counts, the others are duplicates.
    * A line that came before its order waits in quarantine; the pull that brings the order takes it in.
    * A line of an order of somebody who was erased is kept without the person.
    * When an order changes its day, person or country, its lines follow, although they were not pulled again.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.fields import (
    differs,
    first_broken,
    read_number,
    read_text,
    read_whole_number,
    round_price,
    row_as_text,
    select_rejects,
)
from jobs.conform.folding import FoldResult, fold_scratch, keep_newest, list_days_of_keys
from jobs.conform.landing import Waiting, check_not_expired, list_days_to_repeat, repeat_days
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.conform.suppression.erased_rows import ROW_PLACE, Claim, split_erased
from jobs.conform.suppression.severed_orders import SeveredOrders, find_severed, join_orders
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.lake.scratch import Scratch
from jobs.privacy import tombstones

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ORDER_LINES: Final = "lake.order_lines"
ORDERS: Final = "lake.orders"
LANDING: Final = "landing.order_lines"
CLAIMS: Final = (Claim(tombstones.ORDER, C.ORDER_ID),)
OF_THE_ORDER: Final = (C.DAY, C.SUBJECT_ID, C.SUBJECT_BUCKET, C.COUNTRY, C.ORDERED_AT)

NO_ORDER: Final = "order_id is missing"
NO_PRODUCT: Final = "product_id is missing"
BAD_QUANTITY: Final = "quantity is not a whole number"
NOT_POSITIVE: Final = "quantity is not positive"
BAD_PRICE: Final = "unit price is not an amount"
NEGATIVE_PRICE: Final = "unit price is negative"
UNKNOWN_ORDER: Final = "there is no such order"
EARLY: Final = Waiting("quarantine.order_lines", LANDING, (UNKNOWN_ORDER,))


def type_amounts(rows: "DataFrame") -> "DataFrame":
    """Text of product, quantity and price read into types; ``_price`` is the price before rounding."""
    return rows.withColumns(
        {
            C.PRODUCT_ID: read_text(C.PRODUCT_ID),
            C.QUANTITY: read_whole_number(C.QUANTITY),
            C.UNIT_PRICE: round_price(read_number(C.UNIT_PRICE)),
            "_price": read_number(C.UNIT_PRICE),
        }
    )


def broken_amounts() -> Mapping[str, "Column"]:
    """Rules about the columns of :func:`type_amounts`, by reason."""
    return {
        NO_PRODUCT: F.col(C.PRODUCT_ID).isNull(),
        BAD_QUANTITY: F.col(C.QUANTITY).isNull(),
        NOT_POSITIVE: F.col(C.QUANTITY) < 1,
        BAD_PRICE: F.col(C.UNIT_PRICE).isNull(),
        NEGATIVE_PRICE: F.col("_price") < 0,
    }


def type_lines(landing: "DataFrame", orders: "DataFrame", severed: SeveredOrders | None = None) -> "DataFrame":
    """Typed lines with what they take from their order, each with the reason against it, if any.

    Args:
        landing: ``landing.order_lines``.
        orders: ``lake.orders``, one row per order.
        severed: orders of erased people that landing names.

    Returns:
        One row per row: the columns of ``lake.order_lines``, ``row_no``, ``reason`` and ``raw``.
    """
    named = landing.withColumns(
        {
            C.RAW: row_as_text(landing),
            C.ORDER_ID: read_text(C.ORDER_ID),
            C.LINE_NO: F.coalesce(read_whole_number(C.LINE_NO).cast("string"), read_text(C.LINE_NO)),
        }
    )
    of_order = orders.select(C.ORDER_ID, *OF_THE_ORDER)
    lines = join_orders(named.transform(type_amounts), of_order, severed)
    amount = (C.ORDER_ID, C.PRODUCT_ID, C.QUANTITY, F.col(C.UNIT_PRICE).cast("string"))
    line_id = F.when(F.col(C.LINE_NO).isNull(), F.xxhash64(F.lit("amount"), *amount)).otherwise(
        F.xxhash64(F.lit("number"), C.ORDER_ID, C.LINE_NO)
    )
    broken = {
        NO_ORDER: F.col(C.ORDER_ID).isNull(),
        **broken_amounts(),
        UNKNOWN_ORDER: F.col(C.DAY).isNull(),
    }
    return lines.withColumns({C.LINE_ID: line_id, C.REASON: first_broken(broken)}).drop("_price")


def follow_orders(lines: "DataFrame", orders: "DataFrame") -> "DataFrame":
    """Lines with day, person, country and time as their orders have them now; lines without an order stay.

    Args:
        lines: rows of ``lake.order_lines``.
        orders: ``lake.orders``, one row per order.

    Returns:
        The same rows and columns.
    """
    of_order = orders.select(C.ORDER_ID, F.struct(*OF_THE_ORDER).alias("_order"))
    beside = lines.join(of_order, on=C.ORDER_ID, how="left")
    has_order = F.col("_order").isNotNull()
    taken = {name: F.when(has_order, F.col(f"_order.{name}")).otherwise(F.col(name)) for name in OF_THE_ORDER}
    return beside.withColumns(taken).select(*lines.columns)


def list_days_to_move(lines: "DataFrame", orders: "DataFrame") -> tuple[date, ...]:
    """Days that lines must leave or enter because their order changed.

    Args:
        lines: rows of ``lake.order_lines``.
        orders: rows of ``lake.orders``, one per order.
    """
    beside = lines.join(orders, on=lines[C.ORDER_ID] == orders[C.ORDER_ID], how="inner")
    moved = beside.where(differs(lines, orders, OF_THE_ORDER))
    pairs = moved.select(lines[C.DAY].alias("_from"), orders[C.DAY].alias("_to")).distinct().collect()
    return tuple({day for pair in pairs for day in pair})


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the order lines pulled on ``days``, and those of other pulls that waited for an order."""
    check_not_expired(lake, LANDING, ORDER_LINES, days)
    report = _conform(lake, days)
    early = list_days_to_repeat(lake, days, EARLY, lambda rows: type_lines(rows, lake.read(ORDERS)))
    return repeat_days(report, early, lambda day: _conform(lake, day))


def _conform(lake: Lake, days: Days) -> StepReport:
    landed = lake.read(LANDING, days=days)
    with find_severed(lake, landed.select(read_text(C.ORDER_ID).alias(C.ORDER_ID))) as severed:
        return _publish(lake, landed.transform(type_lines, lake.read(ORDERS), severed), days)


def _publish(lake: Lake, lines: "DataFrame", days: Days) -> StepReport:
    rows_in = lake.count(LANDING, days=days)
    contract, is_valid = lake.contracts[ORDER_LINES], F.col(C.REASON).isNull()
    with lake.scratch(lines) as typed, split_erased(lake, typed, CLAIMS, table=ORDER_LINES, place=ROW_PLACE) as split:
        kept = split.kept
        quarantined = publish_rejects(lake, "quarantine.order_lines", select_rejects(kept.frame, "order_lines"), days)
        understood = kept.rows - quarantined
        check_nothing_lost(
            "conform.order_lines", lines=rows_in, understood=understood, quarantined=quarantined, forgotten=split.rows
        )
        valid = kept.frame.where(is_valid)
        if split.erased is None:
            result = _fold(lake, Scratch(valid, understood), days)
        else:
            with lake.scratch(split.add_severed(lake, valid, contract, where=is_valid)) as both:
                result = _fold(lake, both, days)
        split.scrub(lake, LANDING, ROW_PLACE)
    return StepReport(rows_in, result.rows, result.duplicates, quarantined, forgotten=split.rows)


def _fold(lake: Lake, valid: Scratch, days: Days) -> FoldResult:
    key, orders = lake.contracts[ORDER_LINES].key, lake.read(ORDERS)

    def finish(lines: "DataFrame") -> "DataFrame":
        return keep_newest(lines, key=key, newest_by=C.PULL_DAY).transform(follow_orders, orders)

    def list_further_days() -> set[date]:
        from_pull = F.col(C.PULL_DAY).between(days.first, days.last)
        moved = list_days_to_move(lake.read(ORDER_LINES).where(~from_pull), orders.where(from_pull))
        return {*moved, *list_days_of_keys(lake, ORDER_LINES, valid.frame, pulled=days)}

    return fold_scratch(lake, ORDER_LINES, valid, pulled=days, finish=finish, also=list_further_days)
