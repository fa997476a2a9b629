"""Erase 1, 100 and 10,000 people from one table, against the field: part of ``make bench``.

``python -m tests.bench.erasure --rows 20000000``; ``--help`` tells the rest. The table is written by the lake's own
writer. Every run is a process of its own over a copy of its own, on the same cores, one by default. Told are seconds,
processor seconds, what was asked of the file system (bytes read and written, of files and of the page cache), and
whether anybody is left or missing afterwards.

Ours finds the files by their bucket range, opens those, and commits; once as always, and once without holding what it
wrote against what it read. The handler of Amazon S3 Find and Forget gets the files that hold somebody for nothing (it
has them found by a query engine) and is given what its description says: the whole file through Arrow, a set looked
up row by row, all row groups written again with Snappy. ``deltalake`` and Spark delete by predicate.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from jobs.lake import Lake, commits, staging
from jobs.lake.editing import edit_rows
from jobs.lake.parquet import proving
from jobs.lake.parquet.decoding import Source
from jobs.lake.parquet.rewriting import drop_found
from jobs.lake.staging import Staged
from jobs.privacy.subject_ids import bucket_of
from jobs.settings import load_settings
from tests.bench.flows import peak_memory, processor_seconds

TABLE = "lake.clicks"
ROWS_A_DAY = 1_000_000
EVERYBODY = 200_000
PEOPLE = "1,100,10000"
OURS, UNPROVED = "ours", "ours, no proof"
FIELD = "find and forget"
TARGET = 2.5
"""Times as fast as find and forget where every file is hit."""
TARGET_SPARSE = 10.0
"""The same where some files are not."""

Told = dict[str, float]


def build(home: str, rows: int) -> None:
    """A table of clicks as a step leaves it: each day written by the engine."""
    lake = Lake.open(load_settings(home))
    contract, location = lake.contracts[TABLE], lake.location(TABLE)
    folder = staging.new_folder(location)
    database = duckdb.connect()
    with lake.engine, tempfile.TemporaryDirectory(prefix="sophilux-clicks-") as drawn:
        for number, start in enumerate(range(0, rows, ROWS_A_DAY)):
            path = f"{drawn}/{number}.parquet"
            database.sql(
                f"copy ({draw(number, min(rows - start, ROWS_A_DAY))}) to '{path}' (format parquet, compression snappy)"
            )
            frame = lake.session.read.parquet(path)
            given = {name.lower() for name in frame.columns}
            columns = [
                f"cast({c.name if c.name in given else compute(c.name)} as {c.type}) as {c.name}"
                for c in contract.columns
            ]
            staging.write_frame(frame.selectExpr(*columns), contract, folder)
            Path(path).unlink()
    staged = Staged(contract, location, folder, staging.collect_files(contract, location, folder))
    commits.commit(staged, None, None)


def draw(number: int, count: int) -> str:
    """One day's clicks of people at random, in the order of their time."""
    day = date(2026, 1, 1) + timedelta(days=number)
    return f"""
        select (hash(range, {number}) >> 1)::bigint as event_id,
               timestamptz '{day} 00:00:00+00' + to_microseconds((range * 86400000000 / {count})::bigint) as event_time,
               md5((hash(range, {number}, 'who') % {EVERYBODY})::varchar) as subject_id,
               (hash(range // 8, {number}) >> 1)::bigint as session_id,
               case when range % 10 < 8 then 'view' when range % 10 = 8 then 'search' else 'cart' end as action,
               'P' || (hash(range) % 5000) as product_id, '/p/P' || (hash(range) % 5000) as page_path,
               (range * 31 % 60000)::int as dwell_ms, date '{day}' as day, date '{day}' as pull_day
        from range({count}) order by event_time
    """


def compute(column: str) -> str:
    """What a column holds that is not drawn."""
    return "pmod(xxhash64(subject_id), 256)" if column == "subject_bucket" else "null"


def choose(count: int) -> tuple[list[str], set[int]]:
    """People and their buckets."""
    numbers = random.Random(count).sample(range(EVERYBODY), count)
    listed = ", ".join(f"({number})" for number in numbers)
    found = duckdb.sql(f"select md5(n::varchar) from (values {listed}) as people(n)").fetchall()
    return [person for (person,) in found], {bucket_of(person) for (person,) in found}


def find_hits(lake: Lake, people: list[str]) -> tuple[list[str], int]:
    """Files that hold one of the people, and the rows that are theirs."""
    wanted, hits, rows = pa.array(people), [], 0
    for file in lake.list_files(TABLE):
        column = (
            pq.ParquetFile(Path(lake.location(TABLE), file.path))
            .read(columns=["subject_id"])["subject_id"]
            .cast(pa.string())
        )
        found = pc.sum(pc.is_in(column, wanted)).as_py()
        rows += found
        if found:
            hits.append(file.path)
    return hits, rows


def erase_here(lake: Lake, people: list[str], buckets: set[int], hits: list[str]) -> Told:
    """Our own: find, splice, prove, commit."""
    wanted = pa.array(people)
    done = edit_rows(
        lake,
        TABLE,
        columns=["subject_id"],
        find=lambda rows: pc.is_in(rows["subject_id"], wanted),
        edit=drop_found,
        buckets=buckets,
    )
    return {"files": done.files_replaced, "rewritten": done.bytes_encoded}


class _NoProof(proving.Proof):
    def check_edit(self, place: int, rows: pa.Table, marks: pa.ChunkedArray, edited: pa.Table) -> None:
        """Believe it."""

    def read_back(self, target: str, source: Source, rows: int) -> None:
        """Believe it."""


def erase_without_proof(lake: Lake, people: list[str], buckets: set[int], hits: list[str]) -> Told:
    """Our own, without comparing what was written with what was read."""
    proving.Proof = _NoProof
    return erase_here(lake, people, buckets, hits)


def erase_as_find_and_forget(lake: Lake, people: list[str], buckets: set[int], hits: list[str]) -> Told:
    """The handler's algorithm over the files that hold somebody; finding them is not timed."""
    wanted, written = set(people), 0
    for path in hits:
        source = Path(lake.location(TABLE), path)
        target = source.with_suffix(".new")
        parquet = pq.ParquetFile(source)
        with pq.ParquetWriter(target, parquet.schema_arrow) as writer:
            for number in range(parquet.num_row_groups):
                rows = parquet.read_row_group(number)
                kept = [value not in wanted for value in rows["subject_id"].to_pylist()]
                writer.write_table(rows.filter(pa.array(kept)))
        written += target.stat().st_size
        target.replace(source)
    return {"files": len(hits), "rewritten": written}


def erase_with_deltalake(lake: Lake, people: list[str], buckets: set[int], hits: list[str]) -> Told:
    """``DeltaTable.delete`` with the identifiers in its predicate, which its log keeps."""
    from deltalake import DeltaTable

    named = ", ".join(f"'{person}'" for person in people)
    before = {file.path for file in lake.list_files(TABLE)}
    told = DeltaTable(lake.location(TABLE)).delete(f"subject_id in ({named})")
    return {"files": told["num_removed_files"], "rewritten": count_new(lake, before)}


def erase_with_spark(lake: Lake, people: list[str], buckets: set[int], hits: list[str]) -> Told:
    """Spark with Delta: ``DELETE``."""
    named = ", ".join(f"'{person}'" for person in people)
    before = {file.path for file in lake.list_files(TABLE)}
    lake.session.sql(f"DELETE FROM delta.`{lake.location(TABLE)}` WHERE subject_id IN ({named})").collect()
    return {"files": len(before - {file.path for file in lake.list_files(TABLE)}), "rewritten": count_new(lake, before)}


def count_new(lake: Lake, before: set[str]) -> int:
    """Bytes of files that were not there before."""
    return sum(file.size for file in lake.list_files(TABLE) if file.path not in before)


CONTESTANTS: dict[str, Callable[[Lake, list[str], set[int], list[str]], Told]] = {
    OURS: erase_here,
    UNPROVED: erase_without_proof,
    FIELD: erase_as_find_and_forget,
    "deltalake": erase_with_deltalake,
    "spark": erase_with_spark,
}


def contend(home: str, contestant: str, count: int, cores: int) -> Told:
    """One contestant, in this process."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ["SOPHILUX_ENGINE"] = "spark" if contestant == "spark" else "sail"
    lake = Lake.open(load_settings(home))
    people, buckets = choose(count)
    hits, theirs = find_hits(lake, people)
    total = sum(file.rows for file in lake.list_files(TABLE))
    with lake.engine, peak_memory() as peak:
        if contestant == "spark":
            lake.session.range(1).count()
        asked, worked, started = count_io(), processor_seconds(), time.perf_counter()
        told = CONTESTANTS[contestant](lake, people, buckets, hits)
        seconds, worked = time.perf_counter() - started, processor_seconds() - worked
        read, written = (now - then for now, then in zip(count_io(), asked, strict=True))
        left = find_hits(lake, people)[1]
    footers = [pq.read_metadata(Path(lake.location(TABLE), file.path)) for file in lake.list_files(TABLE)]
    missing = total - theirs - sum(footer.num_rows for footer in footers)
    times = {"seconds": seconds, "cpu": worked, "read": read, "written": written}
    return {
        **times,
        **told,
        "hits": len(hits),
        "held": len(footers),
        "rows": theirs,
        "left": left,
        "missing": missing,
        "peak": peak[0],
    }


def count_io() -> tuple[int, int]:
    """Bytes that this process and its children have read and written so far."""
    me = psutil.Process()
    counted = [process.io_counters() for process in [me, *me.children(recursive=True)]]
    return sum(c.read_chars for c in counted), sum(c.write_chars for c in counted)


def run_apart(*arguments: object) -> str:
    """A part of this module in a process of its own; returns its last line."""
    command = [sys.executable, "-m", "tests.bench.erasure", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return (done.stdout.strip().splitlines() or [""])[-1]


def compete(home: Path, names: list[str], options: argparse.Namespace) -> Iterator[str]:
    """All contestants for all numbers of people, the median of the repeats each."""
    for count in map(int, options.people.split(",")):
        medians: dict[str, Told] = {}
        runs: dict[str, list[Told]] = {name: [] for name in names}
        for _ in range(options.repeat):
            for name in names:
                copy = home.with_name(f"{home.name}.copy")
                subprocess.run(["cp", "-a", str(home), str(copy)], check=True)
                line = run_apart("--contest", name, "--home", copy, "--people", count, "--cores", options.cores)
                runs[name].append(json.loads(line))
                shutil.rmtree(copy)
        for name, told in runs.items():
            medians[name] = {key: statistics.median(each[key] for each in told) for key in told[0]}
            yield show(count, name, medians[name])
        for name in names[1:]:
            seconds, cpu = (medians[name][key] / medians[OURS][key] for key in ("seconds", "cpu"))
            yield f"{'':16}{name} / ours: {seconds:.1f} of seconds, {cpu:.1f} of processor seconds"
        if FIELD in names:
            yield f"{'':16}{judge(medians)}"


def judge(medians: dict[str, Told]) -> str:
    """Whether ours is as much faster than find and forget as it should be, by processor seconds."""
    ours, field = medians[OURS], medians[FIELD]
    hits_all = field["hits"] == field["held"]
    target, reached = TARGET if hits_all else TARGET_SPARSE, field["cpu"] / ours["cpu"]
    where = "where every file is hit" if hits_all else "where not every file is hit"
    verdict = "met" if reached >= target else "NOT met"
    return f"target {where}: {target:g} times {FIELD}, with the proof; got {reached:.1f}: {verdict}"


def show(count: int, name: str, told: Told) -> str:
    """One line of the table."""
    sizes = "".join(f"{told[key] / 2**20:>10,.0f}" for key in ("read", "written", "rewritten"))
    harm = "".join(f", {told[key]:,.0f} rows {key}" for key in ("left", "missing") if told[key])
    facts = f"{told['files']:>6.0f} of {told['hits']:.0f} files{harm}"
    return f"{count:>7,} {name:16}{told['seconds']:>9.2f}{told['cpu']:>9.2f}{sizes}{told['peak'] / 2**30:>7.1f}{facts}"


def main() -> None:
    """Build, compete, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", type=int, default=20_000_000, help=f"rows of the table, {ROWS_A_DAY:,} a day and file"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each, of which the median is told")
    parser.add_argument("--cores", type=int, default=1, help="cores that a contestant may use")
    parser.add_argument("--skip", default="", help="contestants to leave out, with commas")
    parser.add_argument("--people", default=PEOPLE, help=f"how many are erased, of {EVERYBODY:,}; with commas")
    parser.add_argument("--contest", help=argparse.SUPPRESS)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contest:
        print(json.dumps(contend(options.home, options.contest, int(options.people), options.cores)))
    elif options.home:
        build(options.home, options.rows)
    else:
        start(options)


def start(options: argparse.Namespace) -> None:
    """The parent of all runs."""
    names = [name for name in CONTESTANTS if name not in options.skip.split(",")]
    with tempfile.TemporaryDirectory(prefix="sophilux-erasure-") as folder:
        home, started = Path(folder) / "lake", time.perf_counter()
        run_apart("--home", home, "--rows", options.rows)
        files = list(home.rglob("*.parquet"))
        groups = sum(pq.read_metadata(file).num_row_groups for file in files)
        size = sum(file.stat().st_size for file in files) / 2**20
        took = time.perf_counter() - started
        print(
            f"{options.rows:,} rows, {size:,.0f} MB, {len(files)} files of {groups} row groups, built in {took:.0f} s"
        )
        print(f"{'people':>7} {'':16}{'seconds':>9}{'cpu':>9}{'read MB':>10}{'written':>10}{'rewritten':>10}{'GB':>7}")
        for line in compete(home, names, options):
            print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
