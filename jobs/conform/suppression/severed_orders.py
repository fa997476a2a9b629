"""Rows of landing brought to their order, also where the order was severed since.

A landed row names its order by the shop's number. Once the order's person is erased the lake knows the order by a
digest only, so rows of such orders are joined by that; the tombstones tell which orders they are.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.pseudonyms import with_keys
from jobs.privacy.severing import severed_id
from jobs.privacy.tombstones import ORDER, find_erased, has_tombstones, tombstone_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class SeveredOrders:
    """``_number`` as landing has it and ``_key`` as the lake has it, of the orders of erased people."""

    frame: "DataFrame"


@contextmanager
def find_severed(lake: Lake, numbers: "DataFrame") -> "Iterator[SeveredOrders | None]":
    """Which of the orders that landing names are of erased people, and what the lake calls them.

    Args:
        lake: the lake.
        numbers: one column with numbers of orders.

    Yields:
        None where nobody was erased, or none of the orders is theirs.
    """
    if not has_tombstones(lake):
        yield None
        return
    erased = find_erased(lake, numbers, ORDER)
    named = with_keys(erased, tombstone_keys(lake)).select(
        F.col("_erased").alias("_number"), severed_id(F.col("_erased"), C.ORDER_ID).alias("_severed")
    )
    held = lake.read("lake.orders").select(F.col(C.ORDER_ID).alias("_severed"), F.lit(True).alias("_is_held"))
    key = F.when(F.col("_is_held"), F.col("_severed")).otherwise(F.col("_number"))
    keyed = named.join(held, "_severed", how="left").select("_number", key.alias("_key"))
    with lake.scratch(keyed) as found:
        yield SeveredOrders(found.frame) if found.rows else None


def join_orders(rows: "DataFrame", of_order: "DataFrame", severed: SeveredOrders | None) -> "DataFrame":
    """Rows beside their order, where there is one.

    Args:
        rows: with ``order_id`` as landing has it.
        of_order: ``order_id`` as the lake has it, and what is to stand beside.
        severed: of :func:`find_severed`.
    """
    if severed is None:
        return rows.join(of_order, on=C.ORDER_ID, how="left")
    named = rows.join(F.broadcast(severed.frame), F.col(C.ORDER_ID) == F.col("_number"), how="left")
    keyed = named.withColumn("_key", F.coalesce("_key", C.ORDER_ID)).drop("_number")
    return keyed.join(of_order.withColumnRenamed(C.ORDER_ID, "_key"), on="_key", how="left").drop("_key")
