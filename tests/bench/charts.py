"""Time best-sellers of a month for 5 and 50 million events: ``make bench``.

One event in ten is an order line. Lines, orders, accounts and the catalogue are written straight into the lake, because
only the charts are timed: the exact ones of the last day (day, week, month, trailing 7 and 30 days, and those they are
held against) and their publication. Each size runs in a process of its own. ``BENCH_CHART_EVENTS`` sets other sizes.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from tests.bench.flows import measure

SIZES = tuple(int(size) for size in os.environ.get("BENCH_CHART_EVENTS", "5000000,50000000").split(","))
FIRST_DAY, DAYS = date(2026, 3, 2), 30
EVENTS_PER_LINE, LINES_PER_ORDER, ORDERS_PER_PERSON, PRODUCTS = 10, 3, 4, 20_000
STEPS = ("marts.bestsellers_exact", "marts.bestsellers")
EXPECTED = (
    "Expected: ten times the events in at most 10.5 times the seconds, under 8 GB; the gates in less than the steps."
)


def write_month(home: Path, events: int) -> None:
    """A month of purchases: popular products by Zipf's law, a tree of a hundred categories."""
    random = np.random.default_rng(3)
    lines = events // EVENTS_PER_LINE
    orders = lines // LINES_PER_ORDER
    people = orders // ORDERS_PER_PERSON
    who = random.integers(0, people, orders)
    day = np.sort(random.integers(0, DAYS, orders))
    of = np.sort(random.integers(0, orders, lines))
    product = np.minimum((random.pareto(0.9, lines) * 8).astype(np.int64), PRODUCTS - 1)
    days = np.datetime64(FIRST_DAY) + day
    moments = days.astype("datetime64[us]") + random.integers(0, 86_400_000_000, orders).astype("timedelta64[us]")
    countries = np.array(["DE", "FR", "GB", "SE", "US"])[who % 5]
    subjects = pa.array([f"{n:032x}" for n in range(people)])
    order_ids = pa.array([f"O{n}" for n in range(orders)])
    at = pa.array(moments, pa.timestamp("us", "UTC"))
    bought = {
        "day": pa.array(days),
        "order_id": order_ids,
        "subject_id": subjects.take(pa.array(who)),
        "country": pa.array(countries),
        "ordered_at": at,
        "pull_day": pa.array(days),
    }
    order_table = pa.table({**bought, "status": pa.repeat("paid", orders), "updated_at": at})
    taken = pa.table(bought).take(pa.array(of))
    whole = {"line_id": pa.array(np.arange(lines)), "product_id": _name_products(product)}
    amounts = {
        "quantity": pa.array(1 + random.integers(0, 3, lines)),
        "unit_price": pa.array((product % 90 + 1).astype(np.float64)).cast(pa.decimal128(12, 2)),
    }
    for name, values in {**whole, **amounts}.items():
        taken = taken.append_column(name, values)
    numbers = np.arange(PRODUCTS)
    catalogue = {
        "product_id": _name_products(numbers),
        "name": pa.array([f"Product {n}" for n in numbers]),
        "category_path": pa.array([f"Top {n % 10}/Middle {n % 100}" for n in numbers]),
        "category": pa.array([f"Top {n % 10}" for n in numbers]),
        "is_merchandise": pa.repeat(True, PRODUCTS),
        "updated_at": pa.repeat(at[0], PRODUCTS),
    }
    for table, rows in {"order_lines": taken, "orders": order_table, "products": pa.table(catalogue)}.items():
        _write(home, f"lake.{table}", rows)


def _name_products(numbers: np.ndarray) -> pa.Array:
    return pa.array([f"P{n:05d}" for n in range(PRODUCTS)]).take(pa.array(numbers))


def _write(home: Path, table: str, rows: pa.Table) -> None:
    """A table in its contract's columns; those that the rows lack are null."""
    from jobs.lake import Contracts

    contract = Contracts.load()[table]
    schema = contract.arrow_schema()
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    location = home / table.replace(".", "/")
    partition = [contract.partition_column] if contract.partition_column else None
    write_deltalake(str(location), rows.select(schema.names).cast(schema), partition_by=partition)


def run(home: Path) -> None:
    """Both steps for the last day."""
    from jobs.lake import Days, Lake
    from jobs.runner import run_step
    from jobs.settings import load_settings
    from jobs.steps import STEPS as ALL_STEPS

    lake = Lake.open(load_settings(str(home)))
    with lake.engine:
        measure("start", lambda: lake.session.range(1).count())
        for step in STEPS:
            day = Days.single(FIRST_DAY + timedelta(DAYS - 1))
            measure(step, lambda step=step, day=day: run_step(lake, ALL_STEPS[step], day))
    for step in STEPS:
        (last, *_) = json.loads((home / "quality" / f"{step}.json").read_text())["runs"]
        print(json.dumps({"step": f"gate of {step}", "seconds": last["seconds"], "rows": last["rows"]}), flush=True)


def main() -> None:
    """All sizes, or the steps over the home named by the argument."""
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]))
        return
    seconds: dict[int, dict[str, float]] = {}
    for events in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "shop"
            print(f"{events:,} events, {events // EVENTS_PER_LINE:,} order lines", file=sys.stderr, flush=True)
            write_month(home, events)
            command = [sys.executable, "-m", "tests.bench.charts", str(home)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            seconds[events] = {row["step"]: row["seconds"] for row in found}
            print(done.stdout, flush=True)
    if len(SIZES) == 2:
        for step in STEPS:
            small, large = (seconds[size][step] for size in SIZES)
            print(f"{step}: {large / small:.1f} times the seconds for {SIZES[1] / SIZES[0]:.1f} times the events")
    print(EXPECTED)


if __name__ == "__main__":
    main()
