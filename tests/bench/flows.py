"""Time the click flow on both engines and against DuckDB: ``make bench``.

One generated shop, three contestants one after the other, each in a process of its own. Seconds are of the step alone
(the start of the engine is told apart); processor seconds and peak memory are those of the process and its children
while the step ran. Where other work shares the machine, compare the processor seconds.
``BENCH_EVENTS`` sets another number of clicks; ``BENCH_SKIP=spark`` leaves a contestant out.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psutil

from jobs.settings import Settings, load_settings
from tests.bench.goals import tell_goal

EVENTS = int(os.environ.get("BENCH_EVENTS", "5000000"))
CUSTOMERS = max(1000, EVENTS // 25)
FIRST_DAY = date(2026, 3, 2)
LENGTH = 3
STEPS = ("sources.clickstream", "conform.clicks", "marts.also_viewed", "marts.recently_viewed")
OTHER_STEPS = ("marts.bestsellers_exact", "marts.bestsellers", "marts.also_bought", "marts.recommended_for_you")
CONTESTANTS = ("sail", "duckdb", "spark")
SPARK_AT_LEAST, DUCKDB_AT_MOST, SAIL_GB = 4.0, 1.5, 6.0


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Sample the memory of this process and its children; the list holds the peak in bytes at the end."""
    peak = [0]
    done = threading.Event()
    me = psutil.Process()

    def sample() -> None:
        while not done.wait(0.1):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peak
    finally:
        done.set()
        sampler.join()


def processor_seconds() -> float:
    """Seconds that processors worked for this process and its children so far."""
    me = psutil.Process()
    times = [process.cpu_times() for process in [me, *me.children(recursive=True)]]
    return sum(time.user + time.system for time in times)


def measure(name: str, work: Callable[[], object]) -> None:
    """Print one JSON line with the seconds, processor seconds and peak memory of some work."""
    with peak_memory() as peak:
        started, worked = time.perf_counter(), processor_seconds()
        work()
        seconds, processor = time.perf_counter() - started, processor_seconds() - worked
    figures = {"seconds": round(seconds, 2), "cpu": round(processor, 2), "peak_gb": round(peak[0] / 2**30, 2)}
    print(json.dumps({"step": name, **figures}), flush=True)
    print(f"  {name:28}{seconds:8.1f} s{processor:8.1f} cpu{peak[0] / 2**30:7.2f} GB", file=sys.stderr, flush=True)


def run_engine(settings: Settings) -> None:
    """All measured steps on one engine."""
    from jobs.lake import Days, Lake
    from jobs.runner import run_step
    from jobs.steps import STEPS as ALL_STEPS
    from jobs.steps import find_steps

    days = Days(FIRST_DAY, date.fromordinal(FIRST_DAY.toordinal() + LENGTH - 1))
    lake = Lake.open(settings)
    with lake.engine:
        measure("start", lambda: lake.session.range(1).count())
        for step in STEPS:
            measure(step, lambda step=step: run_step(lake, ALL_STEPS[step], days))
        for step in find_steps("pull_purchases"):
            run_step(lake, step, days)
        for step in OTHER_STEPS:
            measure(step, lambda step=step: run_step(lake, ALL_STEPS[step], days))


def run_duckdb(settings: Settings) -> None:
    """The same work in DuckDB."""
    from jobs.marts import recently_viewed
    from jobs.marts.recipes import VIEWED
    from jobs.privacy.keyring import SUBJECT, KeyRing
    from tests.bench import duckdb_flows

    home = Path(f"{settings.home}.duckdb")
    key = KeyRing(settings.keyring).key(SUBJECT)
    connection = duckdb_flows.connect(os.cpu_count() or 2, settings.engine_memory // 2**30)
    measure(STEPS[0], lambda: duckdb_flows.land_clickstream(connection, Path(settings.clickstream), home))
    measure(STEPS[1], lambda: duckdb_flows.conform_clicks(connection, home, key))
    caps = {"cap": VIEWED.cap, "reach": VIEWED.reach, "people": VIEWED.min_people, "top": VIEWED.top}
    measure(STEPS[2], lambda: duckdb_flows.also_viewed(connection, home, **caps))
    measure(STEPS[3], lambda: duckdb_flows.recently_viewed(connection, home, top=recently_viewed.TOP))


def run_contestant(contestant: str, home: Path) -> dict[str, dict[str, float]]:
    """Run one contestant in a process of its own."""
    print(contestant, file=sys.stderr, flush=True)
    environment = {**os.environ, "SOPHILUX_SOURCES_ROOT": f"{home}.sources"}
    if contestant != "duckdb":
        environment["SOPHILUX_ENGINE"] = contestant
    command = [sys.executable, "-m", "tests.bench.flows", contestant, f"{home}.{contestant}"]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["step"]: line for line in lines}


def print_table(results: dict[str, dict[str, dict[str, float]]]) -> None:
    """Steps down, contestants across, and the ratios of the steps that all of them ran."""
    names = list(results)
    print(f"\n{'step':28}" + "".join(f"{name + ' s':>10}{'cpu':>9}{'GB':>7}" for name in names))
    for step in ("start", *STEPS, *OTHER_STEPS):
        cells = [results[name].get(step) for name in names]
        row = "".join(
            f"{cell['seconds']:>10.2f}{cell['cpu']:>9.2f}{cell['peak_gb']:>7.2f}"
            if cell
            else f"{'-':>10}{'-':>9}{'-':>7}"
            for cell in cells
        )
        print(f"{step:28}{row}")
    totals = {name: [sum(results[name][step][key] for step in STEPS) for key in ("seconds", "cpu")] for name in names}
    print(f"{'the first four':28}" + "".join(f"{s:>10.2f}{cpu:>9.2f}{'':>7}" for s, cpu in totals.values()))
    for one, other in (("spark", "sail"), ("sail", "duckdb")):
        if one in totals and other in totals:
            seconds, cpu = (mine / theirs for mine, theirs in zip(totals[one], totals[other], strict=True))
            print(f"{one} / {other}: {seconds:.2f} of seconds, {cpu:.2f} of processor seconds")
    tell_goals(totals, results.get("sail", {}))


def tell_goals(totals: dict[str, list[float]], sail: dict[str, dict[str, float]]) -> None:
    """Whether the goals were met, by processor seconds and Sail's peak."""
    cpu = {name: total[1] for name, total in totals.items()}
    beside_spark = cpu["spark"] / cpu["sail"] if {"spark", "sail"} <= cpu.keys() else None
    beside_duckdb = cpu["sail"] / cpu["duckdb"] if {"sail", "duckdb"} <= cpu.keys() else None
    tell_goal("processor seconds of Spark / Sail", beside_spark, at_least=SPARK_AT_LEAST)
    tell_goal("processor seconds of Sail / DuckDB", beside_duckdb, at_most=DUCKDB_AT_MOST)
    peak = max((step["peak_gb"] for step in sail.values()), default=None)
    tell_goal("peak memory of Sail in GB", peak, at_most=SAIL_GB)


def main() -> None:
    """Run all contestants, or the one named by the arguments."""
    if len(sys.argv) > 1:
        contestant, home = sys.argv[1:]
        settings = load_settings(home)
        run_duckdb(settings) if contestant == "duckdb" else run_engine(settings)
        return
    from jobs.samples.generated import write_shop

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "shop"
        print(f"Generating a shop with {EVENTS:,} clicks of {CUSTOMERS:,} customers …", flush=True)
        write_shop(
            load_settings(str(home)), first_day=FIRST_DAY, days=LENGTH, customers=CUSTOMERS, events=EVENTS, seed=7
        )
        wanted = [name for name in CONTESTANTS if name not in os.environ.get("BENCH_SKIP", "").split(",")]
        print_table({name: run_contestant(name, home) for name in wanted})


if __name__ == "__main__":
    main()
