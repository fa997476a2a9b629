"""Products of the generated shop: a tree of categories, prices, and a popularity that follows Zipf's law."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from jobs.lake import columns as C
from jobs.samples.drops import text_times
from jobs.samples.plan import Numbers, Plan
from jobs.samples.words import COLOURS, SERVICES, STYLES, TREE

TOPIC: Final = 1
LEAVES: Final = tuple(
    (top, middle, leaf) for top, rest in TREE.items() for middle, kinds in rest.items() for leaf in kinds
)
ZIPF: Final = 0.9
EVENTS_PER_PRODUCT: Final = 80
FEWEST: Final = len(LEAVES)
MOST: Final = 20_000


@dataclass(frozen=True)
class Catalogue:
    """Merchandise ordered by leaf category and popularity in it, then what is no merchandise."""

    ids: list[str]
    names: list[str]
    paths: list[str]
    prices: np.ndarray[tuple[int], np.dtype[np.float64]]
    merchandise: int
    leaf_starts: Numbers
    popularity: np.ndarray[tuple[int], np.dtype[np.float64]]
    """Running sum of the merchandise's popularity, with a 0 before the first."""

    def draw(self, random: np.random.Generator, leaves: Numbers) -> Numbers:
        """Popular products of the leaves; a leaf of -1 draws from the whole catalogue."""
        anywhere = leaves < 0
        low = np.where(anywhere, 0, self.popularity[self.leaf_starts[leaves]])
        high = np.where(anywhere, self.popularity[-1], self.popularity[self.leaf_starts[np.maximum(leaves, 0) + 1]])
        points = low + random.random(len(leaves)) * (high - low)
        product: Numbers = np.searchsorted(self.popularity, points, side="right") - 1
        return np.clip(product, 0, self.merchandise - 1)


def make_catalogue(plan: Plan) -> Catalogue:
    """A catalogue that fits the number of events."""
    random = plan.random(TOPIC)
    size = int(np.clip(plan.events // EVENTS_PER_PRODUCT, FEWEST, MOST))
    leaf_of = np.sort(np.arange(size) % len(LEAVES))
    starts = np.searchsorted(leaf_of, np.arange(len(LEAVES) + 1))
    place = np.arange(size) - starts[leaf_of]
    leaf_rank = random.permutation(len(LEAVES))[leaf_of]
    weights = 1.0 / ((place + 1) ** ZIPF * (leaf_rank + 1) ** ZIPF)
    prices = np.round(np.exp(random.normal(2.7, 0.8, size)) + 0.5, 2)
    return Catalogue(
        ids=[f"P{number:05d}" for number in range(1, size + 1)] + [service[0] for service in SERVICES],
        names=[_name(leaf, n) for leaf, n in zip(leaf_of, place, strict=True)] + [service[1] for service in SERVICES],
        paths=["/".join(LEAVES[leaf]) for leaf in leaf_of] + [service[2] for service in SERVICES],
        prices=np.append(prices, [service[3] for service in SERVICES]),
        merchandise=size,
        leaf_starts=starts.astype(np.int64),
        popularity=np.append(0.0, np.cumsum(weights / weights.sum())),
    )


def tabulate_products(plan: Plan, catalogue: Catalogue) -> pa.Table:
    """Rows of the shop's ``products``; all are updated on the first day, one in twenty again later."""
    random = plan.random(TOPIC + 100)
    size = len(catalogue.ids)
    changed = random.random(size) < 0.05
    updated = np.where(changed, random.integers(0, plan.seconds, size), random.integers(0, 3600, size))
    return pa.table(
        {
            C.PRODUCT_ID: catalogue.ids,
            C.NAME: catalogue.names,
            C.CATEGORY_PATH: catalogue.paths,
            C.UNIT_PRICE: catalogue.prices,
            C.IS_MERCHANDISE: (np.arange(size) < catalogue.merchandise).astype(np.int64),
            C.UPDATED_AT: text_times(plan.epoch_s + updated),
        }
    )


def _name(leaf: int, place: int) -> str:
    colour = COLOURS[place % len(COLOURS)]
    style = STYLES[place // len(COLOURS) % len(STYLES)]
    edition = place // (len(COLOURS) * len(STYLES))
    return f"{style} {colour} {LEAVES[leaf][2]}" + (f" No. {edition + 1}" if edition else "")
