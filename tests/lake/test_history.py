"""A table that forgets its former versions: nothing of them is left, and the current one is as it was."""

import json
import os
import threading
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from jobs.errors import CommitConflictError, SophiluxError
from jobs.lake import fences, history
from jobs.lake.history import forget_versions

TABLE = "landing.clickstream"
DAYS = [date(2024, 3, 1), date(2024, 3, 2)]
SECRET = "jane@shop.example"


def lines(lake, day, texts):
    rows = [{"pull_day": day, "source": "f", "line_no": n, "raw": text} for n, text in enumerate(texts)]
    return pa.Table.from_pylist(rows, lake.contracts[TABLE].arrow_schema()).to_reader()


def put(lake, day, *texts):
    lake.replace_batches(TABLE, lines(lake, day, texts), partitions=[str(day)])


def texts_of(lake):
    return sorted(row["raw"] for row in lake.read_records(TABLE))


def choose(lake):
    choice = {"subject_id": "s", "subject_bucket": 1, "purpose": "ads", "is_opt_out": True, "asked_at": 0}
    rows = pa.Table.from_pylist([choice], lake.contracts["ledger.choices"].arrow_schema())
    return lake.stage_batches("ledger.choices", rows.to_reader())


def files_below(location):
    return {str(path.relative_to(location)) for path in Path(location).rglob("*") if path.is_file()}


@pytest.fixture
def pulled(lake):
    """Two days, one of which was pulled again without a line."""
    put(lake, DAYS[0], SECRET, "a")
    put(lake, DAYS[1], "b")
    put(lake, DAYS[0], "a")
    return lake


def test_nothing_is_left_but_the_current_version(pulled):
    location = pulled.location(TABLE)
    kept = pulled.current_files(TABLE)
    done = forget_versions(pulled, TABLE)
    log = f"_delta_log/{done.version:020}"
    assert files_below(location) == {*kept, f"{log}.json", f"{log}.checkpoint.parquet", "_delta_log/_last_checkpoint"}
    assert done.files == 1
    assert done.log_files >= 4
    assert pulled.version(TABLE) == done.version
    assert texts_of(pulled) == ["a", "b"]


def test_every_reader_and_writer_goes_on(pulled):
    forget_versions(pulled, TABLE)
    assert sorted(row.raw for row in pulled.read(TABLE).collect()) == ["a", "b"]
    put(pulled, DAYS[1], "c")
    assert texts_of(pulled) == ["a", "c"]
    assert sorted(row.raw for row in pulled.read(TABLE).collect()) == ["a", "c"]
    assert pulled.count(TABLE) == 2


def test_a_second_time_changes_nothing_but_the_version(pulled):
    first = forget_versions(pulled, TABLE)
    second = forget_versions(pulled, TABLE)
    assert (second.version, second.files, texts_of(pulled)) == (first.version + 1, 0, ["a", "b"])


def test_a_table_that_is_not_there_has_nothing_to_forget(lake):
    assert forget_versions(lake, TABLE) is None


def test_what_stands_around_in_the_folder_goes(pulled):
    location = Path(pulled.location(TABLE))
    strays = ["w-0123456789abcdef/pull_day=2024-03-01/part-0.parquet", ".part-0.parquet.crc", "_temporary/0/part-0.gz"]
    strays += ["_delta_log/_commit_1.json.tmp", "_delta_log/00000000000000000000.crc", "_delta_log/_sidecars/s.parquet"]
    for stray in strays:
        path = location / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET)
    forget_versions(pulled, TABLE)
    assert not files_below(location) & set(strays)
    assert not (location / "_temporary").exists()
    assert texts_of(pulled) == ["a", "b"]


def test_statistics_that_show_too_much_are_cut_down(pulled):
    """Another program wrote the smallest and largest line into the log."""
    delta = DeltaTable(pulled.location(TABLE))
    file = next(file for file in pulled.list_files(TABLE) if file.partition == str(DAYS[1]))
    stats = json.dumps({"numRecords": 1, "minValues": {"raw": SECRET}, "maxValues": {"raw": SECRET}})
    shown = AddAction(file.path, file.size, {"pull_day": file.partition}, 0, False, stats)
    delta.create_write_transaction([shown], "append", delta.schema(), ["pull_day"])
    forget_versions(pulled, TABLE)
    log = [path.read_bytes() for path in Path(pulled.location(TABLE), "_delta_log").iterdir()]
    assert not [content for content in log if SECRET.encode() in content]
    assert not history.find_revealing(DeltaTable(pulled.location(TABLE)), pulled.contracts[TABLE])
    assert pulled.count(TABLE) == 2
    assert texts_of(pulled) == ["a", "b"]


def test_it_waits_for_a_writer_whose_files_are_not_committed(pulled, monkeypatch):
    """A stale writer must not put its entry at the number of one that is gone: nobody would ever see it."""
    staged, go_on = threading.Event(), threading.Event()
    original = type(pulled).commit

    def slow(self, *args):
        staged.set()
        assert go_on.wait(30)
        return original(self, *args)

    monkeypatch.setattr(type(pulled), "commit", slow)
    writer = threading.Thread(target=put, args=(pulled, DAYS[1], "late"))
    forgetter = threading.Thread(target=forget_versions, args=(pulled, TABLE))
    writer.start()
    assert staged.wait(30)
    forgetter.start()
    forgetter.join(0.3)
    assert forgetter.is_alive()
    go_on.set()
    writer.join()
    forgetter.join()
    assert texts_of(pulled) == ["a", "late"]


@pytest.mark.parametrize("after", ["_commit", "create_checkpoint", "_remove"])
def test_a_run_that_died_is_finished_by_the_next(pulled, monkeypatch, after):
    calls = []

    def die(original):
        def call(*args):
            original(*args)
            calls.append(after)
            raise KeyboardInterrupt

        return call

    owner = DeltaTable if after == "create_checkpoint" else history
    with monkeypatch.context() as patch:
        patch.setattr(owner, after, die(getattr(owner, after)))
        with pytest.raises(KeyboardInterrupt):
            forget_versions(pulled, TABLE)
    assert calls
    assert texts_of(pulled) == ["a", "b"]
    done = forget_versions(pulled, TABLE)
    assert len(files_below(pulled.location(TABLE))) == 5
    assert done.version == pulled.version(TABLE)


def test_what_cannot_be_removed_is_told_and_finished_later(pulled, monkeypatch):
    """As when the folder is not writable."""
    from pyarrow import fs

    class Sealed:
        def delete_file(self, path):
            raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        original = history.storage.filesystem
        patch.setattr(history.storage, "filesystem", lambda place: (Sealed(), place))
        with pytest.raises(SophiluxError, match=r"2 of 2 old files could not be removed .* run it again"):
            history._remove(TABLE, pulled.location(TABLE), [fs.FileInfo("one"), fs.FileInfo("two")])
    assert original is history.storage.filesystem
    assert forget_versions(pulled, TABLE).files == 1


def test_a_step_fenced_in_does_not_commit_what_it_read_before(pulled):
    def run_step():
        with pulled.fenced(["ledger.choices"]):
            other = type(pulled)(pulled.settings, pulled.engine, pulled.contracts)
            other.commit(choose(other), None)
            put(pulled, DAYS[0], SECRET)

    with pytest.raises(CommitConflictError, match="people were erased"):
        run_step()
    assert texts_of(pulled) == ["a", "b"]


def test_a_fence_lets_pass_what_is_about_nobody_and_what_the_step_itself_changed(pulled):
    with pulled.fenced(["ledger.choices"]):
        pulled.commit(choose(pulled), None)
        put(pulled, DAYS[0], "new")
    assert texts_of(pulled) == ["b", "new"]


def test_an_error_while_others_forget_versions_is_a_conflict_and_any_other_is_itself(pulled, monkeypatch):
    def fail(prepare):
        with pulled.fenced([]):
            prepare(pulled, TABLE)
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        fail(lambda *_: None)
    with pytest.raises(FileNotFoundError):
        fail(forget_versions)
    with monkeypatch.context() as patch:
        patch.setattr(fences, "_own_marks", set())
        patch.setattr(fences, "_draw_mark", lambda: b"of another process")
        with pytest.raises(CommitConflictError, match="run it again"):
            fail(forget_versions)


@pytest.mark.skipif(os.geteuid() == 0, reason="whoever may do anything is refused nothing")
def test_an_unwritable_folder_is_an_error_in_words(pulled):
    folder = next(path.parent for path in Path(pulled.location(TABLE)).rglob("*.parquet"))
    folder.chmod(0o500)
    try:
        with pytest.raises(SophiluxError, match="make the folder writable"):
            forget_versions(pulled, TABLE)
    finally:
        folder.chmod(0o700)
    forget_versions(pulled, TABLE)
