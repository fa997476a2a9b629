"""Files are put together without changing a row, and an erasure then opens those of the person's bucket only."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from jobs.errors import CommitConflictError
from jobs.lake import clustering, optimizing
from jobs.lake.commits import TableFile
from jobs.lake.optimizing import cut_buckets, find_unhealthy, optimize

from .clustered import TABLE
from .test_editing import DAYS, batches_anywhere, drop, visits

__all__ = ["batches_anywhere"]


def scatter(lake, day, files=4, subjects=200):
    """One day in several files, each of which has rows of all buckets."""
    contract = lake.contracts[TABLE]
    originals = []
    for number in range(files):
        reader = visits(contract, day, range(number, subjects, files))
        staged = lake.stage_batches(TABLE, reader)
        originals.append(staged)
        commits = optimizing.commits
        commits.swap(staged, [])


def rows_of(lake, table=TABLE):
    return Counter(map(repr, lake.read_records(table)))


@pytest.fixture
def scattered(lake):
    for day in DAYS[:2]:
        scatter(lake, day)
    return lake


def test_small_files_become_one_and_no_row_changes(scattered):
    before = rows_of(scattered)
    done = optimize(scattered, TABLE)
    assert (done.partitions, done.rows, done.files_before, done.files_after) == (2, 400, 8, 2)
    assert rows_of(scattered) == before
    for file in scattered.list_files(TABLE):
        buckets = pq.read_table(Path(scattered.location(TABLE), file.path))["subject_bucket"].to_pylist()
        assert buckets == sorted(buckets)


def test_an_erasure_opens_only_files_whose_buckets_match(scattered):
    assert drop(scattered, [999], buckets={60}).files_opened == 8
    size = sum(file.size for file in scattered.list_files(TABLE))
    done = optimize(scattered, TABLE, target_bytes=size // 8)
    assert done.files_after >= 6
    bounds = sorted(file.buckets for file in scattered.list_files(TABLE) if file.partition == str(DAYS[0]))
    assert all(one[1] < other[0] for one, other in pairwise(bounds))
    erased = drop(scattered, [60], buckets={60})
    assert (erased.files_opened, erased.files_replaced, erased.rows_found) == (2, 2, 2)


def test_what_is_in_order_is_left_alone(scattered):
    optimize(scattered, TABLE)
    version = scattered.version(TABLE)
    done = optimize(scattered, TABLE)
    assert (done.partitions, done.rows, scattered.version(TABLE)) == (0, 0, version)


def test_a_file_that_is_too_large_is_cut_between_buckets(lake):
    lake.replace_batches(TABLE, visits(lake.contracts[TABLE], DAYS[0], range(200)), partitions=[str(DAYS[0])])
    before, (file,) = rows_of(lake), lake.list_files(TABLE)
    done = optimize(lake, TABLE, target_bytes=file.size // 3)
    assert done.files_after in (3, 4)
    assert rows_of(lake) == before


def test_rows_without_a_bucket_are_kept(lake):
    table, contract = "lake.orders", lake.contracts["lake.orders"]
    fixed = {"day": DAYS[0], "country": "DE", "status": "paid", "pull_day": DAYS[0]}
    moment = dict.fromkeys(("ordered_at", "updated_at"), 0)
    for number in range(3):
        known = {"subject_id": f"s{number}", "subject_bucket": 80 * number}
        rows = [{**fixed, **moment, "order_id": f"o{number}{n}", **(known if n else {})} for n in range(3)]
        batches = pa.Table.from_pylist(rows, contract.arrow_schema()).to_reader()
        optimizing.commits.swap(lake.stage_batches(table, batches), [])
    before = rows_of(lake, table)
    size = sum(file.size for file in lake.list_files(table))
    done = optimize(lake, table, target_bytes=10 * size)
    assert done.partitions == 1
    assert rows_of(lake, table) == before
    assert sum("'subject_id': None" in row for row in before) == 3


def test_a_table_without_buckets_keeps_its_order(lake, monkeypatch):
    monkeypatch.setattr("jobs.lake.lake.BATCH_ZONES", ("landing",))
    table, contract = "landing.clickstream", lake.contracts["landing.clickstream"]
    for number in range(5):
        rows = [{"pull_day": DAYS[0], "source": "f", "line_no": 10 * number + n, "raw": "{}"} for n in range(10)]
        optimizing.commits.swap(
            lake.stage_batches(table, pa.Table.from_pylist(rows, contract.arrow_schema()).to_reader()), []
        )
    optimize(lake, table)
    (file,) = lake.list_files(table)
    numbers = pq.read_table(Path(lake.location(table), file.path))["line_no"].to_pylist()
    runs = [numbers[n : n + 10] for n in range(0, 50, 10)]
    assert sorted(runs) == [list(range(start, start + 10)) for start in range(0, 50, 10)]


def test_a_run_that_was_faster_is_respected(scattered, monkeypatch):
    """Somebody is erased while the files are put together: they do not come back."""
    original, calls = optimizing.commits.swap, []

    def race(staged, replaced):
        if not calls:
            calls.append(1)
            drop(scattered, [7], buckets={7})
        return original(staged, replaced)

    monkeypatch.setattr(optimizing.commits, "swap", race)
    optimize(scattered, TABLE)
    assert sum("'s007'" in row for row in rows_of(scattered)) == 0
    assert sum(rows_of(scattered).values()) == 398


def test_one_that_always_loses_gives_up_and_leaves_no_files(scattered, monkeypatch):
    def lose(staged, replaced):
        raise CommitConflictError("lost")

    files = set(Path(scattered.location(TABLE)).rglob("*.parquet"))
    monkeypatch.setattr(optimizing.commits, "swap", lose)
    with pytest.raises(CommitConflictError, match="optimize it again later"):
        optimize(scattered, TABLE)
    assert set(Path(scattered.location(TABLE)).rglob("*.parquet")) == files


def test_a_loss_of_rows_would_be_seen(scattered, monkeypatch):
    original = clustering.sort_table
    monkeypatch.setattr(clustering, "sort_table", lambda *given: original(*given).slice(1))
    before = scattered.version(TABLE)
    with pytest.raises(Exception, match="200 rows would have become 199; nothing was changed"):
        optimize(scattered, TABLE)
    assert scattered.version(TABLE) == before


@given(counts=st.lists(st.integers(0, 50), min_size=257, max_size=257), pieces=st.integers(1, 12))
def test_cuts_cover_every_bucket_once_and_are_balanced(counts, pieces):
    ranges = cut_buckets(np.array(counts), pieces)
    assert len(ranges) <= pieces or not sum(counts)
    covered = [bucket for first, last in ranges for bucket in range(first, last + 1)]
    assert all(not counts[bucket] for bucket in set(range(257)) - set(covered))
    assert len(covered) == len(set(covered))
    if ranges:
        largest = max(sum(counts[first : last + 1]) for first, last in ranges)
        assert largest <= sum(counts) / pieces + 2 * max(counts) + 1


@settings(max_examples=12, deadline=None)
@given(
    files=st.lists(
        st.lists(st.tuples(st.none() | st.integers(0, 255), st.integers(0, 5)), min_size=1, max_size=60),
        min_size=1,
        max_size=5,
    ),
    pieces=st.integers(1, 6),
)
def test_the_rows_are_the_same_whatever_they_are(shared_lake, files, pieces):
    """A multiset of rows, with and without a bucket, with repeated rows, in any files, to files of any size."""
    lake, table = shared_lake, "lake.orders"
    contract = lake.contracts[table]
    fixed = {"day": DAYS[0], "country": "DE", "status": "paid", "pull_day": DAYS[0], "ordered_at": 0, "updated_at": 0}
    replaced = lake.list_files(table)
    for own in files:
        rows = [{**fixed, "order_id": f"o{n}", "subject_id": f"s{b}", "subject_bucket": b} for b, n in own]
        batches = pa.Table.from_pylist(rows, contract.arrow_schema()).to_reader()
        optimizing.commits.swap(lake.stage_batches(table, batches), replaced)
        replaced = []
    before = rows_of(lake, table)
    size = sum(file.size for file in lake.list_files(table))
    optimize(lake, table, target_bytes=max(1, size // pieces))
    assert rows_of(lake, table) == before


def file(size, buckets=None, partition=None):
    return TableFile("p", partition, 1, size, buckets)


@pytest.mark.parametrize(
    ("files", "is_healthy"),
    [
        ([file(900, (0, 255))], True),
        ([file(2100, (0, 255))], False),
        ([file(2100, (7, 7))], True),
        ([file(100, (0, 100)), file(100, (101, 255))], False),
        ([file(900, (0, 127)), file(900, (128, 255))], True),
        ([file(900, (0, 255)), file(900, (0, 255))], False),
        ([file(900), file(100, (0, 9))], True),
        ([file(100, None, "a"), file(100, None, "b")], True),
    ],
)
def test_only_partitions_in_disorder_are_chosen(contracts, files, is_healthy):
    assert (find_unhealthy(contracts[TABLE], files, 1000) == []) == is_healthy
