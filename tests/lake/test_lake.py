import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs.errors import CommitConflictError, ContractError, GateError, SophiluxError
from jobs.lake import Days, Lake

SESSIONS = "lake.sessions"
DAY = date(2026, 3, 2)
NEXT_DAY = date(2026, 3, 3)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def sessions(lake, rows):
    """Frame of lake.sessions from (day, session_id, clicks)."""
    full = [(day, number, f"{number:032x}", number % 256, NOON, NOON, clicks, 1, None) for day, number, clicks in rows]
    return lake.session.createDataFrame(full, lake.contracts[SESSIONS].engine_schema())


def stored(lake):
    return sorted((r.day, r.session_id, r.clicks) for r in lake.read(SESSIONS).collect())


def products(lake, rows):
    """Frame of lake.products from (product_id, name, hour)."""
    full = [(key, name, "A/B", "A", None, True, NOON + timedelta(hours=hour)) for key, name, hour in rows]
    return lake.session.createDataFrame(full, lake.contracts["lake.products"].engine_schema())


def files_on_disk(lake, table):
    return sorted(str(path) for path in Path(lake.location(table)).rglob("*.parquet"))


def test_replacing_a_day_leaves_the_other_days(lake):
    lake.replace(SESSIONS, sessions(lake, [(DAY, 1, 5), (NEXT_DAY, 2, 6)]), partitions=[str(DAY), str(NEXT_DAY)])
    lake.replace(SESSIONS, sessions(lake, [(NEXT_DAY, 3, 7)]), partitions=[str(NEXT_DAY)])
    assert stored(lake) == [(DAY, 1, 5), (NEXT_DAY, 3, 7)]
    assert [r.session_id for r in lake.read(SESSIONS, days=Days.single(DAY)).collect()] == [1]


def test_an_empty_day_replaces_what_was_there(lake):
    lake.replace(SESSIONS, sessions(lake, [(DAY, 1, 5)]), partitions=[str(DAY)])
    lake.replace(SESSIONS, lake.empty(SESSIONS), partitions=[str(DAY)])
    assert stored(lake) == []


def test_columns_that_differ_are_shown_beside_the_contract(lake):
    with pytest.raises(ContractError) as error:
        lake.replace(SESSIONS, sessions(lake, [(DAY, 1, 5)]).drop("flag"), partitions=[str(DAY)])
    assert "lake.sessions: the columns differ from the contract; nothing was written." in str(error.value)
    assert "flag string                              -                                        <-- differs" in str(
        error.value
    )
    assert not lake.exists(SESSIONS)


def test_a_null_where_the_contract_allows_none_publishes_nothing(lake):
    rows = sessions(lake, [(DAY, 1, 5)]).selectExpr(
        "day", "session_id", "subject_id", "subject_bucket", "started_at", "ended_at", "cast(null as bigint) as clicks",
        "products_viewed", "flag",
    )  # fmt: skip
    with pytest.raises(ContractError, match="allows no null, but found clicks in 1 rows; nothing was published"):
        lake.replace(SESSIONS, rows, partitions=[str(DAY)])
    assert files_on_disk(lake, SESSIONS) == []


def test_rows_outside_the_replaced_days_are_refused(lake):
    with pytest.raises(ValueError, match="the rows belong to 2026-03-03, outside the partitions to replace"):
        lake.replace(SESSIONS, sessions(lake, [(NEXT_DAY, 1, 5)]), partitions=[str(DAY)])


def test_a_gate_that_refuses_leaves_the_last_good_rows(lake):
    lake.replace(SESSIONS, sessions(lake, [(DAY, 1, 5)]), partitions=[str(DAY)])

    def refuse(rows, staged):
        assert rows.count() == staged.rows == 1
        raise GateError("no")

    with pytest.raises(GateError):
        lake.replace(SESSIONS, sessions(lake, [(DAY, 2, 6)]), partitions=[str(DAY)], gate=refuse)
    assert stored(lake) == [(DAY, 1, 5)]
    assert len(files_on_disk(lake, SESSIONS)) == 1


@given(rows=st.lists(st.tuples(st.sampled_from([DAY, NEXT_DAY]), st.integers(0, 2**40), st.integers(0, 9)), max_size=8))
@hypothesis_settings(max_examples=8, deadline=None)
def test_a_second_run_leaves_the_same_rows(shared_lake, rows):
    partitions = [str(DAY), str(NEXT_DAY)]
    shared_lake.replace(SESSIONS, sessions(shared_lake, rows), partitions=partitions)
    first = stored(shared_lake)
    shared_lake.replace(SESSIONS, sessions(shared_lake, rows), partitions=partitions)
    assert stored(shared_lake) == first == sorted(rows)


def test_two_runs_of_the_same_day_at_once_leave_one(lake):
    frames = [sessions(lake, [(DAY, number, number)]) for number in (1, 2, 3, 4)]
    errors = []

    def write(frame):
        try:
            lake.replace(SESSIONS, frame, partitions=[str(DAY)])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(frame,)) for frame in frames]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(stored(lake)) == 1


def test_rows_computed_from_files_that_changed_meanwhile_conflict(lake):
    lake.replace(SESSIONS, sessions(lake, [(DAY, 1, 5)]), partitions=[str(DAY)])
    base = lake.current_files(SESSIONS, [str(DAY)])
    lake.replace(SESSIONS, sessions(lake, [(DAY, 2, 6)]), partitions=[str(DAY)])
    with pytest.raises(CommitConflictError, match="another run changed the same partitions first"):
        lake.replace(SESSIONS, sessions(lake, [(DAY, 3, 7)]), partitions=[str(DAY)], base=base)
    assert stored(lake) == [(DAY, 2, 6)]


def test_the_log_holds_no_identifier(lake):
    lake.replace(SESSIONS, sessions(lake, [(DAY, number, 1) for number in range(50)]), partitions=[str(DAY)])
    log = "".join(path.read_text() for path in Path(lake.location(SESSIONS), "_delta_log").glob("*.json"))
    assert "minValues" in log
    assert not [number for number in range(50) if f"{number:032x}" in log]


def test_merge_keeps_the_newest_and_a_second_run_changes_nothing(lake):
    lake.merge("lake.products", products(lake, [("a", "old", 1), ("b", "kept", 5)]), newest_by="updated_at")
    change = products(lake, [("a", "new", 2), ("b", "late", 4), ("c", "added", 1)])
    for _ in range(2):
        lake.merge("lake.products", change, newest_by="updated_at")
        names = {row.product_id: row.name for row in lake.read("lake.products").collect()}
        assert names == {"a": "new", "b": "kept", "c": "added"}


def test_record_updates_by_key_and_keeps_the_rest(lake):
    row = {"day": DAY, "step": "s", "first_day": DAY, "seconds": 1.0, "finished_at": NOON}
    lake.record("ledger.step_runs", [{**row, "run_id": "one"}, {**row, "run_id": "two"}])
    lake.record("ledger.step_runs", [{**row, "run_id": "one", "seconds": 2.0}])
    rows = {r.run_id: r.seconds for r in lake.read("ledger.step_runs").collect()}
    assert rows == {"one": 2.0, "two": 1.0}


def test_vacuum_removes_old_versions_and_history_tells_them(lake):
    for number in (1, 2, 3):
        lake.replace(SESSIONS, sessions(lake, [(DAY, number, 1)]), partitions=[str(DAY)])
    assert len(files_on_disk(lake, SESSIONS)) == 3
    lake.vacuum(SESSIONS, keep=timedelta(0))
    assert len(files_on_disk(lake, SESSIONS)) == 1
    assert stored(lake) == [(DAY, 3, 1)]
    assert len(lake.history(SESSIONS)) >= 4


KILLED_RUN = """
import os, signal, sys
from jobs.lake import Lake
from jobs.settings import load_settings
from tests.lake.test_lake import DAY, SESSIONS, sessions
lake = Lake.open(load_settings(sys.argv[1]))
kill = lambda rows, staged: os.kill(os.getpid(), signal.SIGKILL)
lake.replace(SESSIONS, sessions(lake, [(DAY, 9, 9)]), partitions=[str(DAY)], gate=kill)
"""


@pytest.mark.slow
def test_a_kill_between_write_and_commit_loses_nothing(lake):
    lake.replace(SESSIONS, sessions(lake, [(DAY, 1, 5)]), partitions=[str(DAY)])
    killed = subprocess.run([sys.executable, "-c", KILLED_RUN, lake.home], check=False, cwd=Path(__file__).parents[2])
    assert killed.returncode == -signal.SIGKILL
    assert stored(lake) == [(DAY, 1, 5)]
    assert len(files_on_disk(lake, SESSIONS)) == 2
    lake.replace(SESSIONS, sessions(lake, [(DAY, 9, 9)]), partitions=[str(DAY)])
    assert stored(lake) == [(DAY, 9, 9)]
    lake.vacuum(SESSIONS, keep=timedelta(0))
    assert len(files_on_disk(lake, SESSIONS)) == 1


@pytest.fixture
def tiny_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_the_last_rows_stay(lake, tiny_disk):
    small = Lake(lake.settings.model_copy(update={"home": str(tiny_disk)}), lake.engine, lake.contracts)
    small.replace(SESSIONS, sessions(small, [(DAY, 1, 5)]), partitions=[str(DAY)])
    many = lake.session.range(100_000).selectExpr(
        "date'2026-03-02' as day", "id as session_id", "sha2(cast(id as string), 256) as subject_id",
        "cast(id % 256 as int) as subject_bucket", "timestamp'2026-03-02 12:00:00' as started_at",
        "timestamp'2026-03-02 12:00:00' as ended_at", "id as clicks", "id as products_viewed", "cast(null as string) as flag",
    )  # fmt: skip
    with pytest.raises(SophiluxError, match="no space left on the lake's device; nothing was published"):
        small.replace(SESSIONS, many, partitions=[str(DAY)])
    assert stored(small) == [(DAY, 1, 5)]
    assert len(files_on_disk(small, SESSIONS)) == 1
    assert os.statvfs(tiny_disk).f_bavail > 0
