"""Files of no use go: of rows that are gone at once, of old versions after a week, of crashes after a day."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jobs.errors import SophiluxError
from jobs.lake import Lake, pending
from jobs.retention import cleanup, shelf

PLAN_FILE_DAYS: Final = 90
COLOURS: Final = re.compile("\x1b\\[[0-9;]*m")


def clean_up(lake: Lake) -> None:
    """Remove files that no table needs any more, and finish what an earlier run could not.

    Raises:
        SophiluxError: some could not be removed; the others are.
    """
    problems: dict[str, str] = {}
    for table in pending.list_pending(lake.home):
        if table in lake.contracts:
            vacuum_table(lake, table, problems, keep=timedelta(0))
        if table not in problems:
            pending.clear_pending(lake.home, table)
    for table in lake.contracts:
        vacuum_table(lake, table, problems)
    cleanup.remove_leftovers(lake.home)
    shelf.remove_old_files(lake, datetime.now(UTC) - timedelta(days=PLAN_FILE_DAYS))
    if problems:
        told = "; ".join(f"{table}: {problem}" for table, problem in sorted(problems.items()))
        message = (
            f"Removed rows are in no table any more, but files they lay in could not be removed ({told}). Make the "
            "folders writable; the next run of retention finishes it."
        )
        raise SophiluxError(message)


def vacuum_table(lake: Lake, table: str, problems: dict[str, str], **options: Any) -> None:  # noqa: ANN401
    """Remove a table's files of no use; a reason why that cannot be goes to ``problems``, under the table's name."""
    try:
        lake.vacuum(table, **options)
    except OSError as error:
        lines = [COLOURS.sub("", line).strip(" ↳") for line in str(error).splitlines()]
        problems[table] = next((line for line in reversed(lines) if line), type(error).__name__)
