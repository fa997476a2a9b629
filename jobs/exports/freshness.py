"""Up to which day the tables that a package is made of are whole, by the record of the runs that wrote them.

A package does not wait for ever for a day of clicks: removals must go out. So it says of clicks and purchases only what
is known whole, and up to which day that is.
"""

from datetime import date, timedelta
from typing import Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.reports import STEP_RUNS, is_done

CLICKS: Final = "conform.clicks"
PURCHASES: Final = "conform.order_lines"


def find_whole_day(lake: Lake, step: str, day: date) -> date | None:
    """The last day up to a day that a step has done, and that was over then; runs that failed do not count.

    A day before it that failed is missing from the tables until it is run again; packages do not wait for it, because
    the days after it tell more of what is wanted now.

    Args:
        lake: the lake.
        step: name of the step.
        day: the last day that is asked for.

    Returns:
        The day; none where the step has done no day, or only days that were not over. Where no run is on record at
        all, as in a lake that was filled by other means, the tables are taken as they stand.
    """
    runs = [row for row in lake.read_records(STEP_RUNS) if row[C.STEP] == step]
    if not runs:
        return day
    done = filter(is_done, runs)
    whole = [(row[C.FIRST_DAY], min(row[C.DAY], day, row[C.FINISHED_AT].date() - timedelta(days=1))) for row in done]
    return max((last for first, last in whole if first <= last), default=None)
