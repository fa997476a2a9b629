"""The command line: what it answers, and one line with the right exit code when it cannot."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.commands import app

DAY = "2024-01-31"
COMMANDS = ("demo", "sample", "flows", "run", "tables", "show", "sql", "quality", "export", "retention", "acknowledge",
            "partner-key", "partner-verify")  # fmt: skip


def call(*args, home=None):
    chosen = () if home is None else ("--home", str(home))
    return CliRunner().invoke(app, [*map(str, args), *chosen])


@pytest.fixture
def home(lake):
    """A lake with one table of one row, and partners."""
    lake.record("ledger.exports", [export_row()])
    lake.settings.partners.parent.mkdir(parents=True)
    lake.settings.partners.write_text("partners: [{name: adnet, countries: [all]}]")
    return Path(lake.home)


def export_row():
    return {
        "day": date(2024, 1, 31),
        "partner": "adnet",
        "package": "adnet/2024-01-31",
        "epoch": "2024Q1",
        "key_id": "k",
        "kind": "opaque",
        "state": "sent",
        "first_day": date(2024, 1, 2),
        "signing_key_id": "s",
        "policy_version": "none",
        "addition_rows": 1234,
        "removal_rows": 0,
        "app_install_rows": 0,
        "conversion_rows": 0,
        "manifest_sha256": "00",
        "excluded": "{}",
        "exported_at": datetime(2024, 2, 1, tzinfo=UTC),
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    done = call(command, "--help")
    assert done.exit_code == 0
    assert f"Example: sophilux {command}" in " ".join(done.stdout.split())


def test_without_a_command_there_is_help():
    done = call()
    assert done.exit_code == 0
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nothing",), "No such command 'nothing'"),
        (("show", "lake.nothing"), "lake.nothing has no contract"),
        (("show", "vault.customers"), "--restricted"),
        (("show", "exports.additions"), "part of packages"),
        (("show", "lake.orders", "--limit", "0"), "limit"),
        (("quality", "lake.nothing"), "lake.nothing has no contract"),
        (("run", "nothing", "--day", DAY), "no flow or step 'nothing'"),
        (("run", "build_marts", "--day", "31.1.2024"), "a day looks like 2024-01-31"),
        (("run", "build_marts", "--day", "20240131"), "a day looks like 2024-01-31"),
        (("run", "build_marts", "--day", "2024-02-30"), "a day looks like 2024-01-31"),
        (("run", "build_marts", "--day", DAY, "--until", "2024-01-30"), "--until must not be before --day"),
        (("run", "build_marts"), "--day"),
        (("export", "other", "--day", DAY), "there are adnet"),
        (("retention", "plan", "--day", "2999-01-01"), "must not be after today"),
        (("sql", "DROP TABLE lake.orders"), "Only queries"),
        (("sql", "SELECT * FROM vault.customers"), "--restricted"),
        (("sql", "SELECT 1", "--format", "xml"), "xml"),
        (("sample", "other", "--from", "."), "no sample 'other'"),
        (("sample", "taobao", "--from", "/nowhere"), "no folder /nowhere"),
        (("sample", "taobao", "--from", "/"), "not in the folder"),
        (("demo", "--days", "0"), "at least 1 day"),
        (("demo", "--days", "many"), "--days"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(tmp_path, home, args, said):
    chosen = tmp_path / "new" if args[0] == "demo" else home
    done = call(*args, home=None if args == ("nothing",) else chosen)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "args",
    [
        ("tables",),
        ("show", "lake.orders"),
        ("sql", "SELECT 1"),
        ("quality", "marts.bestsellers"),
        ("export", "adnet", "--day", DAY),
        ("retention", "plan"),
        ("retention", "apply", "--plan", "0" * 8),
        ("run", "build_marts", "--day", DAY),
    ],
)
def test_a_missing_home_is_exit_code_2(tmp_path, args):
    done = call(*args, home=tmp_path / "nowhere")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_failure_is_one_line_and_exit_code_1(home, lake):
    lake.settings.keyring.parent.mkdir(mode=0o700)
    lake.settings.keyring.write_text("{}")
    lake.settings.keyring.chmod(0o644)
    done = call("export", "adnet", "--day", DAY, home=home)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "may be read by others" in done.stderr


def test_an_unexpected_error_tells_its_kind_and_no_value(home):
    (home.with_name("shop.sources") / "planted.json").write_text("x")
    (home / "ledger" / "exports" / "_delta_log" / "00000000000000000001.json").write_text(
        '{"add": "jane@shop.example"}'
    )
    done = call("tables", home=home)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "jane" not in done.stderr
    assert "--debug" in done.stderr


def test_debug_shows_the_traceback(home):
    done = call("show", "lake.nothing", "--debug", home=home)
    assert done.exit_code == 2
    assert "Traceback" in done.stderr


def test_flows_names_every_step():
    from jobs.steps import STEPS

    done = call("flows")
    assert done.exit_code == 0
    assert all(step in done.stdout for step in STEPS)


def test_tables_tells_rows_and_terms(home):
    done = call("tables", "--format", "json", home=home)
    rows = {row["table"]: row for row in json.loads(done.stdout)}
    assert rows["ledger.exports"]["rows"] == 1
    assert rows["ledger.exports"]["kept"] == "10 years from day"
    assert rows["vault.customers"]["restricted"] is True
    assert rows["vault.customers"]["version"] is None
    assert not any(table.startswith("exports.") for table in rows)


def test_show_prints_rows(home):
    done = call("show", "ledger.exports", "--format", "json", home=home)
    assert json.loads(done.stdout)[0]["exported_at"] == "2024-02-01T00:00:00+00:00"


def test_sql_prints_as_many_rows_as_asked(home):
    text = "SELECT explode(sequence(1, 5)) AS n, partner FROM ledger.exports ORDER BY n DESC"
    done = call("sql", text, "--limit", 2, "--format", "csv", home=home)
    assert done.stdout == "n,partner\n5,adnet\n4,adnet\n"
    assert "first 2 rows" in done.stderr


def test_export_writes_a_package(home):
    done = call("export", "adnet", "--day", DAY, home=home)
    assert done.exit_code == 0, done.output
    assert (home / "exports" / "adnet" / DAY / "manifest.json").exists()


def run_process(*args):
    command = [sys.executable, "-c", "from jobs.cli.commands import main; main()", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_entry_point_ends_with_the_code():
    done = run_process("tables", "--home", "/nowhere/at/all")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: There is no lake at /nowhere/at/all")


def test_help_loads_no_engine():
    code = "import sys, jobs.cli; print([m for m in ('pyspark', 'pysail', 'deltalake', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
