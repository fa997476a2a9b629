"""Retention removes what is past its term, exactly that, and from the disk."""

from datetime import date, timedelta

import pytest

from jobs.errors import PlanError, UsageError
from jobs.lake import Days, pending
from jobs.retention import ages, shelf
from jobs.retention.approvals import approve_plan
from jobs.retention.planning import make_plan
from tests.conform.test_addresses import account, carrier, close, fold

from .conftest import DAY, ROWS, fill, forget, list_data_files

OLD = {
    "landing.clickstream": (2, 2),
    "marts.bestsellers": (1, 1),
    "lake.subjects": (0, 1),
    "lake.parcels": (0, 1),
}


def test_the_plan_names_what_is_past_its_term(aged):
    plan = make_plan(aged, DAY)
    assert {removal.table: (len(removal.partitions), removal.rows) for removal in plan.removals} == OLD


def test_a_plan_changes_nothing(aged, packages):
    before = {table: (aged.current_files(table), list_data_files(aged, table)) for table in ROWS}
    shelf.keep_plan(aged, make_plan(aged, DAY))
    assert {table: (aged.current_files(table), list_data_files(aged, table)) for table in ROWS} == before
    assert all(folder.exists() for folder in packages)
    assert aged.count("ledger.retention_runs") == 0


def test_removes_exactly_the_old_rows(aged):
    assert forget(aged, DAY).rows == 5
    kept = {table: {tuple(row) for row in aged.read(table).collect()} for table in ROWS}
    assert {row[0] for row in kept["landing.clickstream"]} == {date(2024, 5, 31), date(2024, 6, 30)}
    assert {row[0] for row in kept["marts.bestsellers"]} == {"2024-05"}
    assert {row[0] for row in kept["lake.subjects"]} == {"s0", "s2", "s3"}
    assert {row[0] for row in kept["lake.parcels"]} == {"c1"}


def test_rows_whose_term_has_not_begun_stay(aged):
    assert {r.table: r.rows for r in make_plan(aged, date(2050, 1, 1)).removals}["lake.subjects"] == 3


def test_old_files_are_gone_from_the_disk(aged):
    forget(aged, DAY)
    for table in ROWS:
        current = sorted(path.rpartition("/")[2] for path in aged.current_files(table))
        assert list_data_files(aged, table) == current


def test_a_second_run_removes_nothing(aged):
    forget(aged, DAY)
    before = {table: aged.current_files(table) for table in ROWS}
    assert make_plan(aged, DAY).removals == ()
    assert ages.run(aged, Days.single(DAY)).rows_out == 0
    assert {table: aged.current_files(table) for table in ROWS} == before


def test_every_removal_is_recorded_with_the_plan_and_who_approved_it(aged):
    name = shelf.keep_plan(aged, make_plan(aged, DAY))
    approve_plan(aged, name, by="the tests")
    ages.run(aged, Days.single(DAY), part=name)
    entries = aged.read_records("ledger.retention_runs")
    assert {row["table_name"]: (row["partitions"], row["rows"]) for row in entries} == OLD
    assert {(row["day"], row["plan_hash"], row["approved_by"]) for row in entries} == {(DAY, name, "the tests")}
    assert all(row["bytes"] > 0 and " from " in row["rule"] for row in entries)
    (plan,) = shelf.list_entries(aged)
    assert (plan["state"], plan["rows"], plan["approved_by"]) == ("applied", 5, "the tests")


def test_old_packages_go_and_young_ones_stay(lake, packages):
    (removal,) = make_plan(lake, DAY).removals
    assert (removal.table, removal.rows, removal.folders) == ("exports.additions", 3, ("exports/adnet/2024-03-31",))
    forget(lake, DAY)
    assert [folder.exists() for folder in packages] == [False, True, True]


def test_a_routine_plan_goes_by_the_policy_and_another_waits(aged):
    young = ROWS["lake.parcels"][1]
    fill(aged, "lake.parcels", [*ROWS["lake.parcels"], *({**young, "parcel_id": f"more{n}"} for n in range(8))])
    assert aged.settings.retention_max_share == 0.2
    with pytest.raises(PlanError, match=r"waits for approval: .*lake\.subjects 25\.0 % \(1 of 4 rows, limit 20 %\)"):
        ages.run(aged, Days.single(DAY))
    assert aged.count("lake.parcels") == 10
    fill(aged, "lake.subjects", ROWS["lake.subjects"][:1])
    fill(aged, "marts.bestsellers", ROWS["marts.bestsellers"][1:])
    assert ages.run(aged, Days.single(DAY)).rows_out == 3
    states = {row["state"]: row["approved_by"] for row in shelf.list_entries(aged)}
    assert states == {"planned": None, "applied": "policy"}


def test_a_run_finishes_what_a_crash_left(aged, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(type(aged), "vacuum", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget(aged, DAY)
    assert len(list_data_files(aged, "landing.clickstream")) == 4
    assert make_plan(aged, DAY).removals == ()
    ages.run(aged, Days.single(DAY))
    assert len(list_data_files(aged, "landing.clickstream")) == 2
    assert pending.list_pending(aged.home) == []


def test_an_earlier_day_than_the_last_is_refused(aged):
    forget(aged, DAY)
    with pytest.raises(UsageError, match=f"applied as of {DAY} already, so there is nothing left .* 2024-06-29"):
        ages.run(aged, Days.single(date(2024, 6, 29)))
    assert forget(aged, date(2024, 7, 1)).rows == 3


def test_an_empty_lake_has_nothing_to_remove(lake):
    assert make_plan(lake, DAY).removals == ()
    assert ages.run(lake, Days.single(DAY)).rows_out == 0


def test_the_address_of_a_closed_account_goes_when_its_term_is_over(lake):
    close(lake, 8)
    fold(lake, account(0), carrier(5, street="Short Lane 2"))
    on_its_day = date(2027, 1, 31)
    assert make_plan(lake, on_its_day, tables=["vault.addresses"]).removals == ()
    (removal,) = make_plan(lake, on_its_day + timedelta(days=1), tables=["vault.addresses"]).removals
    assert (removal.rows, removal.share) == (2, 1.0)
