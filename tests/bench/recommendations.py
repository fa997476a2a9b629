"""Time item-to-item against the field, and the recommendation marts as the shop grows: part of ``make bench``.

Item-to-item: the same interactions as baskets of a zipf-like catalogue, to our table (the functions of
``marts.also_bought`` and ``marts.also_viewed`` on the engine, read back), to ``implicit``'s ``CosineRecommender.fit`` and
to a self-join in DuckDB with the same formula, reach and top. Ours counts distinct people of every pair too, which the
others do not. Marts: a shop of 5 and one of 50 million events (``--events`` sets other sizes), each step in its seconds,
processor seconds and peak memory, with the growth between the two and the seconds of its gate.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from jobs.evaluation.datasets import Log
from jobs.settings import load_settings
from tests.bench.flows import measure
from tests.bench.growth import make_parser, run_process, run_sizes, run_steps, tell
from tests.bench.shop import write_clicks, write_purchases

INTERACTIONS = 1_500_000
ITEMS = 20_000
BASKET_ITEMS = 6
STEPS = ("marts.also_viewed", "marts.also_bought", "marts.recommended_for_you", "marts.recently_viewed")
PAIRS = "pairs"


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
    print(f"{INTERACTIONS:,} interactions, {len(log.baskets):,} baskets, {ITEMS:,} items", file=sys.stderr, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="sophilux-bench-") as folder,
        Engine(load_settings(folder)) as engine,
    ):
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


def write_shop(home: Path, events: int) -> None:
    """A lake with a month of purchases and ten days of clicks."""
    write_purchases(home, events)
    write_clicks(home, events)


def tell_pairs(found: list[dict[str, float]]) -> None:
    """Print what each contestant took."""
    print(f"\n{f'{INTERACTIONS:,} interactions':28}{'s':>9}{'cpu':>9}{'GB':>8}")
    for row in found:
        print(f"{row['step']:28}{row['seconds']:>9.1f}{row['cpu']:>9.1f}{row['peak_gb']:>8.2f}")


def main() -> None:
    """Both parts, or one of them in this process."""
    if sys.argv[1:] == [PAIRS]:
        time_pairs()
        return
    parser = make_parser(str(__doc__))
    parser.add_argument("--skip-pairs", action="store_true", help="leave out item to item against the field")
    arguments = parser.parse_args()
    if arguments.home:
        run_steps(arguments.home, STEPS)
        return
    pairs = [] if arguments.skip_pairs else run_process("tests.bench.recommendations", PAIRS)
    found = run_sizes("tests.bench.recommendations", arguments.events, write_shop)
    if pairs:
        tell_pairs(pairs)
    tell("recommendations", STEPS, found, item_to_item={row["step"]: row["seconds"] for row in pairs})


if __name__ == "__main__":
    main()
