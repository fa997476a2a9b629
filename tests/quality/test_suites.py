"""Suites are held against contracts before they are run."""

import pytest

from jobs.errors import ContractError
from jobs.quality.suites import list_tables, read_suite, read_suites
from tests.quality.conftest import expectation


def test_every_published_table_has_a_suite_that_fits_its_contract(contracts):
    suites = read_suites(contracts)
    assert set(suites) == {table for table in contracts if table.startswith("marts.")}


@pytest.mark.parametrize("table", list_tables())
def test_a_suite_guards_the_key_and_only_warns_of_an_empty_table(contracts, table):
    expectations = read_suite(contracts[table]).expectations
    unique = [set(e.kwargs["column_list"]) for e in expectations if e.type == "expect_compound_columns_to_be_unique"]
    empty = [e.severity for e in expectations if e.type == "expect_table_row_count_to_be_between"]
    # Over tables of everybody the gate's own check costs more than the step; a grouping finds the same repeats.
    queries = [e.kwargs["unexpected_rows_query"] for e in expectations if e.type == "unexpected_rows_expectation"]
    by_key = f"GROUP BY {', '.join(contracts[table].key)} HAVING count(*) > 1"
    assert set(contracts[table].key) in unique or any(query.endswith(by_key) for query in queries)
    assert empty == ["warning"]


@pytest.mark.parametrize("table", list_tables())
def test_tables_about_people_insist_on_pseudonyms(contracts, table):
    patterns = [
        (e.kwargs["regex"], e.severity)
        for e in read_suite(contracts[table]).expectations
        if e.kwargs.get("column") == "subject_id" and "regex" in e.kwargs
    ]
    assert patterns == ([("^[0-9a-f]{32}$", "critical")] if contracts[table].has_subject else [])


def test_all_mistakes_are_told_at_once(contracts, write_suite):
    nameless = expectation("expect_column_values_to_not_be_null", column="rank")
    del nameless["severity"], nameless["description"], nameless["meta"]
    write_suite(
        "marts.also_bought",
        expectation("expect_miracles", column="rank"),
        expectation("expect_compound_columns_to_be_unique", column_list=["product_id", "colour"]),
        nameless,
        expectation("expect_column_values_to_be_between", "urgent", column="rank", minimum=1),
    )
    folder = write_suite("marts.wishes")
    with pytest.raises(ContractError) as caught:
        read_suites(contracts, folder)
    told = str(caught.value)
    assert "expectation 1 (expect_miracles): there is no expectation of the type expect_miracles" in told
    assert "expectation 2 (expect_compound_columns_to_be_unique): marts.also_bought has no column colour" in told
    assert "expectation 3 (expect_column_values_to_not_be_null): severity must be one of" in told
    assert "lacks a description" in told
    assert "lacks meta.why" in told
    assert "got urgent" in told
    assert "minimum: extra fields not permitted" in told
    assert "marts.wishes has no contract" in told


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"expectations": 3}', '{"name": "marts.also_bought", "expectations": [1]}']
)
def test_a_damaged_file_is_told_by_name(contracts, tmp_path, text):
    (tmp_path / "marts.also_bought.json").write_text(text)
    with pytest.raises(ContractError, match=r"marts\.also_bought\.json: "):
        read_suites(contracts, tmp_path)
