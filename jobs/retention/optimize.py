"""Files kept in a shape in which an erasure opens few of them: a useful size, and buckets of their own."""

import logging

from jobs.errors import CommitConflictError
from jobs.lake import Days, Lake
from jobs.lake.optimizing import TARGET_BYTES, Optimized, optimize
from jobs.lake.reports import StepReport
from jobs.retention.tidying import vacuum_table

logger = logging.getLogger(__name__)


def optimize_tables(lake: Lake, tables: list[str], *, target_bytes: int = TARGET_BYTES) -> list[Optimized]:
    """Optimize tables, and remove what no version of the last week needs; a table that others keep changing waits.

    Args:
        lake: the lake.
        tables: names; one that does not exist yet is left out.
        target_bytes: size of a file.
    """
    done: list[Optimized] = []
    problems: dict[str, str] = {}
    for table in tables:
        if not lake.exists(table):
            continue
        try:
            done.append(optimize(lake, table, target_bytes=target_bytes))
        except CommitConflictError as error:
            logger.warning("%s", error)
        vacuum_table(lake, table, problems)
    for table, problem in problems.items():
        logger.warning("%s: files of no use could not be removed (%s); retention tries again.", table, problem)
    return done


def run(lake: Lake, days: Days) -> StepReport:  # noqa: ARG001
    """Optimize every table, whatever the days."""
    done = optimize_tables(lake, list(lake.contracts))
    rows = sum(each.rows for each in done)
    return StepReport(rows_in=rows, rows_out=rows)
