"""The gate keeps bad rows out and says which, without ever naming a person."""

import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from jobs.errors import ContractError, GateError, UsageError
from jobs.quality import check_table, gate
from jobs.quality.expectations import QUERY_TYPE, count_failures
from jobs.quality.suites import list_tables
from tests.quality.conftest import expectation

PAIRS = "marts.also_bought"
OWN = "marts.recently_viewed"
GOOD = [("P1", "P2", 1), ("P1", "P3", 2), ("P2", "P1", 1)]
SUBJECT = "0123456789abcdef0123456789abcdef"
INTRUDER = "Ann@Example.com"


def own_rows(lake, *, subject=SUBJECT, rank=1):
    row = (subject, 7, "P1", rank, datetime(2024, 1, 31, 10, tzinfo=UTC), date(2024, 1, 31))
    return lake.session.createDataFrame([row], lake.contracts[OWN].engine_schema())


def keys(lake, table=PAIRS):
    return sorted((row.product_id, row.other_product_id) for row in lake.read(table).collect())


def test_good_rows_are_published(lake, pair_rows):
    lake.replace(PAIRS, pair_rows(GOOD), gate=gate(lake, PAIRS))
    assert keys(lake) == [("P1", "P2"), ("P1", "P3"), ("P2", "P1")]
    assert check_table(lake, PAIRS).state == "passed"


def test_a_critical_failure_leaves_the_last_good_table_and_names_rows_by_key(lake, pair_rows):
    lake.replace(PAIRS, pair_rows(GOOD), gate=gate(lake, PAIRS))
    with pytest.raises(GateError) as caught:
        lake.replace(PAIRS, pair_rows([("P9", "P9", 1), ("P9", "P2", 2)]), gate=gate(lake, PAIRS))
    message = str(caught.value)
    assert "marts.also_bought: 1 critical check did not pass over 2 staged rows" in message
    assert "no product is paired with itself: 1 of 2 rows fail, such as product_id=P9, other_product_id=P9" in message
    assert "P2" not in message
    assert keys(lake) == [("P1", "P2"), ("P1", "P3"), ("P2", "P1")]


def test_all_critical_failures_are_told_at_once(lake, pair_rows):
    with pytest.raises(GateError) as caught:
        lake.replace(PAIRS, pair_rows([("P1", "P2", 0), ("P1", "P3", 0)], score=1.5), gate=gate(lake, PAIRS))
    told = str(caught.value)
    assert all(rule in told for rule in ("rank is 1 or more", "score is between 0 and 1", "given once"))


def test_a_score_that_is_no_number_is_refused(lake, pair_rows):
    with pytest.raises(GateError, match="score is between 0 and 1"):
        lake.replace(PAIRS, pair_rows(GOOD, score=float("nan")), gate=gate(lake, PAIRS))


def test_a_warning_does_not_block(lake, pair_rows):
    lake.replace(PAIRS, pair_rows(GOOD, orders=1, buyers=2), gate=gate(lake, PAIRS))
    result = check_table(lake, PAIRS)
    assert len(keys(lake)) == 3
    assert result.state == "warnings"
    assert [check.observed for check in result.checks if check.state == "failed"] == ["3 of 3 rows fail"]


def test_a_broken_check_blocks_and_is_not_called_bad_data(lake, pair_rows, write_suite):
    broken = expectation("expect_column_values_to_be_between", column="product_id", min_value=1)
    fine = expectation("expect_column_values_to_not_be_null", column="product_id")
    folder = write_suite(PAIRS, broken, fine)
    with pytest.raises(GateError) as caught:
        lake.replace(PAIRS, pair_rows(GOOD), gate=gate(lake, PAIRS, folder=folder))
    message = str(caught.value)
    assert "1 critical check did not pass" in message
    assert "the check is broken, the data may be fine (MetricResolutionError: " in message
    assert "expectations/marts.also_bought.json" in message
    page = (lake_pages(lake) / f"{PAIRS}.html").read_text()
    assert "The check could not run, so this says nothing about the data" in page


def test_a_broken_warning_does_not_block(lake, pair_rows, write_suite):
    broken = expectation("expect_column_values_to_be_between", "warning", column="product_id", min_value=1)
    folder = write_suite(PAIRS, broken)
    lake.replace(PAIRS, pair_rows(GOOD), gate=gate(lake, PAIRS, folder=folder))
    result = check_table(lake, PAIRS, folder=folder)
    assert [check.state for check in result.checks] == ["broken"]
    assert result.state == "warnings"


@pytest.mark.parametrize("table", list_tables())
def test_an_empty_table_passes_with_a_warning(lake, table):
    lake.replace(table, lake.empty(table), gate=gate(lake, table))
    result = check_table(lake, table)
    assert [check.title for check in result.checks if check.state != "passed"] == ["there are rows"]
    assert result.state == "warnings"


def test_a_table_about_people_is_judged_by_counts_alone(lake):
    with pytest.raises(GateError) as caught:
        lake.replace(OWN, own_rows(lake, subject=INTRUDER, rank=0), gate=gate(lake, OWN))
    pages = "".join(path.read_text() for path in lake_pages(lake).iterdir())
    assert "subject_id is a pseudonym of 32 lowercase hex digits: 1 of 1 rows fail" in str(caught.value)
    for told in (str(caught.value), pages):
        assert INTRUDER not in told
        assert "P1" not in told


def test_an_observed_value_of_a_table_about_people_is_not_shown(lake, write_suite):
    folder = write_suite(OWN, expectation("expect_column_max_to_be_between", column="rank", max_value=5))
    lake.replace(OWN, own_rows(lake, rank=4242))
    (check,) = check_table(lake, OWN, folder=folder).checks
    assert check.state == "failed"
    assert "4242" not in str(check)


def test_checking_a_published_table_neither_publishes_nor_raises(lake, pair_rows):
    lake.replace(PAIRS, pair_rows([("P1", "P1", 1)]))
    before = len(lake.history(PAIRS))
    result = check_table(lake, PAIRS)
    assert (result.state, result.staged, result.rows) == ("blocked", False, 1)
    assert [dict(key) for key in result.blocking[0].keys] == [{"product_id": "P1", "other_product_id": "P1"}]
    assert len(lake.history(PAIRS)) == before


def test_at_most_twenty_keys_are_kept(lake, pair_rows):
    lake.replace(PAIRS, pair_rows([(f"P{number}", f"P{number}", 1) for number in range(50)]))
    (check,) = check_table(lake, PAIRS).blocking
    assert (check.bad_rows, len(check.keys)) == (50, 20)


def test_a_gate_of_another_engine_that_stopped_does_not_disturb(lake, pair_rows, tmp_path, contracts):
    from jobs.engine import Engine
    from jobs.lake import Lake
    from jobs.settings import load_settings

    settings = load_settings(str(tmp_path / "other"))
    with Engine(settings) as other_engine:
        other = Lake(settings, other_engine, contracts)
        other.replace(PAIRS, other.empty(PAIRS), gate=gate(other, PAIRS))
    lake.replace(PAIRS, pair_rows(GOOD), gate=gate(lake, PAIRS))
    assert len(keys(lake)) == 3


def test_a_page_that_cannot_be_written_does_not_stop_a_publication(lake, pair_rows, caplog):
    lake_pages(lake).parent.mkdir(parents=True)
    lake_pages(lake).write_text("a file where the folder should be")
    lake.replace(PAIRS, pair_rows(GOOD), gate=gate(lake, PAIRS))
    assert len(keys(lake)) == 3
    assert "the quality page could not be written" in caplog.text


def test_a_table_without_expectations_is_told_so(lake):
    with pytest.raises(
        UsageError, match=r"lake\.orders has no expectations; tables that have them: .*marts\.also_bought"
    ):
        gate(lake, "lake.orders")


def test_a_suite_with_mistakes_stops_before_any_work(lake, write_suite):
    with pytest.raises(ContractError, match="no column nonsense"):
        gate(lake, PAIRS, folder=write_suite(PAIRS, expectation("expect_column_to_exist", column="nonsense")))


def test_importing_the_gate_loads_neither_engine_nor_great_expectations():
    heavy = "{'great_expectations', 'pyspark', 'pysail', 'deltalake', 'jinja2', 'pandas'}"
    code = f"import sys, jobs.quality; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def lake_pages(lake):
    from pathlib import Path

    return Path(lake.home) / "quality"


def test_a_query_of_the_gate_runs_once(lake, pair_rows, monkeypatch):
    rows, asked = pair_rows(GOOD), []
    original = type(lake.session).sql

    def ask(session, query, *args, **kwargs):
        asked.append(query)
        return original(session, query, *args, **kwargs)

    monkeypatch.setattr(type(lake.session), "sql", ask)
    query = "SELECT product_id FROM {batch} WHERE rank < 0"
    (result,) = count_failures(rows, [{"type": QUERY_TYPE, "kwargs": {"unexpected_rows_query": query}}])
    assert (result["success"], len(asked)) == (True, 1)
