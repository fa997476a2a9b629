"""Rows and suites for the gate's tests."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from jobs.lake import Lake


@pytest.fixture
def pair_rows(lake: Lake) -> Callable[..., Any]:
    """Rows of ``marts.also_bought`` from (product, other, rank), the rest being fine unless said otherwise."""

    def build(pairs: Sequence[tuple[str, str, int]], *, score: float = 0.5, orders: int = 3, buyers: int = 2) -> Any:
        rows = [(*pair, score, orders, buyers, None, date(2024, 1, 31)) for pair in pairs]
        return lake.session.createDataFrame(rows, lake.contracts["marts.also_bought"].engine_schema())

    return build


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Path]:
    """Writes a suite of given expectations into a folder of its own."""

    def write(table: str, *expectations: dict[str, Any]) -> Path:
        folder = tmp_path / "expectations"
        folder.mkdir(exist_ok=True)
        text = json.dumps({"name": table, "expectations": expectations})
        (folder / f"{table}.json").write_text(text, encoding="utf-8")
        return folder

    return write


def expectation(type_: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "kwargs": kwargs,
        "severity": severity,
        "description": f"rule of {type_}",
        "meta": {"why": "a reason"},
    }
