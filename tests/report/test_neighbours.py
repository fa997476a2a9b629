"""What goes with what, in parts that a browser loads one at a time."""

import pyarrow as pa
import pytest

from jobs.report import neighbours
from jobs.report.catalogue import Catalogue, Product
from jobs.report.neighbours import arrange

CATALOGUE = Catalogue({"P1": Product("P1", "Kettle", "Home"), "P2": Product("P2", "Apron", "Home")})


def pairs(rows, counts=("orders", "buyers")):
    names = ("product_id", "other_product_id", "rank", "score", *counts)
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_products_are_named_and_sorted_by_name():
    found = arrange(
        {
            "bought": pairs([("P1", "P2", 1, 0.5, 9, 4), ("P9", "P1", 1, 0.25, 3, 3)]),
            "viewed": pairs([("P2", "P1", 1, 0.75, 8, 6)], ("sessions", "viewers")),
        },
        CATALOGUE,
    )
    assert found.index == [
        ["P2", "Apron", "Home", None, 0],
        ["P1", "Kettle", "Home", 0, None],
        ["P9", "P9", None, 0, None],
    ]
    assert found.parts["bought-0"]["P1"] == [["P2", "Apron", "Home", 1, 0.5, 9, 4]]
    assert found.parts["viewed-0"]["P2"] == [["P1", "Kettle", "Home", 1, 0.75, 8, 6]]


@pytest.mark.parametrize("size", [1, 3, 4, 7, 100])
def test_a_product_is_whole_in_the_part_its_index_names(monkeypatch, size):
    monkeypatch.setattr(neighbours, "PART_ROWS", size)
    rows = [(f"P{number}", f"Q{rank}", rank, 1 / rank, 5, 5) for number in range(9) for rank in range(1, 4)]
    found = arrange({"bought": pairs(rows)}, CATALOGUE)
    assert sum(len(part) for part in found.parts.values()) == 9
    for id_, _, _, part, _ in found.index:
        assert [entry[3] for entry in found.parts[f"bought-{part}"][id_]] == [1, 2, 3]
    assert all(sum(map(len, part.values())) <= size + 2 for part in found.parts.values())


def test_no_more_neighbours_than_a_page_shows():
    rows = [("P1", f"Q{rank}", rank, 1 / rank, 5, 5) for rank in range(1, 51)]
    found = arrange({"bought": pairs(rows)}, CATALOGUE)
    assert len(found.parts["bought-0"]["P1"]) == neighbours.SHOWN_RANKS
