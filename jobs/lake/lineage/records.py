"""The lineage of a table as its commits keep it: names of columns and declarations, and no value."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jobs.lake.lineage.sources import DRIVER
from jobs.lake.lineage.tracer import Lineages
from jobs.lake.lineage.traces import Risk, Trace

PROPERTY: Final = "lineage"
Record = Mapping[str, tuple[Trace, ...]]


def write_record(table: str, lineages: Lineages) -> dict[str, str]:
    """What a commit keeps of the rows it brought; nothing where they came from the table itself.

    Args:
        table: the one the rows are for; its own columns are no news.
        lineages: of the rows.
    """
    news = {name: _list_news(table, traces) for name, traces in lineages.items()}
    kept = {name: [[t.source, t.risk.name, *t.via] for t in traces] for name, traces in news.items()}
    return {PROPERTY: json.dumps(kept)} if any(kept.values()) else {}


def read_record(history: Iterable[Mapping[str, Any]]) -> Record:
    """The lineage that the commits of a history keep, all together, because a table's parts come from several."""
    found: dict[str, set[Trace]] = {}
    for entry in history:
        for name, traces in json.loads(entry.get(PROPERTY, "{}")).items():
            kept = {Trace(source, Risk[risk], tuple(via)) for source, risk, *via in traces}
            found.setdefault(name, set()).update(kept)
    return {name: tuple(sorted(traces, key=str)) for name, traces in found.items()}


def _list_news(table: str, traces: Iterable[Trace]) -> list[Trace]:
    """Sources outside the table; keys and other rows of the program only where there is nothing else."""
    others = sorted((trace for trace in traces if not trace.source.startswith(f"{table}.")), key=str)
    return [trace for trace in others if not trace.source.startswith(f"{DRIVER}.")] or others
