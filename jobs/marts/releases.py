"""What a release of a chart costs, the scale of its noise, and how large a noisy count must be to be shown."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.marts.bounding import cap_of
from jobs.marts.periods import KINDS, ORDINAL, ORDINALS_PER_KIND, Period, period_of, tabulate
from jobs.privacy.budget.allowances import ChartTerms
from jobs.privacy.budget.noise import check_cost, find_interval, find_threshold
from jobs.privacy.epochs import read_epoch

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DELTA: Final = 1e-6
"""Probability, over all of a person's cells, that the name of a country is shown for that person alone."""
NUMBERS: Final = (C.BUYERS, C.UNITS, C.REVENUE)
MARGINS: Final = {C.BUYERS: C.BUYERS_MARGIN, C.UNITS: C.UNITS_MARGIN, C.REVENUE: C.REVENUE_MARGIN}
SCALES: Final = {name: f"_{name}_scale" for name in NUMBERS}
CUTOFF: Final = "_cutoff"
IS_COUNTRY: Final = "_is_country"
FALSE_SHARE: Final = 0.1
DEEPEST: Final = 2_000
KIND, PLACE, CUT, LAST = "_kind", "_place", "_cut", "_last"


@dataclass(frozen=True)
class Account:
    """A paid release of a period, and how it stands to the one before."""

    period: Period
    release_id: str
    rho: float
    epsilon: float
    delta: float
    released_at: datetime
    revision: int
    why: str | None


def find_noise(terms: ChartTerms, kind: str, *, by_country: bool, catalogue: int) -> dict[str, float]:
    """Scales, margins and the smallest count that is shown, for one kind of period.

    Of all countries together it is only where :func:`tabulate_cuts` begins to look; of a country it is where nobody can
    be alone behind the number.

    Args:
        terms: how charts are made.
        kind: of period.
        by_country: whether for the numbers per country.
        catalogue: products that can be published.

    Raises:
        ValueError: OpenDP accounts more for the noise than the terms allow.
    """
    window, shares = terms.windows[kind], terms.country if by_country else terms.overall
    found: dict[str, float] = {}
    for name, cap in cap_of(terms).items():
        cost = {"rho": window.rho * shares[name], "sensitivity": cap * math.sqrt(window.products)}
        found |= {SCALES[name]: check_cost(**cost), MARGINS[name]: find_interval(**cost)}
    if by_country:
        cost = {"rho": window.rho * shares[C.BUYERS], "sensitivity": math.sqrt(window.products)}
        return found | {CUTOFF: find_threshold(**cost, groups=window.products, delta=DELTA)}
    deepest = min(DEEPEST, catalogue)
    return found | {CUTOFF: find_cut(found[SCALES[C.BUYERS]], deepest, catalogue)}


def find_cut(scale: float, place: int, catalogue: int) -> int:
    """Noisy buyers that the product on a place needs, see :func:`tabulate_cuts`."""
    quantile = NormalDist().inv_cdf(1 - FALSE_SHARE * place / catalogue)
    return max(1, math.ceil(scale * quantile))


def tabulate_cuts(session: "SparkSession", kinds: Iterable[str], terms: ChartTerms, *, catalogue: int) -> "DataFrame":
    """Noisy buyers that products need by their place: ``_kind, _place, _cut``.

    The chart ends with the last place that has them. So on average no more than one in ten of its products is there by
    noise alone, and where noise hides everything the chart is empty. Only noisy numbers are looked at.

    References:
        Benjamini and Hochberg, Controlling the False Discovery Rate, 1995.
    """
    rows = []
    for kind in sorted(set(kinds)):
        scale = find_noise(terms, kind, by_country=False, catalogue=catalogue)[SCALES[C.BUYERS]]
        places = range(1, min(DEEPEST, catalogue) + 1)
        rows += [(KINDS.index(kind), place, find_cut(scale, place, catalogue)) for place in places]
    return tabulate(session, rows, f"{KIND} int, {PLACE} int, {CUT} bigint")


def keep_significant(noisy: "DataFrame", cuts: "DataFrame") -> "DataFrame":
    """Cells of countries, and of the others the products down to the last place that has enough buyers.

    Args:
        noisy: cells with noise.
        cuts: of :func:`tabulate_cuts`.
    """
    is_overall = F.col(C.COUNTRY).isNull()
    of_period = Window.partitionBy(ORDINAL, is_overall)
    placed = noisy.withColumns(
        {
            KIND: F.floor(F.col(ORDINAL) / ORDINALS_PER_KIND).cast("int"),
            PLACE: F.row_number().over(of_period.orderBy(F.desc(C.BUYERS), C.PRODUCT_ID, C.COUNTRY)),
        }
    )
    beside = placed.join(F.broadcast(cuts), [KIND, PLACE], how="left")
    enough = F.when(F.col(C.BUYERS) >= F.col(CUT), F.col(PLACE))
    last = beside.withColumn(LAST, F.coalesce(F.max(enough).over(of_period), F.lit(0)))
    return last.where(~is_overall | (F.col(PLACE) <= F.col(LAST))).drop(KIND, PLACE, CUT, LAST)


def tabulate_noise(
    session: "SparkSession", periods: Iterable[Period], terms: ChartTerms, *, catalogue: int
) -> "DataFrame":
    """Two rows per period, overall and per country: ``_ordinal``, ``_is_country``, scales, cutoff and margins."""
    listed = list(periods)
    kinds = {(kind, part) for kind in {period.kind for period in listed} for part in (False, True)}
    noise = {(k, part): find_noise(terms, k, by_country=part, catalogue=catalogue) for k, part in kinds}
    rows: list[tuple[Any, ...]] = []
    for period in listed:
        for part in (False, True):
            found = noise[period.kind, part]
            whole = (int(found[name]) for name in (CUTOFF, *MARGINS.values()))
            rows.append((period.ordinal, part, *(found[name] for name in SCALES.values()), *whole))
    names = [f"{ORDINAL} int", f"{IS_COUNTRY} boolean", *(f"{name} double" for name in SCALES.values())]
    names += [f"{name} bigint" for name in (CUTOFF, *MARGINS.values())]
    return tabulate(session, rows, ", ".join(names))


def tabulate_accounts(session: "SparkSession", accounts: Iterable[Account]) -> "DataFrame":
    """One row per release: ``_ordinal``, ``release_id``, costs, times and revision."""
    rows = [
        (
            account.period.ordinal,
            account.release_id,
            account.rho,
            account.epsilon,
            account.delta,
            account.released_at,
            account.revision,
            account.released_at if account.why else None,
            account.why,
        )
        for account in accounts
    ]
    costs = f"{C.RHO} double, {C.EPSILON} double, {C.DELTA} double, {C.RELEASED_AT} timestamp"
    edition = f"{C.REVISION} int, {C.RESTATED_AT} timestamp, {C.RESTATED_WHY} string"
    return tabulate(session, rows, f"{ORDINAL} int, {C.RELEASE_ID} string, {costs}, {edition}")


def fill_zeros(cells: "DataFrame", products: "DataFrame", noise: "DataFrame") -> "DataFrame":
    """Cells that get noise, beside its scales: every product of the catalogue overall, and what was bought per country.

    Args:
        cells: of :func:`jobs.marts.bounding.count_cells`.
        products: ``product_id`` of what may be published.
        noise: of :func:`tabulate_noise`.

    Returns:
        ``_ordinal, country, product_id, buyers, units, revenue``, scales, cutoff and margins.
    """
    is_overall = F.col(C.COUNTRY).isNull()
    of_all, of_countries = (F.broadcast(noise.where(F.col(IS_COUNTRY) == part)) for part in (False, True))
    every = products.select(C.PRODUCT_ID).crossJoin(of_all)
    known = cells.where(is_overall).drop(C.COUNTRY)
    overall = every.join(known, [ORDINAL, C.PRODUCT_ID], how="left").withColumn(C.COUNTRY, F.lit(None).cast("string"))
    countries = cells.where(~is_overall).join(of_countries, ORDINAL, how="inner")
    names = (ORDINAL, C.COUNTRY, C.PRODUCT_ID, *NUMBERS, *SCALES.values(), CUTOFF, *MARGINS.values())
    both = overall.select(*names).unionByName(countries.select(*names))
    return both.fillna(0, list(NUMBERS))


def list_planned(terms: ChartTerms, epoch: str) -> Mapping[str, float]:
    """Costs of the first releases that a calendar period has to pay for, by release's name."""
    found, days = {}, read_epoch(epoch)
    for kind in KINDS:
        if kind not in terms.windows:
            continue
        period = period_of(kind, days.first)
        while period.start <= days.last:
            found[period.id] = terms.windows[kind].rho
            period = period.next
    return found
