"""Changed rows of the shop's database into six landing tables, as text.

A window is a range of days of ``updated_at`` in UTC. All tables come from one snapshot of the database and are
published only after the last of them was read. ``row_no`` counts from 1 within each day, ordered by ``updated_at``
and then by all columns, so a day has the same rows whether it was pulled alone or in a range.

Both kinds of database give the same text: booleans are ``true`` and ``false``, times have no zone and are UTC.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from jobs.errors import SourceError
from jobs.lake import Contract, Days, Lake, Staged
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.lake.storage import table_lock
from jobs.sources.databases import ConnectionLostError, Database, open_database
from jobs.sources.lines import repair_text
from jobs.sources.progress import Advance, show_rows

TABLES = ("customers", "customer_emails", "products", "orders", "order_lines", "returns")
BOOLEANS = (C.ADS_OPT_OUT, C.PERSONALISATION_OPT_OUT, C.IS_PRIMARY, C.IS_MERCHANDISE, C.IS_TEST)
OPTIONAL = (C.CURRENCY, C.IS_TEST)
"""Columns that a database may do without: amounts are in the reporting currency then, and no order is a test."""
OWN_COLUMNS = (C.PULL_DAY, C.ROW_NO)
UTC_OFFSET = r"([0-9])\+00(:00)?$"
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1


class RowCounter:
    """Days and numbers of rows that come ordered by time, over the batches of one table."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._day = np.datetime64(days.first, "D")
        self._number = 0

    def count(self, updated_at: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Day of each row and its number within the day; a time that is none belongs to the day before it."""
        days = self._read_days(updated_at)
        begins = np.flatnonzero(np.concatenate(([days[0] != self._day], days[1:] != days[:-1])))
        places = np.arange(1, len(days) + 1)
        start_of_run = np.full(len(days), -self._number)
        for begin in begins:
            start_of_run[begin:] = begin
        numbers = places - start_of_run
        self._day, self._number = days[-1], int(numbers[-1])
        return pa.array(days, pa.date32()), pa.array(numbers, pa.int64())

    def _read_days(self, updated_at: Any) -> Any:  # noqa: ANN401
        heads = pc.utf8_slice_codeunits(updated_at, 0, 10)
        times = pc.strptime(heads, format="%Y-%m-%d", unit="s", error_is_null=True)
        known = times.to_numpy(zero_copy_only=False).astype("datetime64[D]")
        inside = (known >= np.datetime64(self._days.first)) & (known <= np.datetime64(self._days.last))
        latest = np.maximum.accumulate(np.where(inside, np.arange(len(known)), -1))
        return np.where(latest >= 0, known[latest], self._day)


def to_landing(rows: pa.RecordBatch, contract: Contract, counter: RowCounter) -> pa.RecordBatch:
    """Rows of text in a landing table's columns; columns the source lacks are null."""
    schema = contract.arrow_schema()
    texts = {name: _plain_text(name, rows.column(name)) for name in rows.schema.names}
    days, numbers = counter.count(texts[C.UPDATED_AT])
    made = {C.PULL_DAY: days, C.ROW_NO: numbers, **texts}
    absent = pa.nulls(rows.num_rows, pa.string())
    return pa.record_batch([made.get(name, absent) for name in schema.names], schema=schema)


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild a range of the six landing tables from the database.

    Raises:
        SourceError: the database cannot be read; the landing tables stay as they were.
    """
    partitions = [str(day) for day in days]
    with ExitStack() as locks:
        for table in TABLES:
            locks.enter_context(table_lock(lake.home, f"landing.{table}", exclusive=False))
        staged, warnings = _stage_tables(lake, days)
        try:
            for rows in staged:
                lake.commit(rows, partitions)
        except BaseException:
            _discard(lake, staged)
            raise
    total = sum(rows.rows for rows in staged)
    return StepReport(rows_in=total, rows_out=total, warnings=warnings)


@retry(
    retry=retry_if_exception_type(ConnectionLostError),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=20),
    reraise=True,
)
def _stage_tables(lake: Lake, days: Days) -> tuple[list[Staged], list[str]]:
    """Stage all tables from one snapshot, or none of them."""
    staged: list[Staged] = []
    warnings: list[str] = []
    try:
        with open_database(lake.settings.purchases) as database, show_rows("purchases") as advance:
            if database is None:
                warnings.append("there is no database file; the range is empty")
            present = database.tables() if database else set()
            for table in TABLES:
                contract = lake.contracts[f"landing.{table}"]
                batches: Iterator[pa.RecordBatch] = iter(())
                if database and table in present:
                    batches = _read_table(database, contract, table, days, warnings, advance)
                elif database:
                    warnings.append(f"the database has no table {table}; the range is empty")
                reader = pa.RecordBatchReader.from_batches(contract.arrow_schema(), batches)
                staged.append(lake.stage_batches(contract.name, reader))
    except BaseException:
        _discard(lake, staged)
        raise
    return staged, warnings


def _read_table(
    database: Database, contract: Contract, table: str, days: Days, warnings: list[str], advance: Advance
) -> Iterator[pa.RecordBatch]:
    present = database.columns(table)
    wanted = [name for name in contract.column_names if name not in OWN_COLUMNS]
    if C.UPDATED_AT not in present:
        message = f"purchases, {table}: it has no column updated_at, so there is no window to pull."
        raise SourceError(message)
    if absent := [name for name in wanted if name not in (*present, *OPTIONAL)]:
        warnings.append(f"{table} has no {', '.join(absent)}; landed as null")
    if undated := database.count_null(table, C.UPDATED_AT):
        warnings.append(f"{table}: {undated:,} rows without updated_at belong to no day and are never pulled")
    counter = RowCounter(days)
    for rows in database.read_window(table, [name for name in wanted if name in present], C.UPDATED_AT, days):
        if rows.num_rows:
            advance(rows.num_rows)
            yield to_landing(rows, contract, counter)


def _plain_text(name: str, values: Any) -> Any:  # noqa: ANN401
    """One column's text, the same from both kinds of database; SQLite's nulls come as one NUL character."""
    texts, _ = repair_text(values.cast(pa.string(), safe=False) if values.type != pa.string() else values)
    texts = pc.if_else(pc.equal(texts, "\0"), pa.scalar(None, pa.string()), texts)
    if name in BOOLEANS:
        return _replace(texts, {"1": "true", "0": "false"})
    if name.endswith("_at"):
        return pc.replace_substring_regex(texts, UTC_OFFSET, r"\1")
    return texts


def _replace(texts: Any, words: Mapping[str, str]) -> Any:  # noqa: ANN401
    for old, new in words.items():
        texts = pc.if_else(pc.equal(texts, old), new, texts)
    return texts


def _discard(lake: Lake, staged: list[Staged]) -> None:
    """Remove what was staged, except what a table already holds."""
    for rows in staged:
        current = lake.current_files(rows.contract.name)
        if not any(file.path in current for file in rows.files):
            rows.discard()
