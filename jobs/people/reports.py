"""What ``vault.addresses.reports`` keeps of each report that an address version stands for."""

import json
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

ORDER: Final = re.compile(r'"order_id":"((?:[^"\\]|\\.)*)"')


def list_reports(reports: str | None) -> Iterable[dict[str, Any]]:
    """The reports of one version, each with ``source``, ``order_id`` and the fields it gave."""
    found: list[dict[str, Any]] = json.loads(reports or "[]")
    return found


def find_orders(reports: "pa.ChunkedArray", order_ids: Collection[str]) -> "pa.ChunkedArray":
    """True where one of the reports is about one of the orders."""
    import pyarrow as pa

    return pa.chunked_array([pa.array([_names_order(text, order_ids) for text in reports.to_pylist()], pa.bool_())])


def _names_order(reports: str | None, order_ids: Collection[str]) -> bool:
    named = ORDER.findall(reports or "")
    return any((json.loads(f'"{text}"') if "\\" in text else text) in order_ids for text in named)
