import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from jobs.errors import CommitConflictError
from jobs.lake import editing, staging

from .clustered import TABLE, drop_people

DAYS = [date(2024, 3, 1) + timedelta(days=n) for n in range(3)]


def visits(contract, day, subjects):
    start = datetime(2024, 3, 1, tzinfo=UTC)
    fixed = {"day": day, "started_at": start, "ended_at": start, "clicks": 1, "products_viewed": 0}
    rows = [
        {**fixed, "session_id": 1000 * day.day + n, "subject_id": f"s{n:03}", "subject_bucket": n} for n in subjects
    ]
    return pa.Table.from_pylist(rows, contract.arrow_schema()).to_reader(max_chunksize=64)


@pytest.fixture(autouse=True)
def batches_anywhere(monkeypatch):
    """Arrow batches where the lake wants frames: these tests need files of a form that no engine writes."""
    monkeypatch.setattr("jobs.lake.lake.BATCH_ZONES", ("lake",))


@pytest.fixture
def sessions(lake):
    for day in DAYS:
        lake.replace_batches(TABLE, visits(lake.contracts[TABLE], day, range(200)), partitions=[str(day)])
    return lake


def drop(lake, subjects, **options):
    return drop_people(lake, [f"s{n:03}" for n in subjects], **options)


def rows_of(lake):
    return Counter((row["day"], row["subject_id"]) for row in lake.read_records(TABLE))


def test_the_rows_are_gone_and_no_other(sessions):
    before = rows_of(sessions)
    done = drop(sessions, [7, 150], buckets={7, 150})
    assert done.rows_found == 6
    assert rows_of(sessions) == Counter({key: n for key, n in before.items() if key[1] not in ("s007", "s150")})
    assert sessions.count(TABLE) == 3 * 198


def test_an_empty_batch_is_no_row_group(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "ROW_GROUP_BYTES", 1)
    contract = next(each for each in lake.contracts.values() if not each.partition_column)
    schema = contract.arrow_schema()
    batches = [pa.RecordBatch.from_pylist([{}] * count, schema) for count in (50, 0)]
    staging.write_batches(pa.RecordBatchReader.from_batches(schema, batches), contract, str(tmp_path / "w"))
    (path,) = (tmp_path / "w").glob("*.parquet")
    footer = pq.read_metadata(path)
    assert [footer.row_group(number).num_rows for number in range(footer.num_row_groups)] == [50]


def test_files_that_cannot_hold_the_rows_are_not_opened(lake):
    for day, subjects in zip(DAYS, (range(50), range(50, 100), range(200)), strict=True):
        lake.replace_batches(TABLE, visits(lake.contracts[TABLE], day, subjects), partitions=[str(day)])
    done = drop(lake, [60], buckets={60})
    assert (done.files_opened, done.files_replaced, done.rows_found) == (2, 2, 2)
    elsewhere = drop(lake, [61], buckets={61}, partitions=[str(DAYS[1])])
    assert (elsewhere.files_opened, elsewhere.rows_found) == (1, 1)


def test_nothing_found_commits_nothing(sessions):
    version = sessions.version(TABLE)
    done = drop(sessions, [999])
    assert (done.files_replaced, done.version, sessions.version(TABLE)) == (0, version, version)
    assert not [p for p in Path(sessions.location(TABLE)).glob("w-*") if not any(p.rglob("*.parquet"))]


def test_a_day_that_loses_everybody_is_empty(sessions):
    done = drop(sessions, range(200), partitions=[str(DAYS[0])])
    assert done.rows_found == 200
    assert {day for day, _ in rows_of(sessions)} == set(DAYS[1:])


def test_the_log_names_nobody(sessions):
    drop(sessions, [7], buckets={7})
    entries = Path(sessions.location(TABLE), "_delta_log").glob("*.json")
    assert "s007" not in "".join(path.read_text() for path in entries)


def test_a_run_that_was_faster_is_respected(sessions, monkeypatch):
    """Another run replaces a day while files are edited: the edit starts again on the new files."""
    original, calls = editing.commits.swap, []

    def race(staged, replaced):
        if not calls:
            batches = visits(sessions.contracts[TABLE], DAYS[0], range(100, 160))
            sessions.replace_batches(TABLE, batches, partitions=[str(DAYS[0])])
        calls.append(1)
        return original(staged, replaced)

    monkeypatch.setattr(editing.commits, "swap", race)
    done = drop(sessions, [7, 150])
    assert len(calls) == 2
    assert done.rows_found == 5
    assert (DAYS[0], "s150") not in rows_of(sessions)
    assert sum(n for (day, _), n in rows_of(sessions).items() if day == DAYS[0]) == 59


def test_an_edit_that_always_loses_gives_up_and_leaves_no_files(sessions, monkeypatch):
    def lose(staged, replaced):
        raise CommitConflictError("lost")

    before = set(Path(sessions.location(TABLE)).rglob("*.parquet"))
    monkeypatch.setattr(editing.commits, "swap", lose)
    with pytest.raises(CommitConflictError, match="run the step again"):
        drop(sessions, [7])
    assert set(Path(sessions.location(TABLE)).rglob("*.parquet")) == before


def test_statistics_stay_tight_and_tell_nothing_else(sessions):
    drop(sessions, [0, 199], buckets={0, 199})
    assert {file.buckets for file in sessions.list_files(TABLE)} == {(1, 198)}
    log = sorted(Path(sessions.location(TABLE), "_delta_log").glob("*.json"))[-1]
    adds = [json.loads(line)["add"] for line in log.read_text().splitlines() if '"add"' in line]
    assert all(set(json.loads(add["stats"])["minValues"]) == {"subject_bucket"} for add in adds)
