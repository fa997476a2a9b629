"""Erase 1, 100 and 10,000 people from one table, against the field: part of ``make bench``.

All contestants get the same files, each a copy of its own, and two threads where they can use them. Ours finds the
files by their bucket range, opens those, and commits. The handler of Amazon S3 Find and Forget gets the files that hold
somebody for nothing (it has them found by a query engine) and is given what its description says: the whole file
through Arrow, a set looked up row by row, all row groups written again with Snappy. ``deltalake`` and Spark delete by
predicate. ``BENCH_ROWS`` sets another number of rows; ``BENCH_SKIP=spark`` leaves a contestant out.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from jobs.lake import Lake, commits, staging
from jobs.lake.editing import edit_rows
from jobs.lake.staging import Staged
from jobs.settings import load_settings

ROWS = int(os.environ.get("BENCH_ROWS", "20000000"))
SKIP = os.environ.get("BENCH_SKIP", "").split(",")
TABLE = "lake.clicks"
DAYS = 20
FILES_A_DAY = 4
GROUP_ROWS = 65_536
SUBJECTS = max(1_000, ROWS // 100)
BATCHES = (1, 100, 10_000)
EXPECTED = "Expected: at least 2.5 times S3 Find and Forget where every file is hit, at least 10 times where few are."


def build(lake: Lake) -> None:
    """A table of clicks as maintenance leaves it: days in files of disjoint bucket ranges."""
    contract, location = lake.contracts[TABLE], lake.location(TABLE)
    folder = staging.new_folder(location)
    database = duckdb.connect()
    database.sql(
        f"create table subjects as select md5(range::varchar) as subject_id, (hash(range) % 256)::int as bucket from range({SUBJECTS})"
    )
    for number in range(DAYS):
        day = date(2026, 1, 1) + timedelta(days=number)
        rows = database.sql(
            f"""
            select (hash(range, {number}) >> 1)::bigint as event_id,
                   timestamptz '{day} 00:00:00+00' + to_microseconds((range * 86400000000 / {ROWS // DAYS})::bigint) as event_time,
                   subject_id, bucket as subject_bucket, (hash(range // 8, {number}) >> 1)::bigint as session_id,
                   case when range % 10 < 8 then 'view' when range % 10 = 8 then 'search' else 'cart' end as action,
                   'P' || (hash(range) % 5000) as product_id, '/p/P' || (hash(range) % 5000) as page_path,
                   (range * 31 % 60000)::int as dwell_ms, date '{day}' as pull_day
            from range({ROWS // DAYS}) as clicks, subjects
            where subjects.rowid = hash(range, {number}, 'who') % {SUBJECTS}
            order by bucket, subject_id, event_id
            """
        ).to_arrow_table()
        schema = pa.schema([field for field in contract.arrow_schema() if field.name != "day"])
        columns = [
            rows[f.name].cast(f.type) if f.name in rows.column_names else pa.nulls(rows.num_rows, f.type)
            for f in schema
        ]
        typed = pa.table(columns, schema=schema)
        target = Path(folder, f"day={day}")
        target.mkdir(parents=True)
        for part in range(FILES_A_DAY):
            inside = pc.and_(
                pc.greater_equal(typed["subject_bucket"], 256 * part // FILES_A_DAY),
                pc.less(typed["subject_bucket"], 256 * (part + 1) // FILES_A_DAY),
            )
            pq.write_table(
                typed.filter(inside), target / f"part-{part}.parquet", compression="zstd", row_group_size=GROUP_ROWS
            )
    commits.commit(Staged(contract, location, folder, staging.collect_files(contract, location, folder)), None, None)


def erase_here(lake: Lake, people: list[str], buckets: set[int]) -> dict[str, int]:
    """Our own: find, splice, commit."""
    wanted = pa.array(people)
    done = edit_rows(
        lake,
        TABLE,
        columns=["subject_id"],
        find=lambda rows: pc.is_in(rows["subject_id"], wanted),
        edit=lambda rows, found: rows.filter(pc.invert(found)),
        buckets=buckets,
    )
    return {
        "rows": done.rows_found,
        "read": done.bytes_opened,
        "written": done.bytes_written,
        "files": done.files_replaced,
    }


def erase_as_find_and_forget(lake: Lake, people: list[str], buckets: set[int]) -> dict[str, int]:
    """The handler's algorithm over the files that hold somebody; finding them is not timed."""
    wanted = set(people)
    told = {"rows": 0, "read": 0, "written": 0, "files": 0}
    for path in HIT_FILES:
        source = Path(lake.location(TABLE), path)
        target = source.with_suffix(".new")
        parquet = pq.ParquetFile(source)
        with pq.ParquetWriter(target, parquet.schema_arrow) as writer:
            for number in range(parquet.num_row_groups):
                rows = parquet.read_row_group(number)
                kept = [value not in wanted for value in rows["subject_id"].to_pylist()]
                told["rows"] += len(kept) - sum(kept)
                writer.write_table(rows.filter(pa.array(kept)))
        told["read"] += source.stat().st_size
        told["written"] += target.stat().st_size
        told["files"] += 1
        target.replace(source)
    return told


def erase_with_deltalake(lake: Lake, people: list[str], buckets: set[int]) -> dict[str, int]:
    """``DeltaTable.delete`` with the identifiers in its predicate, which its log keeps."""
    from deltalake import DeltaTable

    named = ", ".join(f"'{person}'" for person in people)
    told = DeltaTable(lake.location(TABLE)).delete(f"subject_id in ({named})")
    return {"rows": told["num_deleted_rows"] or 0, "files": told["num_removed_files"]}


def erase_with_spark(lake: Lake, people: list[str], buckets: set[int]) -> dict[str, int]:
    """Spark with Delta: ``DELETE``."""
    named = ", ".join(f"'{person}'" for person in people)
    told = lake.session.sql(f"DELETE FROM delta.`{lake.location(TABLE)}` WHERE subject_id IN ({named})").collect()
    return {"rows": told[0][0]}


HIT_FILES: list[str] = []
CONTESTANTS: dict[str, Callable[[Lake, list[str], set[int]], dict[str, int]]] = {
    "ours": erase_here,
    "find and forget": erase_as_find_and_forget,
    "deltalake": erase_with_deltalake,
    "spark": erase_with_spark,
}


def find_hits(lake: Lake, people: list[str]) -> list[str]:
    """Files that hold one of the people."""
    wanted = pa.array(people)
    hits = []
    for file in lake.list_files(TABLE):
        column = pq.read_table(Path(lake.location(TABLE), file.path), columns=["subject_id"], partitioning=None)
        if pc.any(pc.is_in(column["subject_id"], wanted)).as_py():
            hits.append(file.path)
    return hits


def choose(count: int) -> tuple[list[str], set[int]]:
    """People and their buckets."""
    numbers = random.Random(count).sample(range(SUBJECTS), min(count, SUBJECTS))
    listed = ", ".join(f"({number})" for number in numbers)
    found = duckdb.sql(
        f"select md5(n::varchar), (hash(n::bigint) % 256)::int from (values {listed}) as people(n)"
    ).fetchall()
    return [person for person, _ in found], {bucket for _, bucket in found}


def contend(home: Path, contestant: str, count: int) -> Iterator[str]:
    """One contestant over a copy of its own."""
    copy = home.with_name(f"{home.name}.{contestant.replace(' ', '-')}.{count}")
    subprocess.run(["cp", "-a", str(home), str(copy)], check=True)
    os.environ["SOPHILUX_ENGINE"] = "spark" if contestant == "spark" else "sail"
    lake = Lake.open(load_settings(str(copy)))
    people, buckets = choose(count)
    HIT_FILES[:] = find_hits(lake, people)
    try:
        with lake.engine:
            if contestant == "spark":
                lake.session.range(1).count()
            started = time.perf_counter()
            told = CONTESTANTS[contestant](lake, people, buckets)
            seconds = time.perf_counter() - started
        facts = ", ".join(
            f"{name} {value / 2**20:,.0f} MB" if name in ("read", "written") else f"{name} {value:,}"
            for name, value in told.items()
        )
        yield f"{count:>7,} people  {contestant:16}{seconds:9.2f} s  hit files {len(HIT_FILES)}; {facts}"
        SECONDS[count, contestant] = seconds
    finally:
        shutil.rmtree(copy)


SECONDS: dict[tuple[int, str], float] = {}


def main() -> None:
    """Print a table of seconds and ratios."""
    with tempfile.TemporaryDirectory(prefix="sophilux-erasure-") as folder:
        home = Path(folder) / "lake"
        started = time.perf_counter()
        build(Lake.open(load_settings(str(home))))
        size = sum(path.stat().st_size for path in home.rglob("*.parquet"))
        print(
            f"{ROWS:,} rows, {size / 2**20:,.0f} MB in {DAYS * FILES_A_DAY} files, built in {time.perf_counter() - started:.0f} s"
        )
        for count in BATCHES:
            for contestant in CONTESTANTS:
                if contestant not in SKIP:
                    for line in contend(home, contestant, count):
                        print(line, flush=True)
            for contestant in CONTESTANTS:
                if (count, contestant) in SECONDS and contestant != "ours":
                    ratio = SECONDS[count, contestant] / SECONDS[count, "ours"]
                    print(f"{'':15}ours is {ratio:.1f} times as fast as {contestant}")
    print(EXPECTED)


if __name__ == "__main__":
    sys.exit(main())
