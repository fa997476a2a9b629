"""``sophilux retention``: a plan, a look at it, and its application."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.lake import commits
from jobs.people.holds import place_hold
from jobs.retention import shelf
from tests.cli.test_cli import call, export_row
from tests.retention.conftest import ROWS, fill

DAY = "2024-06-30"


@pytest.fixture
def home(lake):
    """Parcels and packages, half of each past its term."""
    fill(lake, "lake.parcels", ROWS["lake.parcels"])
    for day in ("2024-03-31", "2024-06-30"):
        (Path(lake.home) / "exports" / "adnet" / day).mkdir(parents=True)
    return Path(lake.home)


def plan(home, *args):
    done = call("retention", "plan", "--day", DAY, *args, home=home)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("command", [(), ("plan",), ("apply",), ("list",), ("show",)])
def test_help_has_an_example(command):
    done = call("retention", *command, "--help")
    assert done.exit_code == 0
    assert "Example: sophilux retention" in " ".join(done.stdout.split())


def test_a_plan_is_shown_and_nothing_is_deleted(home, lake):
    told = plan(home)
    (entry,) = shelf.list_entries(lake)
    assert entry["plan_hash"] in told
    assert "lake.parcels 3 years from last_event_at: transaction" in " ".join(told.split())
    assert f"Nothing was deleted. To do it: sophilux retention apply --plan {entry['plan_hash'][:8]}" in told
    assert lake.count("lake.parcels") == 2
    assert len(list((home / "exports" / "adnet").iterdir())) == 2


def test_a_plan_over_the_limit_needs_the_flag_and_shows_the_figures(home, lake):
    told = plan(home)
    assert "More than a routine plan may: lake.parcels 50.0 % (1 of 2 rows, limit 20 %)." in told
    name = shelf.list_entries(lake)[0]["plan_hash"]
    done = call("retention", "apply", "--plan", name[:8], home=home)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "--max-share 0.5" in done.stderr
    done = call("retention", "apply", "--plan", name[:8], "--max-share", "0.5", home=home)
    assert done.exit_code == 0, done.output
    assert "1 rows are gone" in done.stdout
    assert lake.count("lake.parcels") == 1
    assert [path.name for path in (home / "exports" / "adnet").iterdir()] == ["2024-06-30"]
    (run,) = [row for row in lake.read_records("ledger.retention_runs") if row["rows"]]
    assert run["plan_hash"] == name
    assert run["approved_by"].startswith("command line: ")


def test_plans_are_listed_with_what_became_of_them(home, lake):
    plan(home)
    fill(lake, "lake.parcels", ROWS["lake.parcels"][1:])
    name = shelf.list_entries(lake)[0]["plan_hash"]
    stale = call("retention", "apply", "--plan", name, "--max-share", "1", home=home)
    assert (stale.exit_code, stale.stderr.count("\n")) == (1, 1)
    (listed,) = json.loads(call("retention", "list", "--format", "json", home=home).stdout)
    assert (listed["plan"], listed["state"], listed["rows"]) == (name, "refused", 1)
    assert "changed since plan" in listed["reason"]


def test_show_tells_tables_files_and_rules(home, lake):
    plan(home)
    name = shelf.list_entries(lake)[0]["plan_hash"]
    shown = json.loads(call("retention", "show", name[:8], "--format", "json", home=home).stdout)
    by_table = {removal["table"]: removal for removal in shown["removals"]}
    assert by_table["lake.parcels"]["files"][0]["goes"] == 1
    assert by_table["exports.additions"]["folders"] == ["exports/adnet/2024-03-31"]
    assert "State: planned." in call("retention", "show", name[:8], home=home).stdout


def test_a_hold_that_covers_everything_is_told(home, lake):
    place_hold(lake, reason="case 7", order_ids=["o"])
    place_hold(lake, reason="case 8", subject_ids=["0" * 32])
    told = plan(home)
    assert "deletes nothing: holds keep everything that is past its term, and leaves 1 that holds keep." in told


def test_nothing_past_its_term_is_told(lake):
    fill(lake, "lake.parcels", ROWS["lake.parcels"][1:])
    assert "deletes nothing: nothing is past its term." in plan(Path(lake.home))


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("apply", "--plan", "zz"), 2, "first 8 hex digits"),
        (("show", "0" * 8), 2, "There is no plan 00000000"),
        (("apply",), 2, "Missing option"),
        (("apply", "--plan", "0" * 8, "--max-share", "2"), 2, "max-share"),
    ],
)
def test_what_cannot_be_is_one_line(home, args, code, message):
    done = call("retention", *args, home=home)
    assert (done.exit_code, done.stderr.count("\n")) == (code, 1)
    assert message in done.stderr


def test_optimize_tells_what_it_did_and_that_there_is_nothing_to_do(home, lake):
    assert "Example: sophilux optimize" in " ".join(call("optimize", "--help").stdout.split())
    for number in range(3):
        lake.record("ledger.exports", [export_row() | {"partner": f"p{number}"}])
    assert "Nothing to do" in call("optimize", "ledger.exports", home=home).stdout
    for number in range(3):
        rows = [export_row() | {"partner": f"q{number}"}]
        batches = pa.Table.from_pylist(rows, lake.contracts["ledger.exports"].arrow_schema()).to_reader()
        commits.swap(lake.stage_batches("ledger.exports", batches), [])
    (done,) = json.loads(call("optimize", "--format", "json", home=home).stdout)
    assert (done["table"], done["partitions"], done["rows"], done["files"]) == ("ledger.exports", 1, 6, "4 -> 1")
    assert call("optimize", "lake.nothing", home=home).exit_code == 2
