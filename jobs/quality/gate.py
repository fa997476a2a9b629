"""The gate before publication: a table's expectations over its staged rows.

``lake.replace(table, rows, gate=gate(lake, table))`` publishes only what passes the critical expectations; the last
good table stays in place otherwise. Keys of failing rows are named only where the contract classifies them as
public; for tables about people there are counts and nothing else.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import GateError
from jobs.lake import Contract, Lake, Staged
from jobs.quality import expectations, page
from jobs.quality.results import BROKEN, FAILED, PASSED, Check, TableResult
from jobs.quality.suites import EXPECTATIONS_FOLDER, Expectation, Suite, list_tables, read_suite

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

SHOWN_KEYS = 20
KEYS_IN_ERROR = 5
PROBLEM_LENGTH = 200
COUNTED = {
    "expect_table_row_count_to_be_between": "rows",
    "expect_column_unique_value_count_to_be_between": "distinct values",
    "unexpected_rows_expectation": "rows that break it",
}
QUERY = "unexpected_rows_query"
NAMED_TABLE = re.compile(r"\{([a-z]+\.\w+)\}")
SAFE_EXCEPTIONS = ("AnalysisException",)


def gate(lake: Lake, table: str, *, folder: Path = EXPECTATIONS_FOLDER) -> "Callable[[DataFrame, Staged], None]":
    """A gate for ``lake.replace``.

    Args:
        lake: holds the table; results go to its ``quality`` folder.
        table: ``zone.name``.
        folder: where the suites lie.

    Returns:
        A function of the staged rows that writes the result page and raises :class:`GateError` when a critical
        expectation failed or could not be checked.

    Raises:
        UsageError: the table has no suite.
        ContractError: the suite has mistakes.
    """
    contract = lake.contracts[table]
    suite = read_suite(contract, folder)

    def check_staged(rows: "DataFrame", staged: Staged) -> None:
        result = run_suite(rows, name_tables(lake, suite), contract, row_count=staged.rows, staged=True)
        location = _report(lake, contract, result, folder)
        if result.blocking:
            raise GateError(describe_block(result, location))

    return check_staged


def check_table(lake: Lake, table: str, *, folder: Path = EXPECTATIONS_FOLDER) -> TableResult:
    """Run the suite over a published table and write its page; nothing is published or taken back.

    Raises:
        UsageError: the table has no suite.
        ContractError: the suite has mistakes.
    """
    contract = lake.contracts[table]
    suite = read_suite(contract, folder)
    rows, count = lake.read(table), lake.count(table)
    result = run_suite(rows, name_tables(lake, suite), contract, row_count=count, staged=False)
    _report(lake, contract, result, folder)
    return result


def run_suite(rows: "DataFrame", suite: Suite, contract: Contract, *, row_count: int, staged: bool) -> TableResult:
    """Run every expectation of a suite.

    Args:
        rows: the table's columns.
        suite: what to expect.
        contract: says which columns may be shown.
        row_count: rows in ``rows``, known from the files.
        staged: whether the rows wait for publication.
    """
    started = time.monotonic()
    results = expectations.count_failures(rows, [_configure(expectation) for expectation in suite.expectations])
    checks = [_read_check(*pair, contract, row_count) for pair in zip(suite.expectations, results, strict=True)]
    named = _add_keys(rows, suite, contract, checks)
    seconds = round(time.monotonic() - started, 3)
    return TableResult(contract.name, row_count, staged, datetime.now(UTC), seconds, tuple(named))


def name_tables(lake: Lake, suite: Suite) -> Suite:
    """The suite with views in place of the tables that its queries name in braces, such as ``{lake.products}``.

    A query sees those tables as they are published; ``{batch}`` are the rows that are checked.

    Raises:
        UsageError: a query names what has no contract.
    """

    def place_view(match: re.Match[str]) -> str:
        view = match[1].replace(".", "__")
        lake.read(match[1]).createOrReplaceTempView(view)
        return view

    named = (
        replace(e, kwargs={**e.kwargs, QUERY: NAMED_TABLE.sub(place_view, e.kwargs[QUERY])}) if QUERY in e.kwargs else e
        for e in suite.expectations
    )
    return replace(suite, expectations=tuple(named))


def describe_block(result: TableResult, location: str) -> str:
    """Why rows are not published: one line, then one per check that blocks."""
    count = len(result.blocking)
    checks = "1 critical check" if count == 1 else f"{count} critical checks"
    headline = (
        f"{result.table}: {checks} did not pass over {result.rows:,} staged rows; "
        f"nothing was published and the last good table stays in place. Report: {location}"
    )
    return "\n".join([headline, *(f"- {_describe_check(check, result.table)}" for check in result.blocking)])


def shows_keys(contract: Contract) -> bool:
    """True where keys of rows may be printed."""
    return bool(contract.public_key) and not contract.has_subject and not contract.is_restricted


def _report(lake: Lake, contract: Contract, result: TableResult, folder: Path) -> str:
    """Write the pages; where that is impossible, say so, because a page must not decide over a publication."""
    try:
        return page.write_pages(lake.home, contract, result, list_tables(folder))
    except OSError as error:
        logger.warning("%s: the quality page could not be written: %s", contract.name, error.strerror or error)
        return "none, it could not be written"


def _describe_check(check: Check, table: str) -> str:
    if check.state == BROKEN:
        reason = f"the check is broken, the data may be fine ({check.problem})"
        return f"{check.title}: {reason}; mend it in expectations/{table}.json"
    line = f"{check.title}: {check.observed}"
    if not check.keys:
        return line
    shown = "; ".join(format_key(key) for key in check.keys[:KEYS_IN_ERROR])
    return f"{line}, such as {shown}"


def format_key(key: Mapping[str, str]) -> str:
    """A row's key as ``column=value, …``."""
    return ", ".join(f"{name}={value}" for name, value in key.items())


def _configure(expectation: Expectation) -> dict[str, Any]:
    return {"type": expectation.type, "kwargs": dict(expectation.kwargs), "severity": expectation.severity}


def _read_check(expectation: Expectation, result: dict[str, Any], contract: Contract, row_count: int) -> Check:
    exception = expectations.read_exception(result)
    details = result.get("result") or {}
    state = BROKEN if exception else PASSED if result["success"] else FAILED
    return Check(
        title=expectation.title,
        why=expectation.why,
        type=expectation.type,
        severity=expectation.severity,
        state=state,
        bad_rows=details.get("unexpected_count"),
        observed=None if exception else _describe_observed(expectation, details, contract, row_count),
        problem=_describe_problem(*exception, contract) if exception else None,
    )


def _describe_observed(
    expectation: Expectation, details: dict[str, Any], contract: Contract, row_count: int
) -> str | None:
    if "element_count" in details:
        return f"{details['unexpected_count'] or 0:,} of {row_count:,} rows fail"
    observed = details.get("observed_value")
    if expectation.type in COUNTED:
        return f"{COUNTED[expectation.type]}: {observed:,}"
    if not shows_keys(contract):
        return "a value that is not shown, because the table is about people"
    return "nothing" if observed is None else str(observed)[:PROBLEM_LENGTH]


def _describe_problem(kind: str, message: str, contract: Contract) -> str:
    may_hold_values = not shows_keys(contract) and kind not in SAFE_EXCEPTIONS
    return kind if may_hold_values else f"{kind}: {message}"[:PROBLEM_LENGTH]


def _add_keys(rows: "DataFrame", suite: Suite, contract: Contract, checks: list[Check]) -> list[Check]:
    failing = [number for number, check in enumerate(checks) if check.state == FAILED and check.bad_rows]
    if not failing or not shows_keys(contract):
        return checks
    wanted = [_configure(suite.expectations[number]) for number in failing]
    keys = expectations.list_failing_keys(rows, wanted, contract.public_key, limit=SHOWN_KEYS)
    found = dict(zip(failing, keys, strict=True))
    return [replace(check, keys=tuple(found.get(number, ()))) for number, check in enumerate(checks)]
