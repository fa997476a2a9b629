"""``marts.also_bought`` and ``marts.also_viewed`` as the browser of products needs them.

The page loads the list of products, and of the neighbours only the part in which the chosen product is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.report.catalogue import Catalogue
from jobs.report.tables import ALSO_BOUGHT, ALSO_VIEWED, Shown, check_publishable

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_RANKS: Final = 20
PART_ROWS: Final = 20_000
LISTS: Final = {"bought": ALSO_BOUGHT, "viewed": ALSO_VIEWED}
COUNTS: Final = {"bought": (C.ORDERS, C.BUYERS), "viewed": (C.SESSIONS, C.VIEWERS)}


@dataclass(frozen=True)
class Neighbours:
    """What goes with what.

    Attributes:
        index: products in the order of their names: number, name, category, and the part of each list they are in.
        parts: by name, such as ``bought-0``: neighbours by product.
    """

    index: Sequence[Sequence[Any]]
    parts: Mapping[str, Mapping[str, Sequence[Sequence[Any]]]]


def read_neighbours(lake: Lake, shown: Shown) -> "pa.Table":
    """Rows of one of the tables, ordered by product and rank."""
    contract = check_publishable(lake.contracts[shown.table])
    return lake.read_arrow(contract.name).sort_by([(name, "ascending") for name in shown.order])


def arrange(lists: "Mapping[str, pa.Table]", catalogue: Catalogue) -> Neighbours:
    """The index and the parts of both lists.

    Args:
        lists: ``bought`` and ``viewed`` to rows of :func:`read_neighbours`.
        catalogue: gives names.
    """
    parts: dict[str, Mapping[str, Sequence[Sequence[Any]]]] = {}
    places: dict[str, dict[str, int]] = {}
    for name, rows in lists.items():
        for number, part in enumerate(_cut(rows, COUNTS[name])):
            parts[f"{name}-{number}"] = {id_: _name(found, catalogue) for id_, found in part.items()}
            for id_ in part:
                places.setdefault(id_, {})[name] = number
    index = [[*_tell(id_, catalogue), *(where.get(name) for name in LISTS)] for id_, where in places.items()]
    return Neighbours(sorted(index, key=lambda entry: (str(entry[1]).casefold(), entry[0])), parts)


def _cut(rows: "pa.Table", counts: Sequence[str]) -> list[dict[str, list[list[Any]]]]:
    """Neighbours by product, in parts of so many rows that a browser loads one at once."""
    import pyarrow.compute as pc

    columns = [C.PRODUCT_ID, C.OTHER_PRODUCT_ID, C.RANK, C.SCORE, *counts]
    best = rows.select(columns).filter(pc.less_equal(rows.column(C.RANK), SHOWN_RANKS))
    parts: list[dict[str, list[list[Any]]]] = []
    size = PART_ROWS
    for batch in best.to_batches(max_chunksize=PART_ROWS):
        for id_, *told in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if not parts or (size >= PART_ROWS and id_ not in parts[-1]):
                parts.append({})
                size = 0
            parts[-1].setdefault(id_, []).append(told)
            size += 1
    return parts


def _name(found: Sequence[Sequence[Any]], catalogue: Catalogue) -> list[list[Any]]:
    return [[*_tell(other, catalogue), rank, round(score, 4), *counts] for other, rank, score, *counts in found]


def _tell(id_: str, catalogue: Catalogue) -> tuple[str, str, str | None]:
    product = catalogue[id_]
    return product.id, product.name, product.category
