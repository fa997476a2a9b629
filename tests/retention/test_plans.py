"""A plan is done exactly as it was made, or refused with the reason in one line and in the ledger."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import PlanError, UsageError
from jobs.lake import Contracts, Lake
from jobs.people.holds import place_hold
from jobs.retention import guard, shelf
from jobs.retention.applying import apply_plan
from jobs.retention.approvals import approve_plan, reject_plan
from jobs.retention.planning import make_plan
from jobs.retention.plans import FileRemoval, Plan, Removal, Rule, read_plan, write_plan

from .conftest import DAY, ROWS, fill, list_data_files

RULE = Rule("p", "contract", "30 days", "day", "operational", "a reason", date(2024, 5, 31))
names = st.text("abc/=-é", max_size=9)
days = st.dates(date(1990, 1, 1), date(2100, 1, 1))
files = st.builds(FileRemoval, names, st.none() | names, st.integers(0, 9), st.integers(0, 9), st.integers(0, 2**40))
removals = st.builds(
    Removal, names, st.none() | names, st.none() | st.integers(0, 9), st.builds(lambda d: replace(RULE, cutoff=d), days),
    st.lists(names).map(tuple), st.lists(files, max_size=3).map(tuple), st.lists(names, max_size=2).map(tuple),
    youngest=st.none() | days, digest=st.none() | names,
)  # fmt: skip


@pytest.fixture
def made(aged):
    """A plan of the aged lake, approved but not applied."""
    name = shelf.keep_plan(aged, make_plan(aged, DAY))
    approve_plan(aged, name, by="the tests")
    return name


def refuse(lake, name, message):
    """The plan is refused for this reason; nothing is deleted, and the ledger tells."""
    before = {table: (lake.current_files(table), list_data_files(lake, table)) for table in ROWS}
    with pytest.raises(PlanError, match=message) as error:
        apply_plan(lake, name)
    assert "\n" not in str(error.value)
    assert {table: (lake.current_files(table), list_data_files(lake, table)) for table in ROWS} == before
    entry = shelf.find_entry(lake, name)
    assert (entry["state"], entry["reason"]) == ("refused", str(error.value))


def file_of(lake, name):
    return Path(lake.home, shelf.FOLDER, name + ".json")


@given(listed=st.lists(removals, max_size=3), day=days, seconds=st.integers(0, 10**9))
def test_a_plan_survives_being_written_and_every_change_is_another_name(listed, day, seconds):
    plan = Plan("l", day, datetime.fromtimestamp(seconds, UTC), "s", ("h",), tuple(listed))
    assert read_plan(write_plan(plan)) == plan
    assert replace(plan, salt="t").name != plan.name == read_plan(write_plan(plan)).name


def test_a_plan_tells_the_rule_behind_every_table(aged):
    told = json.loads(write_plan(make_plan(aged, DAY)))
    rules = {removal["table"]: removal["rule"] for removal in told["removals"]}
    assert rules["landing.clickstream"]["period"] == "30 days"
    assert rules["landing.clickstream"]["element"] == "pull_day"
    assert rules["lake.parcels"]["legal_basis"] == aged.contracts["lake.parcels"].properties["legalBasis"]
    assert rules["lake.parcels"]["cutoff"] == "2021-06-30"
    assert all(rule["purpose"] and rule["driver"] and rule["description"] for rule in rules.values())


def test_a_plan_names_tables_versions_partitions_and_files(aged):
    found = {removal.table: removal for removal in make_plan(aged, DAY).removals}
    landing, subjects = found["landing.clickstream"], found["lake.subjects"]
    assert landing.partitions == ("2024-05-29", "2024-05-30")
    assert {file.path for file in landing.files} == aged.current_files("landing.clickstream", landing.partitions)
    assert landing.version == aged.version("landing.clickstream")
    assert (landing.cut_files, subjects.whole_files) == ([], [])
    assert [(file.rows, file.goes) for file in subjects.files] == [(4, 1)]
    assert (subjects.youngest, subjects.share) == (date(2021, 6, 29), 0.25)


def test_a_plan_holds_no_value_of_a_row(aged):
    content = write_plan(make_plan(aged, DAY)).decode()
    gone = {"s1", "p1", "c0"}
    assert not any(f'"{value}"' in content for value in gone)


def test_a_row_that_aged_since_makes_the_plan_stale(aged, made):
    fill(aged, "lake.parcels", [*ROWS["lake.parcels"], {**ROWS["lake.parcels"][0], "parcel_id": "c9"}])
    refuse(aged, made, r"lake\.parcels changed since plan .* \(1 rows to delete then, 2 now")


def test_another_old_row_in_its_place_makes_the_plan_stale(aged, made):
    fill(aged, "lake.parcels", [{**ROWS["lake.parcels"][0], "parcel_id": "c9"}, ROWS["lake.parcels"][1]])
    refuse(aged, made, r"lake\.parcels changed .*1 now, or others")


def test_a_late_file_in_an_old_day_makes_the_plan_stale(aged, made):
    rows = [*ROWS["landing.clickstream"], {**ROWS["landing.clickstream"][0], "line_no": 2}]
    fill(aged, "landing.clickstream", rows)
    refuse(aged, made, r"landing\.clickstream changed since")


def test_the_same_rows_in_other_files_are_no_change(aged, made):
    """An update of young rows rewrites the whole table; the old rows and their digest are the same."""
    young = {**ROWS["lake.parcels"][1], "state": "returned"}
    fill(aged, "lake.parcels", [ROWS["lake.parcels"][0], young])
    assert apply_plan(aged, made).rows == 5
    assert [row["state"] for row in aged.read("lake.parcels").collect()] == ["returned"]


def test_new_days_are_no_change(aged, made):
    rows = [{**ROWS["landing.clickstream"][0], "pull_day": date(2024, 7, 1)}]
    contract = aged.contracts["landing.clickstream"]
    values = [tuple(row.get(name) for name in contract.column_names) for row in rows]
    frame = aged.session.createDataFrame(values, contract.engine_schema())
    aged.replace("landing.clickstream", frame, partitions=["2024-07-01"])
    apply_plan(aged, made)
    assert aged.count("landing.clickstream") == 3


def test_an_edited_plan_is_refused(aged, made):
    path = file_of(aged, made)
    path.write_bytes(path.read_bytes().replace(b"2024-05-30", b"2024-06-30"))
    refuse(aged, made, "is not what its name says: it was edited or damaged")


def test_a_plan_that_was_edited_and_named_anew_is_refused(aged, made):
    plan = replace(make_plan(aged, DAY), removals=())
    file_of(aged, plan.name).write_bytes(write_plan(plan))
    refuse(aged, plan.name, "made from another lake, or not by this program")


def test_a_plan_from_another_lake_is_refused(aged, made, tmp_path, engine, contracts):
    other = Lake(aged.settings.model_copy(update={"home": str(tmp_path / "other")}), engine, contracts)
    for table, rows in ROWS.items():
        fill(other, table, rows)
    file_of(other, made).parent.mkdir(parents=True)
    shutil.copy(file_of(aged, made), file_of(other, made))
    refuse(other, made, "made from another lake")


def test_a_lost_plan_is_told(aged, made):
    file_of(aged, made).unlink()
    refuse(aged, made, "The file of plan .* is gone; make a new plan")


def test_what_is_no_plan_is_told():
    for content in (b"", b"{}", b"[]", b'{"format": 2}', b'{"format":1,"removals":[{}]}'):
        with pytest.raises(PlanError, match="no retention plan of this program"):
            read_plan(content)


def test_a_hold_placed_since_makes_the_plan_stale(aged, made):
    place_hold(aged, reason="case 7", order_ids=["o"])
    refuse(aged, made, "Holds were placed or released since plan")


def test_a_term_that_was_made_longer_protects_at_once(aged, made):
    longer = replace(aged.contracts["lake.parcels"].retention, value=4)
    changed = {**aged.contracts, "lake.parcels": replace(aged.contracts["lake.parcels"], retention=longer)}
    aged = Lake(aged.settings, aged.engine, Contracts(changed))
    refuse(aged, made, r"lake\.parcels: the plan deletes rows of 2021-06-29, but its contract keeps .* 2020-06-30")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"made_at": datetime.now(UTC) - timedelta(days=8)}, "more than 7 days ago"),
        ({"made_at": datetime.now(UTC) + timedelta(days=1)}, "which is yet to come"),
        ({"day": datetime.now(UTC).date() + timedelta(days=2)}, "which is yet to come"),
    ],
)
def test_a_plan_from_another_time_is_refused(aged, facts, message):
    name = shelf.keep_plan(aged, replace(make_plan(aged, DAY), **facts))
    approve_plan(aged, name, by="the tests")
    refuse(aged, name, message)


def test_a_plan_for_a_day_before_the_last_is_refused(aged):
    early = shelf.keep_plan(aged, make_plan(aged, date(2024, 6, 29)))
    late = shelf.keep_plan(aged, replace(make_plan(aged, DAY), removals=()))
    for name in (early, late):
        approve_plan(aged, name, by="the tests")
    apply_plan(aged, late)
    refuse(aged, early, "is for 2024-06-29, but retention was applied as of 2024-06-30 already")


def test_a_plan_is_applied_once(aged, made):
    apply_plan(aged, made)
    with pytest.raises(PlanError, match=r"was applied at .* already"):
        apply_plan(aged, made)
    assert shelf.find_entry(aged, made)["state"] == "applied"


def test_what_is_within_its_term_never_goes_whatever_a_plan_says(aged, contracts):
    plan = make_plan(aged, DAY)
    for removal in plan.removals:
        wrong = replace(plan, removals=(replace(removal, youngest=removal.rule.cutoff),))
        with pytest.raises(PlanError, match="nothing was deleted"):
            guard.check_terms(wrong, contracts)
    guard.check_terms(plan, contracts)


def test_more_than_the_stated_share_needs_a_flag_and_the_figures_are_shown(aged):
    name = shelf.keep_plan(aged, make_plan(aged, DAY))
    with pytest.raises(PlanError, match=r"lake\.parcels 50\.0 % \(1 of 2 rows, limit 20 %\).* --max-share 0\.5\.$"):
        approve_plan(aged, name, by="the tests", max_share=0.2)
    with pytest.raises(PlanError, match="waits for approval"):
        apply_plan(aged, name)
    approve_plan(aged, name, by="the tests", max_share=0.5)
    assert apply_plan(aged, name).rows == 5


def test_a_rejected_plan_is_not_applied(aged):
    name = shelf.keep_plan(aged, replace(make_plan(aged, DAY), removals=()))
    reject_plan(aged, name, by="the tests")
    with pytest.raises(PlanError, match="waits for approval"):
        apply_plan(aged, name)
    assert shelf.find_entry(aged, name)["state"] == "rejected"


def test_a_policy_may_ask_a_person_for_every_plan(aged):
    fill(aged, "lake.subjects", ROWS["lake.subjects"][:1])
    lake = Lake(aged.settings.model_copy(update={"retention_policy": "ask", "retention_max_share": 1.0}),
                aged.engine, aged.contracts)  # fmt: skip
    name = shelf.keep_plan(lake, make_plan(lake, DAY))
    with pytest.raises(PlanError, match="the policy asks a person for every plan"):
        apply_plan(lake, name)


@given(rows=st.integers(0, 1000), more=st.integers(0, 1000), limit=st.floats(0, 1))
def test_the_guard_weighs_shares(rows, more, limit):
    removal = Removal("lake.orders", None, None, RULE, rows=rows, table_rows=rows + more)
    plan = Plan("l", DAY, datetime.now(UTC), "s", (), (removal,))
    found = guard.find_excess(plan, limit)
    assert bool(found) == (rows > limit * (rows + more))


def test_short_lived_copies_may_lose_more():
    plan = [Removal(t, None, None, RULE, rows=4, table_rows=10) for t in ("landing.a", "quarantine.a", "lake.orders")]
    found = guard.find_excess(Plan("l", DAY, datetime.now(UTC), "s", (), tuple(plan)), 0.2)
    assert [excess.table for excess in found] == ["lake.orders"]


@pytest.mark.parametrize(
    ("given", "message"), [("1234567", "first 8 hex digits"), ("x" * 9, "first 8"), ("0" * 8, "There is no plan 0{8};")]
)
def test_a_plan_that_is_not_there_is_told(lake, given, message):
    with pytest.raises(UsageError, match=message):
        shelf.find_name(lake, given)


def test_eight_digits_name_a_plan(aged, made):
    assert shelf.find_name(aged, made[:8]) == made
