"""A table outlives the contract it was written under: columns come, and nothing that was there is lost."""

from dataclasses import replace

import pytest

from jobs.errors import ContractError
from jobs.lake import Contracts, Lake
from jobs.lake.evolution import add_columns, find_missing

from .test_lake import DAY, NEXT_DAY, NOON, SESSIONS, sessions

FORMER = ("flag", "products_viewed")
RUNS, TABLE = "ledger.step_runs", "ledger.tombstones"


def former(lake, table, *without, **types):
    """The same lake as it was when the contract had other columns."""
    contract = lake.contracts[table]
    columns = [replace(c, type=types.get(c.name, c.type)) for c in contract.columns if c.name not in without]
    contracts = Contracts({**lake.contracts, table: replace(contract, columns=tuple(columns))})
    return Lake(lake.settings, lake.engine, contracts)


@pytest.fixture
def old(lake):
    """Two visits of a day, written before the contract had all of its columns."""
    before = former(lake, SESSIONS, *FORMER)
    before.replace(SESSIONS, sessions(lake, [(DAY, 1, 5), (DAY, 2, 6)]).drop(*FORMER), partitions=[str(DAY)])
    return lake


def stored(lake):
    return sorted((row.session_id, row.clicks, row.products_viewed) for row in lake.read(SESSIONS).collect())


def test_columns_that_a_contract_gained_are_null_in_old_rows(old):
    assert stored(old) == [(1, 5, None), (2, 6, None)]
    assert {row["products_viewed"] for row in old.read_records(SESSIONS)} == {None}
    assert old.version(SESSIONS) == 1, "reading changes nothing"


def test_the_next_commit_widens_the_table(old):
    old.replace(SESSIONS, sessions(old, [(NEXT_DAY, 3, 7)]), partitions=[str(NEXT_DAY)])
    assert stored(old) == [(1, 5, None), (2, 6, None), (3, 7, 1)]
    assert [row["products_viewed"] for row in old.read_records(SESSIONS, [str(NEXT_DAY)])] == [1]


def test_two_that_widen_at_once_both_come_through(old):
    from deltalake import DeltaTable

    one, other = (DeltaTable(old.location(SESSIONS)) for _ in range(2))
    contract = old.contracts[SESSIONS]
    assert [column.name for column in find_missing(one, contract)] == ["products_viewed", "flag"]
    for table in (one, other):
        assert find_missing(add_columns(table, contract), contract) == ()


def test_a_ledger_goes_on_under_its_new_contract(lake):
    run = {"day": DAY, "run_id": "a", "step": "conform.clicks", "first_day": DAY, "seconds": 0.5, "finished_at": NOON}
    counts = {"rows_in": 3, "rows_out": 2, "duplicates": 1, "quarantined": 0, "warnings": None}
    former(lake, RUNS, "duplicates").record(RUNS, [{**run, **counts}])
    lake.record(RUNS, [{**run, **counts, "run_id": "b"}])
    found = lake.read_records(RUNS)
    assert sorted((row["run_id"], row["rows_in"], row["duplicates"]) for row in found) == [("a", 3, None), ("b", 3, 1)]


def test_a_type_that_changed_is_refused_and_tells_both(lake):
    before = former(lake, SESSIONS, clicks="string")
    rows = sessions(lake, [(DAY, 1, 5)])
    before.replace(SESSIONS, rows.withColumn("clicks", rows.clicks.cast("string")), partitions=[str(DAY)])
    told = r"clicks is .*string.* in the table and .*long.* in the contract\. Types do not change in place"
    with pytest.raises(ContractError, match=told):
        lake.read(SESSIONS)
    with pytest.raises(ContractError, match=told):
        lake.replace(SESSIONS, rows, partitions=[str(DAY)])


def test_a_fence_takes_no_widening_for_somebodys_commit(lake):
    """Tombstones written before their contract gained columns, and a step that adds one of its own."""
    former(lake, TABLE, "ads_opt_out_at", "personalisation_opt_out_at").record(TABLE, [stone("a")])
    with lake.fenced([TABLE]):
        lake.record(TABLE, [stone("b")])
        lake.replace(SESSIONS, sessions(lake, [(DAY, 1, 5)]), partitions=[str(DAY)])
    assert lake.count(SESSIONS) == 1


def stone(digest):
    return {"day": DAY, "kind": "subject", "digest": digest * 32, "erased_at": NOON, "lifted_at": None}
