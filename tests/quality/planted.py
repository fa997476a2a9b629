"""Rows with a planted defect, and what a suite finds in them."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from jobs.errors import GateError
from jobs.quality import gate
from jobs.quality.gate import name_tables, run_suite
from jobs.quality.results import CRITICAL, FAILED
from jobs.quality.suites import EXPECTATIONS_FOLDER, read_suite


def failures(lake, table, change=None, *, only=None, where="true"):
    """Severities by title of the checks that fail over the table's rows after a change, of all or of one."""
    contract = lake.contracts[table]
    rows = lake.read(table).where(where)
    changed = (change(rows) if change else rows).select(*contract.column_names)
    suite = read_suite(contract)
    chosen = tuple(expectation for expectation in suite.expectations if only in (None, expectation.title))
    suite = name_tables(lake, replace(suite, expectations=chosen))
    result = run_suite(changed, suite, contract, row_count=changed.count(), staged=True)
    assert not [check.title for check in result.checks if check.state not in ("passed", FAILED)]
    return {check.title: check.severity for check in result.checks if check.state == FAILED}


def list_rules(lake, table):
    """Severities by title of all rules of a table."""
    return {rule.title: rule.severity for rule in read_suite(lake.contracts[table]).expectations}


def hold_up(lake, table, change, rule, folder, *, where="true"):
    """Let the table's gate with one rule alone judge changed rows; tells its severity and the state it reported.

    A critical rule must raise, and no other may.
    """
    (entry,) = [
        entry
        for entry in json.loads((EXPECTATIONS_FOLDER / f"{table}.json").read_text())["expectations"]
        if entry["description"] == rule
    ]
    (folder / f"{table}.json").write_text(json.dumps({"name": table, "expectations": [entry]}))
    contract = lake.contracts[table]
    rows = change(lake.read(table).where(where)).select(*contract.column_names)
    check = gate(lake, table, folder=folder)
    staged = SimpleNamespace(rows=rows.count())
    if entry["severity"] == CRITICAL:
        with pytest.raises(GateError) as caught:
            check(rows, staged)
        assert rule in str(caught.value)
        assert "broken" not in str(caught.value)
    else:
        check(rows, staged)
    run = json.loads((Path(lake.home) / "quality" / f"{table}.json").read_text())
    (told,) = run["checks"]
    assert told["state"] == FAILED
    return entry["severity"], run["runs"][0]["state"]


def at_place(condition, **values):
    """Rows with other values where a condition holds; a text that begins with ``=`` is an expression."""

    def change(rows):
        changed = {}
        for name, value in values.items():
            is_expression = str(value).startswith("= ")
            new = F.expr(value[2:]) if is_expression else F.lit(value)
            old = F.when(F.expr(condition), new).otherwise(F.col(name))
            changed[name] = old.cast(rows.schema[name].dataType)
        return rows.withColumns(changed)

    return change


def without(condition):
    """Rows but those of a condition."""
    return lambda rows: rows.where(f"not ({condition})")


def twice(condition):
    """Rows, those of a condition two times."""
    return lambda rows: rows.unionByName(rows.where(condition))


def nothing(rows):
    """No row at all."""
    return rows.where("false")
