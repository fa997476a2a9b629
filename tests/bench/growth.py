"""Time steps over lakes of several sizes, each size in a process of its own, and tell how they grow."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from tests.bench.flows import measure
from tests.bench.goals import tell_goal
from tests.bench.shop import DAYS, FIRST_DAY

EVENTS = (5_000_000, 50_000_000)
MOST_GB, MOST_GROWTH = 8.0, 1.05
"""Of one step, and of its processor seconds for each event."""
MOST_GATE = 0.5
"""Of a step with its gate: then a gate costs less than what it guards."""
LAST_DAY = FIRST_DAY + timedelta(DAYS - 1)
Found = dict[int, dict[str, dict[str, float]]]


def make_parser(purpose: str) -> argparse.ArgumentParser:
    """``--events`` (numbers with commas between), and the hidden ``--home`` of a process that runs one size."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--events", type=_read_sizes, default=EVENTS, help="sizes, such as 5000000,50000000")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    return parser


def _read_sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(float(part)) for part in text.replace("_", "").split(",")))


def run_steps(home: Path, steps: Sequence[str], day: date = LAST_DAY) -> None:
    """Every step for a day, in this process; one JSON line for each, with the seconds of its gates."""
    from jobs.lake import Days, Lake
    from jobs.runner import run_step
    from jobs.settings import load_settings
    from jobs.steps import STEPS

    lake = Lake.open(load_settings(str(home)))
    with lake.engine:
        measure("start", lambda: lake.session.range(1).count())
        for step in steps:
            measure(step, lambda step=step: run_step(lake, STEPS[step], Days.single(day)))
            runs = json.loads((home / "quality" / f"{step}.json").read_text())["runs"]
            gate = sum(run["seconds"] for run in runs)
            told = {"step": step, "gate": gate, "gates": len(runs), "rows": runs[0]["rows"], "state": runs[0]["state"]}
            print(json.dumps(told), flush=True)


def run_sizes(module: str, sizes: Sequence[int], write: Callable[[Path, int], None]) -> Found:
    """Write a lake of each size and run the module's steps over it; the lakes are gone afterwards, also when stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found: Found = {}
    for events in sizes:
        with tempfile.TemporaryDirectory(prefix="sophilux-bench-") as folder:
            home, started = Path(folder) / "shop", time.perf_counter()
            write(home, events)
            print(f"{events:,} events, written in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            found[events] = _merge(run_process(module, "--home", str(home)))
    return found


def run_process(module: str, *arguments: str) -> list[dict[str, float]]:
    """JSON lines of a module that runs in a process of its own, on the embedded engine."""
    environment = {**os.environ, "SOPHILUX_ENGINE": "sail"}
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            told, _ = process.communicate()
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        sys.exit(f"{module} {' '.join(arguments)} failed; its messages are above.")
    return [json.loads(line) for line in told.splitlines() if line.startswith("{")]


def _merge(lines: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    merged: dict[str, dict[str, float]] = {}
    for line in lines:
        merged.setdefault(str(line["step"]), {}).update(line)
    return merged


def tell(name: str, steps: Sequence[str], found: Found, **more: object) -> None:
    """Print a table, whether each goal was met, and one JSON line of everything.

    Growth goes by processor seconds, because seconds tell what else runs on the machine; both are printed.
    """
    sizes = list(found)
    heads = "".join(f"{f'{events:,} events':>40}" for events in sizes)
    print(f"\n{name:28}{heads}{'growth':>14}{'cpu':>8}")
    print(f"{'step':28}" + f"{'s':>9}{'cpu':>9}{'GB':>8}{'gate s':>14}" * len(sizes))
    growth = {}
    for step in steps:
        rows = [found[events][step] for events in sizes]
        cells = "".join(f"{r['seconds']:>9.1f}{r['cpu']:>9.1f}{r['peak_gb']:>8.2f}{r['gate']:>14.1f}" for r in rows)
        growth[step] = {key: round(rows[-1][key] / rows[0][key], 2) for key in ("seconds", "cpu")}
        print(f"{step:28}{cells}{growth[step]['seconds']:>14.2f}{growth[step]['cpu']:>8.2f}")
    print()
    for step in steps:
        _tell_goals(step, {events: found[events][step] for events in sizes}, growth[step]["cpu"])
    print(json.dumps({"bench": name, "found": found, "growth": growth, **more}))


def _tell_goals(step: str, rows: dict[int, dict[str, float]], growth: float) -> None:
    sizes = list(rows)
    times = sizes[-1] / sizes[0]
    if times > 1:
        tell_goal(f"{step}, processor seconds for {times:g} times the events", growth, at_most=MOST_GROWTH * times)
    tell_goal(f"{step}, GB at its peak", max(row["peak_gb"] for row in rows.values()), at_most=MOST_GB)
    for events, row in rows.items():
        share = row["gate"] / row["seconds"]
        tell_goal(f"{step}, share of its gate at {events:,} events", share, at_most=MOST_GATE)
