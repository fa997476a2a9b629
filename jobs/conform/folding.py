"""Put rows of a pull into the days they belong to, whatever those days hold already.

A pull brings rows of its own day and late ones of days before. For every day that is touched the new content is what
other pulls brought, plus the new rows, one row per key; rows that an earlier run of the same pull had brought and that
no longer come are gone. So a second run leaves the same rows, and a corrected source corrects the lake.

Rows of erased people that the law keeps are severed, and stay although landing has them no more.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.conform.suppression.severed_rows import SeveredRows
from jobs.errors import SophiluxError
from jobs.lake import Days, Lake, storage
from jobs.lake import columns as C
from jobs.lake.scratch import Scratch
from jobs.lake.staging import Staged

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    Finish = Callable[[DataFrame], DataFrame]
    FurtherDays = Callable[[], Collection[date]]


@dataclass(frozen=True)
class FoldResult:
    """What became of the rows of a pull: ``rows`` kept, ``duplicates`` dropped, ``touched`` days rewritten.

    Severed rows are counted as neither.
    """

    rows: int
    duplicates: int
    touched: tuple[date, ...]


def keep_newest(rows: "DataFrame", *, key: tuple[str, ...], newest_by: str) -> "DataFrame":
    """One row per key: the newest, and of equally new ones that of the earliest pull.

    Args:
        rows: with the key columns, ``newest_by`` and ``pull_day``.
        key: columns that name a row.
        newest_by: column whose largest value wins.

    Returns:
        The same columns, one row per key.
    """
    others = sorted(set(rows.columns) - {*key, newest_by, C.PULL_DAY})
    tie_break = F.xxhash64(*others) if others else F.lit(0)
    newest_first = Window.partitionBy(*key).orderBy(F.desc(newest_by), C.PULL_DAY, tie_break)
    return rows.withColumn("_place", F.row_number().over(newest_first)).where("_place = 1").drop("_place")


def fold(lake: Lake, table: str, new_rows: "DataFrame", *, pulled: Days, newest_by: str) -> FoldResult:
    """Fold rows of a pull into a table partitioned by day, the newest row of each key winning.

    Args:
        lake: the lake.
        table: partitioned by ``day``, with ``pull_day``.
        new_rows: in the contract's columns.
        pulled: days of the pull.
        newest_by: column that says which of two rows of one key is newer.
    """
    key = lake.contracts[table].key
    with lake.scratch(new_rows) as scratch:
        return fold_scratch(
            lake,
            table,
            scratch,
            pulled=pulled,
            finish=lambda rows: keep_newest(rows, key=key, newest_by=newest_by),
            also=lambda: list_days_of_keys(lake, table, scratch.frame, pulled=pulled),
        )


def list_days_of_keys(lake: Lake, table: str, new_rows: "DataFrame", *, pulled: Days) -> tuple[date, ...]:
    """Days in which other pulls put rows of the same keys, such as the day an order was moved away from."""
    key = list(lake.contracts[table].key)
    of_others = lake.read(table).where(~F.col(C.PULL_DAY).between(pulled.first, pulled.last))
    held = of_others.join(new_rows.select(*key).distinct(), on=key, how="left_semi")
    return tuple(row[C.DAY] for row in held.select(C.DAY).distinct().collect())


def fold_scratch(
    lake: Lake, table: str, new_rows: Scratch, *, pulled: Days, finish: "Finish", also: "FurtherDays | None" = None
) -> FoldResult:
    """Fold materialised rows into a table; ``finish`` gets old and new rows of the touched days together.

    Folds of one table wait for each other, so that none reads what another is about to move.

    Args:
        lake: the lake.
        table: partitioned by ``day``, with ``pull_day``.
        new_rows: in the contract's columns.
        pulled: days of the pull.
        finish: drops duplicates and derives what depends on a whole day.
        also: lists further days to rewrite; asked when no other fold of the table is at work.

    Raises:
        CommitConflictError: another run changed the touched days meanwhile.
        SophiluxError: the result lacks a row for a key of the new rows; nothing was published.
    """
    with storage.table_lock(lake.home, f"{table}.fold", exclusive=True):
        further = also() if also is not None else ()
        return _fold_alone(lake, table, new_rows, pulled, finish, further)


def _fold_alone(
    lake: Lake, table: str, new_rows: Scratch, pulled: Days, finish: "Finish", further: Collection[date]
) -> FoldResult:
    touched = tuple(sorted({*_touched_days(lake, table, new_rows, pulled), *further}))
    if not touched:
        return FoldResult(0, 0, ())
    partitions = [str(day) for day in touched]
    base = lake.current_files(table, partitions)
    names = lake.contracts[table].column_names
    both = new_rows.frame.select(*names)
    from_pull = F.col(C.PULL_DAY).between(pulled.first, pulled.last)
    severed, taken_over = SeveredRows.of(lake, table), 0
    if base:
        old = lake.read(table, days=Days(touched[0], touched[-1])).where(F.col(C.DAY).isin(*touched))
        taken_over = severed.count_taken_over(old.where(from_pull & ~severed.is_severed), both)
        both = severed.keep(old.where(~from_pull), old.where(from_pull), both)

    def gate(rows: "DataFrame", staged: Staged) -> None:
        _check_keys_kept(staged, rows, new_rows.frame, is_all_new=not base)

    finished = both.transform(finish).select(*names)
    staged = lake.replace(table, finished, partitions=partitions, gate=gate, base=base)
    is_counted = from_pull & ~severed.is_severed
    rows = lake.staged_frame(staged).where(is_counted).count() if base or severed.contract else staged.rows
    rows -= taken_over
    return FoldResult(rows, severed.count_others(new_rows) - rows, touched)


def _check_keys_kept(staged: Staged, rows: "DataFrame", new_rows: "DataFrame", *, is_all_new: bool) -> None:
    """Hold what is about to be published against the new rows: every key has to be there."""
    key = list(staged.contract.key)
    new_keys = new_rows.select(*key).distinct()
    if is_all_new:
        missing = abs(new_keys.count() - staged.rows)
    else:
        missing = new_keys.join(rows.select(*key), on=key, how="left_anti").count()
    if missing:
        message = (
            f"{staged.contract.name}: {missing:,} rows would have been lost or doubled on the way into the table; "
            "nothing was published. Run the step again, and report it if it stays so."
        )
        raise SophiluxError(message)


def _touched_days(lake: Lake, table: str, new_rows: Scratch, pulled: Days) -> tuple[date, ...]:
    """Days that get new rows, and days that hold rows of an earlier run of the same pull."""
    days = new_rows.frame.select(C.DAY).distinct()
    if lake.list_files(table):
        earlier = lake.read(table).where(F.col(C.PULL_DAY).between(pulled.first, pulled.last))
        days = days.unionByName(earlier.select(C.DAY).distinct()).distinct()
    return tuple(row[C.DAY] for row in days.collect())
