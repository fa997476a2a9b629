"""Result pages of the gate: one per table and an index, in the lake's ``quality`` folder.

A page needs no network and no script. Beside it lies a small JSON with the outcomes of earlier runs, counts only.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jobs.lake import Contract, storage
from jobs.quality.results import BLOCKED, BROKEN, FAILED, INFO, PASSED, SEVERITIES, WARNED, WARNING, Check, TableResult

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = "quality"
KEPT_RUNS = 60
CHART_RUNS = 30
UNCHECKED = "unchecked"
SYMBOLS = {PASSED: "✓", WARNED: "!", BLOCKED: "✕", FAILED: "✕", BROKEN: "⚠", UNCHECKED: "–"}
URGENCY = (BLOCKED, WARNED, UNCHECKED, PASSED)
CHECK_URGENCY = (BROKEN, FAILED, PASSED)
UNREADABLE: dict[str, Any] = {"runs": []}


def write_pages(home: str, contract: Contract, result: TableResult, tables: Sequence[str] = ()) -> str:
    """Write the page and history of one table, and the index of all.

    Args:
        home: the lake's home.
        contract: the table's contract.
        result: what the run found.
        tables: tables that have a suite, so that the index also lists those never checked.

    Returns:
        Location of the table's page.
    """
    folder = storage.join(home, FOLDER)
    page = storage.join(folder, f"{contract.name}.html")
    with storage.table_lock(home, FOLDER, exclusive=True):
        history = _read_history(storage.join(folder, f"{contract.name}.json"))
        runs = [_summarise(result), *history["runs"]][:KEPT_RUNS]
        checks = [asdict(check) for check in sorted(result.checks, key=_order_check)]
        history = {"table": contract.name, "purpose": contract.purpose, "runs": runs, "checks": checks}
        _write(storage.join(folder, f"{contract.name}.json"), json.dumps(history, indent=1) + "\n")
        _write(page, render_table(contract, result, runs))
        _write(storage.join(folder, "index.html"), render_index(read_histories(home), tables))
    return page


def render_table(contract: Contract, result: TableResult, runs: Sequence[dict[str, Any]]) -> str:
    """The page of one table: outcome, every check, earlier runs (newest first)."""
    checks = sorted(result.checks, key=_order_check)
    template = _environment().get_template("table.html")
    return template.render(contract=contract, result=result, checks=checks, runs=runs, bars=_draw_bars(runs))


def render_index(histories: Sequence[dict[str, Any]], tables: Sequence[str]) -> str:
    """The index: one line per table, what needs attention first."""
    known = {history["table"]: history for history in histories if history["runs"]}
    unchecked = [{"table": table, "purpose": "", "runs": []} for table in tables if table not in known]
    rows = sorted([*known.values(), *unchecked], key=lambda row: (URGENCY.index(_state_of(row)), row["table"]))
    counts = {state: sum(_state_of(row) == state for row in rows) for state in URGENCY}
    return _environment().get_template("index.html").render(rows=rows, counts=counts)


def _state_of(history: dict[str, Any]) -> str:
    return str(history["runs"][0]["state"]) if history["runs"] else UNCHECKED


def _order_check(check: Check) -> tuple[bool, int, int]:
    return (check.state == PASSED, SEVERITIES.index(check.severity), CHECK_URGENCY.index(check.state))


def _summarise(result: TableResult) -> dict[str, Any]:
    return {
        "checked_at": result.checked_at.isoformat(timespec="seconds"),
        "staged": result.staged,
        "state": result.state,
        "rows": result.rows,
        "seconds": result.seconds,
        "checks": len(result.checks),
        "passed": result.count(PASSED),
        "blocking": len(result.blocking),
        "warnings": sum(c.severity == WARNING and c.state != PASSED for c in result.checks),
        "notes": sum(c.severity == INFO and c.state != PASSED for c in result.checks),
    }


def _draw_bars(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bars of rows per run, oldest first, as whole percentages of the highest."""
    shown = list(reversed(runs[:CHART_RUNS]))
    highest = max((run["rows"] for run in shown), default=0) or 1
    return [{"height": max(2, round(100 * run["rows"] / highest)), **run} for run in shown]


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__name__.rpartition(".")[0]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["symbols"] = SYMBOLS
    environment.filters["thousands"] = "{:,}".format
    environment.filters["when"] = _format_time
    return environment


def _format_time(value: datetime | str) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def read_histories(home: str) -> list[dict[str, Any]]:
    """What the gate found, one entry per table.

    Returns:
        ``table``, ``purpose``, ``runs`` (newest first), and ``checks`` of the newest.
    """
    from pyarrow import fs

    folder = storage.join(home, FOLDER)
    system, path = storage.filesystem(folder)
    found = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    names = sorted(info.base_name for info in found if info.base_name.endswith(".json"))
    return [_read_history(storage.join(folder, name)) for name in names]


def _read_history(location: str) -> dict[str, Any]:
    """Earlier runs; none where there are none or the file was damaged, for a page must not stop a publication."""
    system, path = storage.filesystem(location)
    try:
        with system.open_input_stream(path) as stream:
            history = json.loads(stream.read().decode("utf-8"))
    except (FileNotFoundError, ValueError):
        return UNREADABLE
    is_history = isinstance(history, dict) and isinstance(history.get("runs"), list)
    return history if is_history else UNREADABLE


def _write(location: str, text: str) -> None:
    storage.replace_file(location, text.encode("utf-8"))
