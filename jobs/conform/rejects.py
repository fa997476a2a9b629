"""Lines that could not be understood, kept in quarantine with their reason."""

from typing import TYPE_CHECKING

from jobs.errors import SophiluxError
from jobs.lake import Days, Lake
from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REJECT_COLUMNS = (C.PULL_DAY, C.SOURCE, C.POSITION, C.REASON, C.RAW)


def publish_rejects(lake: Lake, table: str, rejects: "DataFrame", days: Days) -> int:
    """Replace the quarantine of the pulled days; returns how many lines it holds now."""
    partitions = [str(day) for day in days]
    return lake.replace(table, rejects.select(*REJECT_COLUMNS), partitions=partitions).rows


def check_nothing_lost(step: str, *, lines: int, understood: int, quarantined: int, forgotten: int = 0) -> None:
    """Hold the invariant of every conform step against the counts of what was written.

    Raises:
        SophiluxError: lines in differ from rows understood, lines quarantined, and those of erased people together.
    """
    if lines != understood + quarantined + forgotten:
        message = (
            f"{step}: {lines:,} lines came in, but {understood:,} were understood and {quarantined:,} quarantined; "
            "run the step again, and report it if it stays so."
        )
        raise SophiluxError(message)
