"""How much one person may add to a published chart, and what that makes of the counts.

Of a period a person counts for so many products at most: those with the smallest keyed digest of person and product,
which neither the person nor anybody else can steer, and which a second run chooses again. Each counts in one country.
To one product a person adds one buyer, and no more than the terms allow of units and money.

References:
    Wilson et al., Differentially Private SQL with Bounded User Contribution, 2020, section 3.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.conform.currencies import CENTS
from jobs.lake import columns as C
from jobs.marts.abuse import CONTRIBUTOR
from jobs.marts.movements import BOUGHT
from jobs.marts.periods import ORDINAL, Period, tabulate
from jobs.privacy.budget.allowances import ChartTerms
from jobs.privacy.shuffling import add_order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from jobs.privacy.keyring import Key

LIMIT: Final = "_limit"
HEX_DIGITS: Final = 15
_CHOICE, _ORDER, _PLACE, _BOTH = "_choice", "_order", "_place", "_both"


def order_movements(movements: "DataFrame", products: "DataFrame", *, key: "Key") -> "DataFrame":
    """Movements of known people and of products that the catalogue shows, with the order in which products are kept.

    Args:
        movements: of :class:`jobs.marts.movements.Movements`.
        products: ``product_id`` of what may be published.
        key: of :func:`jobs.privacy.shuffling.order_key`.
    """
    session = movements.sparkSession
    shown = movements.where("_is_known").join(products.select(C.PRODUCT_ID), C.PRODUCT_ID, how="left_semi")
    text = F.concat_ws(" ", F.col(CONTRIBUTOR).cast("string"), C.PRODUCT_ID)
    ordered = add_order(shown, by=text, name=_ORDER, key=key, session=session)
    number = F.conv(F.substring(_ORDER, 1, HEX_DIGITS), 16, 10).cast("bigint")
    return ordered.withColumn(_CHOICE, number).drop(_ORDER)


def tabulate_limits(session: "SparkSession", periods: Sequence[Period], terms: ChartTerms) -> "DataFrame":
    """One row per period: ``_ordinal`` and ``_limit``, the products that a person counts for."""
    rows = [(period.ordinal, terms.windows[period.kind].products) for period in periods]
    return tabulate(session, rows, f"{ORDINAL} int, {LIMIT} int")


def bound_contributions(
    ordered: "DataFrame", calendar: "DataFrame", limits: "DataFrame", *, terms: ChartTerms
) -> "DataFrame":
    """One row per period, person and product that counts: ``_ordinal, country, product_id, units, revenue``.

    Args:
        ordered: of :func:`order_movements`.
        calendar: of :func:`jobs.marts.periods.build_calendar`.
        limits: of :func:`tabulate_limits`.
        terms: with the caps; revenue comes in whole units of currency, rounded down.
    """
    in_periods = F.broadcast(calendar).join(ordered, C.DAY, how="inner")
    by_product = in_periods.groupBy(ORDINAL, CONTRIBUTOR, C.PRODUCT_ID).agg(
        *(F.sum(name).alias(name) for name in (C.UNITS, CENTS)),
        F.max(BOUGHT).alias(BOUGHT),
        F.min(C.COUNTRY).alias(C.COUNTRY),
        F.min(_CHOICE).alias(_CHOICE),
    )
    of_person = Window.partitionBy(ORDINAL, CONTRIBUTOR).orderBy(_CHOICE, C.PRODUCT_ID)
    placed = by_product.where(BOUGHT).withColumn(_PLACE, F.row_number().over(of_person))
    kept = placed.join(F.broadcast(limits), ORDINAL, how="inner").where(F.col(_PLACE) <= F.col(LIMIT))
    units = F.greatest(F.least(F.col(C.UNITS), F.lit(terms.units)), F.lit(0)).cast("bigint")
    whole = F.floor(F.col(CENTS) / 100).cast("bigint")
    revenue = F.greatest(F.least(whole, F.lit(terms.revenue)), F.lit(0)).cast("bigint")
    return kept.select(ORDINAL, C.COUNTRY, C.PRODUCT_ID, units.alias(C.UNITS), revenue.alias(C.REVENUE))


def count_cells(bounded: "DataFrame") -> "DataFrame":
    """Exact counts for the noise and nobody else: ``_ordinal, country, product_id, buyers, units, revenue``.

    ``country`` is null for all countries together. Adding or taking away one person changes at most ``_limit`` cells
    per period of these, and as many of those per country, each by no more than the caps.
    """
    both = bounded.withColumn(_BOTH, F.explode(F.array(F.lit(False), F.lit(True))))
    scoped = both.where(~F.col(_BOTH) | F.col(C.COUNTRY).isNotNull())
    country = F.when(F.col(_BOTH), F.col(C.COUNTRY)).alias(C.COUNTRY)
    keyed = scoped.select(ORDINAL, country, C.PRODUCT_ID, C.UNITS, C.REVENUE)
    sums = (F.sum(name).cast("bigint").alias(name) for name in (C.UNITS, C.REVENUE))
    return keyed.groupBy(ORDINAL, C.COUNTRY, C.PRODUCT_ID).agg(F.count(F.lit(1)).alias(C.BUYERS), *sums)


def cap_of(terms: ChartTerms) -> Mapping[str, int]:
    """What one person adds to one cell at most, by number."""
    return {C.BUYERS: 1, C.UNITS: terms.units, C.REVENUE: terms.revenue}
