"""Amounts in the shop's reporting currency, by the rate of the day on which something was sold.

An amount without a currency is in the reporting currency already. A currency without a rate for a day is an error,
because leaving its sales out, or counting them one to one, would both be wrong without anybody noticing.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.errors import ContractError
from jobs.lake import Lake
from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RATES: Final = "lake.exchange_rates"
CENTS: Final = "_cents"
"""Value of a row in hundredths of the reporting currency, a whole number."""
_OF, _FROM, _UNTIL, _RATE, _MANY = "_of", "_from", "_until", "_rate", "_many"


def add_cents(lines: "DataFrame", rates: "DataFrame", *, reporting: str) -> "DataFrame":
    """Lines with ``CENTS``: quantity times price, rounded half up once; null where a rate is missing.

    Args:
        lines: with ``day``, ``quantity``, ``unit_price`` and ``currency``.
        rates: ``lake.exchange_rates``.
        reporting: the reporting currency.
    """
    next_of_currency = Window.partitionBy(C.CURRENCY).orderBy(C.VALID_FROM)
    known = rates.where(F.col(C.REPORTING_CURRENCY) == reporting).select(
        F.col(C.CURRENCY).alias(_OF),
        F.col(C.VALID_FROM).alias(_FROM),
        F.lead(C.VALID_FROM).over(next_of_currency).alias(_UNTIL),
        F.col(C.RATE).cast("double").alias(_RATE),
    )
    is_foreign = F.col(C.CURRENCY).isNotNull() & (F.col(C.CURRENCY) != reporting)
    holds = (F.col(C.DAY) >= F.col(_FROM)) & (F.col(_UNTIL).isNull() | (F.col(C.DAY) < F.col(_UNTIL)))
    beside = lines.join(F.broadcast(known), (F.col(C.CURRENCY) == F.col(_OF)) & holds, how="left")
    cents = (F.col(C.UNIT_PRICE) * 100).cast("bigint") * F.col(C.QUANTITY)
    converted = F.floor(cents.cast("double") * F.col(_RATE) + 0.5).cast("bigint")
    value = F.when(is_foreign, converted).otherwise(cents)
    return beside.withColumn(CENTS, value).drop(_OF, _FROM, _UNTIL, _RATE)


def convert_prices(lines: "DataFrame", orders: "DataFrame", rates: "DataFrame", *, reporting: str) -> "DataFrame":
    """Order lines with ``unit_price`` in the reporting currency, null where a rate is missing; the same columns.

    Args:
        lines: in the columns of ``lake.order_lines``.
        orders: theirs, with ``currency``.
        rates: ``lake.exchange_rates``.
        reporting: the reporting currency.
    """
    of_order = orders.select(C.ORDER_ID, C.CURRENCY).dropDuplicates([C.ORDER_ID])
    one = F.lit(1).cast("bigint").alias(C.QUANTITY)
    single = (
        lines.join(of_order, C.ORDER_ID, how="left").withColumn(_MANY, F.col(C.QUANTITY)).withColumn(C.QUANTITY, one)
    )
    valued = add_cents(single, rates, reporting=reporting).withColumn(C.QUANTITY, F.col(_MANY))
    price = (F.col(CENTS) / 100).cast("decimal(12,2)")
    return valued.withColumn(C.UNIT_PRICE, price).select(*lines.columns)


def check_rates(lines: "DataFrame", *, reporting: str) -> None:
    """Refuse lines of a currency without a rate.

    Args:
        lines: of :func:`add_cents`.
        reporting: the reporting currency.

    Raises:
        ContractError: names the currencies and the first day of each without a rate.
    """
    missing = lines.where(F.col(CENTS).isNull()).groupBy(C.CURRENCY).agg(F.min(C.DAY).alias(C.DAY))
    rows = sorted((str(row[C.CURRENCY]), row[C.DAY]) for row in missing.limit(10).collect())
    if rows:
        named = ", ".join(f"{currency} on {day}" for currency, day in rows)
        message = (
            f"{RATES} has no rate to {reporting} for {named}; nothing was published and the last good tables stay. Add "
            "it to the file of rates, run sources.exchange_rates, and run this step again."
        )
        raise ContractError(message)


def read_rates(lake: Lake) -> "DataFrame":
    """The lake's exchange rates."""
    return lake.read(RATES)
