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
from datetime import timedelta
from pathlib import Path

from tests.bench.flows import measure
from tests.bench.shop import DAYS, FIRST_DAY

EVENTS = (5_000_000, 50_000_000)
MOST_GB, MOST_GROWTH = 8.0, 10.5
Found = dict[int, dict[str, dict[str, float]]]


def read_arguments(purpose: str) -> argparse.Namespace:
    """``--events`` (numbers with commas between), and the hidden ``--home`` of a process that runs one size."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--events", type=_read_sizes, default=EVENTS, help="sizes, such as 5000000,50000000")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--skip-pairs", action="store_true", help="leave out item to item against the field")
    return parser.parse_args()


def _read_sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(float(part)) for part in text.replace("_", "").split(",")))


def run_steps(home: Path, steps: Sequence[str]) -> None:
    """Every step for the last day, in this process; one JSON line for each, with the seconds of its gate."""
    from jobs.lake import Days, Lake
    from jobs.runner import run_step
    from jobs.settings import load_settings
    from jobs.steps import STEPS

    lake = Lake.open(load_settings(str(home)))
    with lake.engine:
        measure("start", lambda: lake.session.range(1).count())
        for step in steps:
            day = Days.single(FIRST_DAY + timedelta(DAYS - 1))
            measure(step, lambda step=step, day=day: run_step(lake, STEPS[step], day))
            last = json.loads((home / "quality" / f"{step}.json").read_text())["runs"][0]
            print(
                json.dumps({"step": step, "gate": last["seconds"], "rows": last["rows"], "state": last["state"]}),
                flush=True,
            )


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
    """Print a table, whether each limit holds, and one JSON line of everything."""
    sizes = list(found)
    print(f"\n{name:28}" + "".join(f"{f'{events:,} events':>40}" for events in sizes) + f"{'growth':>9}")
    print(f"{'step':28}" + f"{'s':>9}{'cpu':>9}{'GB':>8}{'gate s':>14}" * len(sizes))
    growth = {}
    for step in steps:
        rows = [found[events][step] for events in sizes]
        cells = "".join(f"{r['seconds']:>9.1f}{r['cpu']:>9.1f}{r['peak_gb']:>8.2f}{r['gate']:>14.1f}" for r in rows)
        growth[step] = round(rows[-1]["seconds"] / rows[0]["seconds"], 2)
        print(f"{step:28}{cells}{growth[step]:>9.2f}")
    times = sizes[-1] / sizes[0]
    steps_found = [row for rows in found.values() for row in rows.values() if "gate" in row]
    most = max(row["peak_gb"] for row in steps_found)
    gates = all(row["gate"] * 2 < row["seconds"] for row in steps_found)
    print(
        f"Growth at most {MOST_GROWTH * times / 10:g} for {times:g} times the events: {_say(max(growth.values()) <= MOST_GROWTH * times / 10)}"
    )
    print(f"Peak memory under {MOST_GB:g} GB: {_say(most < MOST_GB)}, {most:.2f} GB at most")
    print(f"Gates cost less than the steps they guard: {_say(gates)}")
    print(json.dumps({"bench": name, "found": found, "growth": growth, **more}))


def _say(holds: bool) -> str:
    return "yes" if holds else "NO"
