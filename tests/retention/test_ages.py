"""Retention removes what is past its term, exactly that, and from the disk."""

from datetime import date

import pytest

from jobs.errors import SophiluxError
from jobs.lake import Days, editing
from jobs.retention import ages, cleanup

from .conftest import DAY, ROWS, fill, list_data_files

OLD = {
    "landing.clickstream": (2, 2),
    "marts.bestsellers": (1, 1),
    "lake.subjects": (0, 1),
    "lake.parcels": (0, 1),
}


def count_rows(lake):
    return {table: lake.count(table) for table in ROWS}


def test_the_plan_names_what_is_past_its_term(aged):
    found = {removal.table: (len(removal.partitions), removal.rows) for removal in ages.plan(aged, DAY)}
    assert found == OLD


def test_a_plan_changes_nothing(aged, packages):
    before = {table: (aged.current_files(table), list_data_files(aged, table)) for table in ROWS}
    ages.plan(aged, DAY)
    assert {table: (aged.current_files(table), list_data_files(aged, table)) for table in ROWS} == before
    assert all(folder.exists() for folder in packages)
    assert aged.count("ledger.retention_runs") == 0


def test_removes_exactly_the_old_rows(aged):
    report = ages.run(aged, Days.single(DAY))
    kept = {table: {tuple(row) for row in aged.read(table).collect()} for table in ROWS}
    assert {row[0] for row in kept["landing.clickstream"]} == {date(2024, 5, 31), date(2024, 6, 30)}
    assert {row[0] for row in kept["marts.bestsellers"]} == {"2024-05"}
    assert {row[0] for row in kept["lake.subjects"]} == {"s0", "s2", "s3"}
    assert {row[0] for row in kept["lake.parcels"]} == {"c1"}
    assert report.rows_out == 5


def test_rows_whose_term_has_not_begun_stay(aged):
    ages.run(aged, Days.single(date(2050, 1, 1)))
    assert [row["subject_id"] for row in aged.read("lake.subjects").collect()] == ["s0"]


def test_old_files_are_gone_from_the_disk(aged):
    ages.run(aged, Days.single(DAY))
    for table in ROWS:
        current = sorted(path.rpartition("/")[2] for path in aged.current_files(table))
        assert list_data_files(aged, table) == current


def test_a_second_run_removes_nothing(aged):
    ages.run(aged, Days.single(DAY))
    before = {table: aged.current_files(table) for table in ROWS}
    assert ages.plan(aged, DAY) == []
    assert ages.run(aged, Days.single(DAY)).rows_out == 0
    assert {table: aged.current_files(table) for table in ROWS} == before


def test_every_removal_is_recorded(aged):
    ages.run(aged, Days.single(DAY))
    entries = aged.read("ledger.retention_runs").collect()
    assert {row["table_name"]: (row["partitions"], row["rows"]) for row in entries} == OLD
    assert {row["day"] for row in entries} == {DAY}
    assert all(row["bytes"] > 0 and " from " in row["rule"] for row in entries)


def test_old_packages_go_and_young_ones_stay(lake, packages):
    removal = ages.plan(lake, DAY)[0]
    assert (removal.table, removal.rows, len(removal.folders)) == ("exports.additions", 3, 1)
    ages.apply(lake, [removal], DAY)
    assert [folder.exists() for folder in packages] == [False, True, True]


def test_a_run_finishes_what_a_crash_left(aged, monkeypatch):
    removals = ages.plan(aged, DAY)
    with monkeypatch.context() as patch:
        patch.setattr(type(aged), "vacuum", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ages.apply(aged, removals, DAY)
    assert len(list_data_files(aged, "landing.clickstream")) == 4
    assert ages.plan(aged, DAY) == []
    ages.run(aged, Days.single(DAY))
    assert len(list_data_files(aged, "landing.clickstream")) == 2
    assert cleanup.list_pending(aged.home) == []


def test_a_change_meanwhile_is_seen(aged, monkeypatch):
    """Another run writes the table while its files are rewritten: the old rows of the new files go as well."""
    removals = [removal for removal in ages.plan(aged, DAY) if removal.table == "lake.parcels"]
    swap, calls = editing.commits.swap, []

    def change_first(staged, replaced):
        if not calls:
            fill(aged, "lake.parcels", ROWS["lake.parcels"])
        calls.append(len(replaced))
        return swap(staged, replaced)

    monkeypatch.setattr(editing.commits, "swap", change_first)
    ages.apply(aged, removals, DAY)
    assert len(calls) == 2
    assert {row[0] for row in aged.read("lake.parcels").collect()} == {"c1"}


def test_refuses_to_empty_a_table_that_has_young_rows():
    cutoff = date(2024, 5, 31)
    wrong = ages.Removal("lake.orders", "rule", "day", cutoff, 9, 9, takes_all=True, newest=cutoff)
    with pytest.raises(SophiluxError, match=r"lake\.orders: retention would remove everything"):
        ages.check_removal(wrong)


def test_everything_may_go_when_everything_is_old():
    ages.check_removal(
        ages.Removal("t", "rule", "day", date(2024, 5, 31), 9, 9, takes_all=True, newest=date(2024, 5, 30))
    )


def test_an_empty_lake_has_nothing_to_remove(lake):
    assert ages.plan(lake, DAY) == []
    assert ages.run(lake, Days.single(DAY)).rows_out == 0
