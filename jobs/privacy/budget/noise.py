"""Noise for published numbers about people: discrete Gaussian by OpenDP, accounted in zCDP.

A release adds noise to counts of which one person can change only so much: the *sensitivity*, the Euclidean length of
the largest change that one person's rows can make to the whole vector. Its cost is ``rho`` of zero-concentrated
differential privacy; costs of several releases add up. The noise comes from the system's generator and cannot be
seeded, so a release is made once and kept.

References:
    Bun and Steinke, Concentrated Differential Privacy, 2016, propositions 1.3 and 1.6.
    Canonne, Kamath and Steinke, The Discrete Gaussian for Differential Privacy, 2020.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ROUNDING: Final = 1e-9
"""Relative: OpenDP rounds its account upwards in the last digits of a float."""
INTERVAL: Final = 0.95


def find_scale(*, rho: float, sensitivity: float) -> float:
    """Standard deviation of the noise that costs ``rho`` at this sensitivity.

    Raises:
        ValueError: one of them is not a number above 0.
    """
    if not (0 < rho < math.inf and 0 < sensitivity < math.inf):
        message = f"rho and sensitivity must be numbers above 0, got {rho} and {sensitivity}."
        raise ValueError(message)
    return sensitivity / math.sqrt(2 * rho)


def add_noise(counts: Sequence[int], *, rho: float, sensitivity: float) -> list[int]:
    """Counts with discrete Gaussian noise; whole numbers, some of them below zero.

    Args:
        counts: exact counts, of which one person changes at most ``sensitivity`` in Euclidean length.
        rho: what the whole vector costs.
        sensitivity: see above; the caller has bounded every person's rows to it.

    Raises:
        ValueError: OpenDP accounts more for this noise than ``rho``.
    """
    measurement = _gaussian(find_scale(rho=rho, sensitivity=sensitivity))
    accounted = measurement.map(float(sensitivity))
    if accounted > rho * (1 + ROUNDING):
        message = f"the noise would cost rho {accounted}, more than the {rho} that was asked for."
        raise ValueError(message)
    noisy: list[int] = measurement([int(count) for count in counts])
    return noisy


def check_cost(*, rho: float, sensitivity: float) -> float:
    """The scale for :func:`draw_noise`, after OpenDP agreed that noise of it costs no more than ``rho``.

    Raises:
        ValueError: it accounts more.
    """
    add_noise([0], rho=rho, sensitivity=sensitivity)
    return find_scale(rho=rho, sensitivity=sensitivity)


def draw_noise(rows: "DataFrame", scales: Mapping[str, str], *, above: str) -> "DataFrame":
    """Rows with noise on their counts, drawn where the rows are; those with too little of the first count are left out.

    The noise of the cells of a vector is independent, so a vector may be noised in parts; the other counts are drawn
    for the rows that stay only. Every computation of the frame draws anew: keep what it gives before using it twice.

    Args:
        rows: whole numbers, each beside the scale of its noise.
        scales: names of count columns and of the columns with their scales, of :func:`check_cost`.
        above: column with the smallest noisy value of the first count that a row needs.

    Returns:
        The same columns.
    """
    return rows.mapInArrow(_make_drawer(dict(scales), above), rows.schema)


def find_interval(*, rho: float, sensitivity: float) -> int:
    """Half the width of a 95 % interval: the exact count lies within plus or minus this, 95 times in 100."""
    _load()
    from opendp.accuracy import discrete_gaussian_scale_to_accuracy

    scale = find_scale(rho=rho, sensitivity=sensitivity)
    width: float = discrete_gaussian_scale_to_accuracy(scale, alpha=1 - INTERVAL)
    return math.ceil(width)


def find_epsilon(rho: float, *, delta: float) -> float:
    """The epsilon that, with ``delta``, follows from ``rho``; for people who think in epsilon."""
    dp = _load()
    curve = dp.c.make_zCDP_to_approxDP(_gaussian(find_scale(rho=rho, sensitivity=1.0))).map(1.0)
    return float(curve.epsilon(delta))


def find_threshold(*, rho: float, sensitivity: float, groups: int, delta: float) -> int:
    """Smallest noisy count to publish where the groups' names come from the data.

    A group that only one person is in passes it with a probability of at most ``delta`` over all of the person's
    groups, so that a name alone betrays nobody.

    Args:
        rho: what the counts cost.
        sensitivity: of the counts.
        groups: groups that one person can be in, 1 or more.
        delta: probability that may be added to the release's account.
    """
    scale = find_scale(rho=rho, sensitivity=sensitivity)
    quantile = NormalDist().inv_cdf(1 - delta / groups)
    return 2 + math.ceil(scale * quantile)


def _make_drawer(
    scales: dict[str, str], above: str
) -> "Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]":
    def draw(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow.compute as pc

        first, *others = scales
        for batch in batches:
            counted = _noise_batch(batch, first, scales[first])
            kept = counted.filter(pc.greater_equal(counted.column(first), counted.column(above)))
            for name in others:
                kept = _noise_batch(kept, name, scales[name])
            yield kept

    return draw


def _noise_batch(batch: "pa.RecordBatch", name: str, scale_name: str) -> "pa.RecordBatch":
    """A batch with noise on one column, scale by scale."""
    import numpy as np
    import pyarrow as pa

    counts = batch.column(name).to_numpy(zero_copy_only=False)
    scales = batch.column(scale_name).to_numpy(zero_copy_only=False)
    noisy = np.zeros(len(counts), np.int64)
    for scale in np.unique(scales):
        places = np.flatnonzero(scales == scale)
        noisy[places] = _gaussian(float(scale))(counts[places].tolist())
    number = batch.schema.get_field_index(name)
    columns = [pa.array(noisy) if place == number else batch.column(place) for place in range(batch.num_columns)]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _load() -> Any:  # noqa: ANN401
    import opendp.prelude as dp

    dp.enable_features("contrib")
    return dp


@cache
def _gaussian(scale: float) -> Any:  # noqa: ANN401
    dp = _load()
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    return dp.m.make_gaussian(*space, scale=scale)
