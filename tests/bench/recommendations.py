"""Time item-to-item against the field, and the recommendation marts as the shop grows: part of ``make bench``.

Item-to-item: the same interactions as baskets of a zipf-like catalogue, to our table (the functions of
``marts.also_bought`` and ``marts.also_viewed`` on the engine, read back), to ``implicit``'s ``CosineRecommender.fit`` and
to a self-join in DuckDB with the same formula, reach and top. Ours counts distinct people of every pair too, which the
others do not. Marts: one generated shop of 5 and one of 50 million events, each step in its seconds, processor seconds
and peak memory, with the growth between the two. ``BENCH_EVENTS`` sets the smaller number, ``BENCH_GROWTH`` the factor
(1 leaves the larger shop out), ``BENCH_PAIRS`` the interactions of the first part.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

from jobs.evaluation.datasets import Log
from jobs.settings import load_settings
from tests.bench.flows import measure

EVENTS = int(os.environ.get("BENCH_EVENTS", "5000000"))
GROWTH = int(os.environ.get("BENCH_GROWTH", "10"))
INTERACTIONS = int(os.environ.get("BENCH_PAIRS", "1500000"))
ITEMS = 20_000
BASKET_ITEMS = 6
FIRST_DAY = date(2026, 3, 2)
LENGTH = 3
STEPS = (
    "marts.also_viewed",
    "marts.also_bought",
    "marts.recommended_for_you",
    "marts.recently_viewed",
    "marts.bestsellers",
)
EXPECTED = "Expected: growth at most 10.5 for 10 times the events, peak memory under 8 GB."


def make_log(count: int) -> Log:
    """Baskets of about ``BASKET_ITEMS`` items each, popular ones often, neighbours by number together."""

    random = np.random.default_rng(3)
    baskets = np.sort(random.integers(0, count // BASKET_ITEMS, count))
    centre = (random.pareto(1.1, count // BASKET_ITEMS) * 40).astype(np.int64) % ITEMS
    item = (centre[baskets] + random.geometric(0.05, count)) % ITEMS
    names = np.array([f"{number:06}" for number in range(ITEMS)])
    time_of = 1.7e9 + baskets.astype(float)
    return Log(baskets, item, time_of, np.arange(count // BASKET_ITEMS).astype(str), names)


def time_pairs() -> None:
    """The first part."""
    from dataclasses import replace

    from jobs.engine import Engine
    from jobs.evaluation.field import Implicit
    from jobs.evaluation.tables import build_tables
    from jobs.marts.recipes import BOUGHT, VIEWED

    log = make_log(INTERACTIONS)
    print(f"{INTERACTIONS:,} interactions, {len(log.baskets):,} baskets, {ITEMS:,} items", flush=True)
    with Engine(load_settings(tempfile.mkdtemp(prefix="sophilux-bench-"))) as engine:
        engine.session.range(1).count()
        for name, recipe in (("also_viewed", VIEWED), ("also_bought", replace(BOUGHT, small_catalogue=0))):
            measure(f"ours, {name}", lambda recipe=recipe: build_tables(engine.session, log, recipe, further=False))
    model = Implicit("cosine", "cosine", K=VIEWED.top, num_threads=os.cpu_count() or 1)
    measure("implicit, cosine", lambda: model.fit(log))
    measure("duckdb, self-join", lambda: join_in_duckdb(log, VIEWED.reach, VIEWED.top))


def join_in_duckdb(log: Log, reach: int, top: int) -> None:
    """The score of visits by a self-join; no distinct people."""
    import duckdb
    import pyarrow as pa

    events = pa.table({"basket": log.basket, "item": log.item, "n": np.arange(len(log.item))})  # noqa: F841 - named in SQL
    database = duckdb.connect()
    database.execute(f"SET threads = {os.cpu_count() or 1}; SET memory_limit = '8GB'")
    database.sql(f"""
        WITH firsts AS (SELECT basket, item, min(n) AS n FROM events GROUP BY ALL
        ), placed AS (SELECT *, row_number() OVER (PARTITION BY basket ORDER BY n) AS place,
                             1 / sqrt(count(*) OVER (PARTITION BY basket)) AS w FROM firsts
        ), totals AS (SELECT item, sum(w) + 1.0 AS n FROM placed GROUP BY ALL
        ), pairs AS (
            SELECT a.item AS x, b.item AS y, sum(a.w * CASE WHEN b.place > a.place THEN 1.0 ELSE 0.75 END / abs(b.place - a.place)) AS c
            FROM placed a JOIN placed b USING (basket) WHERE a.place <> b.place AND abs(b.place - a.place) <= {reach} GROUP BY ALL
        )
        SELECT x, y, c / (tx.n ** 0.75 * ty.n ** 0.25) AS score FROM pairs JOIN totals tx ON x = tx.item JOIN totals ty ON y = ty.item
        QUALIFY row_number() OVER (PARTITION BY x ORDER BY score DESC, y) <= {top}
    """).to_arrow_table()


def make_shop(home: Path, events: int) -> None:
    """A generated shop with its clicks and purchases conformed."""
    from jobs.lake import Days, Lake
    from jobs.runner import run_step
    from jobs.samples.generated import write_shop
    from jobs.steps import find_steps

    settings = load_settings(str(home))
    write_shop(settings, first_day=FIRST_DAY, days=LENGTH, customers=max(1000, events // 25), events=events, seed=7)
    lake = Lake.open(settings)
    with lake.engine:
        for number in range(LENGTH):
            day = Days.single(date.fromordinal(FIRST_DAY.toordinal() + number))
            for step in (*find_steps("pull_clickstream"), *find_steps("pull_purchases")):
                run_step(lake, step, day)


def run_marts(home: Path) -> None:
    """All measured steps over the shop's days, in this process."""
    from jobs.lake import Days, Lake
    from jobs.runner import run_step
    from jobs.steps import STEPS as ALL_STEPS

    days = Days(FIRST_DAY, date.fromordinal(FIRST_DAY.toordinal() + LENGTH - 1))
    lake = Lake.open(load_settings(str(home)))
    with lake.engine:
        lake.session.range(1).count()
        for step in STEPS:
            measure(step, lambda step=step: run_step(lake, ALL_STEPS[step], days))


def in_process(*args: str) -> list[dict[str, float]]:
    """One part in a process of its own; its measured lines."""
    environment = {**os.environ, "SOPHILUX_ENGINE": "sail"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.recommendations", *args],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]


def grow(folder: Path) -> None:
    """The second part."""
    found: dict[int, dict[str, dict[str, float]]] = {}
    for events in dict.fromkeys((EVENTS, EVENTS * GROWTH)):
        home = folder / f"shop-{events}"
        started = time.perf_counter()
        in_process("make", str(home), str(events))
        print(f"{events:,} events: generated and conformed in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        found[events] = {row["step"]: row for row in in_process("run", str(home))}
        subprocess.run(["rm", "-rf", str(home), f"{home}.sources", f"{home}.keys"], check=True)
    first, last = found[EVENTS], found[EVENTS * GROWTH]
    print(f"{'step':28}" + "".join(f"{f'{events:,}':>26}" for events in found) + f"{'growth':>10}")
    for step in STEPS:
        cells = "".join(f"{r[step]['seconds']:>10.1f} s{r[step]['peak_gb']:>10.2f} GB" for r in found.values())
        print(f"{step:28}{cells:>26}{last[step]['seconds'] / first[step]['seconds']:>10.2f}")
    print(EXPECTED)


def main() -> None:
    """Both parts, or the one named by the arguments."""
    parts = {
        "make": lambda home, events: make_shop(Path(home), int(events)),
        "run": lambda home: run_marts(Path(home)),
        "pairs": time_pairs,
    }
    if len(sys.argv) > 1:
        parts[sys.argv[1]](*sys.argv[2:])
        return
    in_process("pairs")
    with tempfile.TemporaryDirectory(prefix="sophilux-bench-") as folder:
        grow(Path(folder))


if __name__ == "__main__":
    main()
