"""``ledger.chart_utility``: how close a published chart came to the exact one, measured with every release.

Made from exact numbers without noise, so it is restricted: it would tell what the noise hides.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.charts import ALL, OVERALL, SCOPE_KEY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

UTILITY: Final = "ledger.chart_utility"
TOPS: Final = {10: C.OVERLAP_10, 50: C.OVERLAP_50, 100: C.OVERLAP_100}
CHARTS: Final = (C.PERIOD_ID, *SCOPE_KEY)
_OTHER_RANK, _OTHER_EXACT = "_other_rank", "_other_exact"


def measure_utility(published: "DataFrame", exact: "DataFrame", releases: "DataFrame") -> "DataFrame":
    """Rows of ``ledger.chart_utility``.

    Args:
        published: places of the releases, of ``marts.bestsellers``.
        exact: places of the same periods, of ``marts.bestsellers_exact``.
        releases: ``period_id``, ``period_start`` and ``release_id`` of each; charts without places are among them.

    Returns:
        One row per chart that one of the two has, and one for the overall chart of every release.
    """
    shown = published.select(*CHARTS, C.PRODUCT_ID, C.RANK)
    true = exact.select(*CHARTS, C.PRODUCT_ID, C.BUYERS_RANK)
    both = shown.join(true, [*CHARTS, C.PRODUCT_ID], how="full")
    counts = both.groupBy(*CHARTS).agg(
        F.count(C.RANK).alias(C.PLACES),
        F.count(C.BUYERS_RANK).alias(C.EXACT_PLACES),
        *(_overlap(top).alias(name) for top, name in TOPS.items()),
    )
    everywhere = releases.select(C.PERIOD_ID, F.lit(OVERALL).alias(C.SCOPE), F.lit(ALL).alias(C.SCOPE_VALUE))
    charts = counts.select(*CHARTS).unionByName(everywhere).distinct()
    tau = both.where(F.col(C.SCOPE) == OVERALL).transform(measure_tau)
    told = charts.join(counts, list(CHARTS), how="left").join(tau, list(CHARTS), how="left")
    named = told.join(F.broadcast(releases), C.PERIOD_ID, how="inner")
    return named.fillna(0, [C.PLACES, C.EXACT_PLACES]).select(
        C.PERIOD_ID,
        C.PERIOD_START,
        C.RELEASE_ID,
        *SCOPE_KEY,
        C.PLACES,
        C.EXACT_PLACES,
        *TOPS.values(),
        C.KENDALL_TAU,
    )


def measure_tau(both: "DataFrame") -> "DataFrame":
    """Kendall's tau per chart, over products that both charts have: ``period_id, scope, scope_value, kendall_tau``.

    Args:
        both: places with ``rank`` and ``buyers_rank``, null where a chart lacks the product.
    """
    placed = both.where(F.col(C.RANK).isNotNull() & F.col(C.BUYERS_RANK).isNotNull())
    ours = placed.select(*CHARTS, C.RANK, C.BUYERS_RANK)
    others = placed.select(*CHARTS, F.col(C.RANK).alias(_OTHER_RANK), F.col(C.BUYERS_RANK).alias(_OTHER_EXACT))
    pairs = ours.join(others, list(CHARTS), how="inner").where(F.col(C.RANK) < F.col(_OTHER_RANK))
    sign = F.when(F.col(C.BUYERS_RANK) < F.col(_OTHER_EXACT), F.lit(1.0)).otherwise(F.lit(-1.0))
    return pairs.groupBy(*CHARTS).agg(F.avg(sign).alias(C.KENDALL_TAU))


def _overlap(top: int) -> "Column":
    """Share of the exact first ``top`` that are among the published first ``top``."""
    is_true = F.col(C.BUYERS_RANK) <= top
    hits = F.sum(F.when(is_true & (F.col(C.RANK) <= top), F.lit(1)).otherwise(F.lit(0)))
    return hits / F.nullif(F.sum(F.when(is_true, F.lit(1)).otherwise(F.lit(0))), F.lit(0))
