"""``sophilux privacy-budget``: what publications about people have cost, without an engine."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.privacy.budget.ledger import CHARGES, Release, charge
from tests.cli.test_cli import call

NOW = datetime(2024, 2, 1, tzinfo=UTC)


def pay(lake, rho, *, dataset="impressions", first=date(2024, 1, 1), last=date(2024, 1, 7), exact=b"numbers"):
    release = Release(dataset, "marts.ad_effectiveness", f"week of {first}", first, last, rho, 1e-6, exact)
    charge(lake, release, holds=lambda _: False, at=NOW)


@pytest.fixture
def home(lake):
    """A lake that paid for two weeks, one of them in two months, and for one other release."""
    pay(lake, 0.02)
    pay(lake, 0.03, first=date(2024, 1, 29), last=date(2024, 2, 4))
    pay(lake, 0.1, dataset="purchases", exact=b"others")
    return Path(lake.home)


def budget(home, *args):
    done = call("privacy-budget", *args, "--format", "json", home=home)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_help_has_an_example():
    done = call("privacy-budget", "--help")
    assert done.exit_code == 0
    assert "Example: sophilux privacy-budget" in " ".join(done.stdout.split())


def test_each_data_set_and_period_has_its_account(home):
    rows = {(row["dataset"], row["period"]): row for row in budget(home)}
    january = rows["impressions", "2024-01"]
    assert (january["releases"], january["spent"], january["allowed"], january["remaining"]) == (2, 0.05, 0.1, 0.05)
    assert rows["impressions", "2024-02"]["spent"] == 0.03
    assert rows["purchases", "2024-01"]["remaining"] == 0.5
    assert rows["impressions", "2024-02"]["epsilon"] < january["epsilon"] < rows["purchases", "2024-01"]["epsilon"]


def test_the_table_for_people_says_the_same(home):
    done = call("privacy-budget", home=home)
    assert done.exit_code == 0
    assert "impressions" in done.stdout
    assert "0.05" in done.stdout


def test_a_lake_that_released_nothing_has_spent_nothing(lake):
    Path(lake.home).mkdir(parents=True, exist_ok=True)
    assert budget(lake.home) == []


def test_a_data_set_that_is_not_allowed_any_more_is_still_accounted_for(home, tmp_path, monkeypatch):
    (tmp_path / "budgets.yaml").write_text("delta: 1.0e-6\ndatasets:\n  purchases: {period: month, rho: 0.05}\n")
    monkeypatch.setenv("SOPHILUX_BUDGETS_FILE", str(tmp_path / "budgets.yaml"))
    rows = {(row["dataset"], row["period"]): row for row in budget(home)}
    assert (rows["impressions", "2024-01"]["allowed"], rows["impressions", "2024-01"]["remaining"]) == (None, None)
    assert (rows["purchases", "2024-01"]["spent"], rows["purchases", "2024-01"]["remaining"]) == (0.1, 0.0)


def test_a_ledger_edited_by_hand_is_one_line_and_exit_code_1(home, lake):
    rows = [{**row, "rho": 0.0} for row in lake.read_records(CHARGES)]
    batches = pa.Table.from_pylist(rows, lake.contracts[CHARGES].arrow_schema()).to_reader()
    lake.replace_batches(CHARGES, batches, partitions=sorted({row["period"] for row in rows}))
    done = call("privacy-budget", home=home)
    assert done.exit_code == 1
    assert "not as it was written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_budgets_file_is_wrong_use(home, tmp_path, monkeypatch):
    (tmp_path / "budgets.yaml").write_text("delta: 2")
    monkeypatch.setenv("SOPHILUX_BUDGETS_FILE", str(tmp_path / "budgets.yaml"))
    done = call("privacy-budget", home=home)
    assert done.exit_code == 2
    assert "budgets.yaml is not as it must be" in done.stderr


def test_a_missing_home_is_wrong_use(tmp_path):
    done = call("privacy-budget", home=tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "nowhere" in done.stderr
