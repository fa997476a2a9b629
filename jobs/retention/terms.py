"""How long a contract keeps rows, in days of the calendar; loads no engine."""

import calendar
from datetime import date, timedelta
from typing import Final

from jobs.lake.contracts import Retention

UNITS: Final = {"d": "days", "m": "months", "y": "years"}
MONTHS: Final = {"m": 1, "y": 12}


def find_cutoff(retention: Retention, day: date) -> date:
    """The first day that is still kept on ``day``: rows counted from an earlier one are past their term.

    Months and years are those of the calendar: with one month, the rows of 15 January go on 16 February.
    """
    if retention.unit == "d":
        return day - timedelta(days=retention.value)
    years, month = divmod(day.year * 12 + day.month - 1 - retention.value * MONTHS[retention.unit], 12)
    if day.day <= calendar.monthrange(years, month + 1)[1]:
        return date(years, month + 1, day.day)
    return date(years, month + 2, 1)


def describe(retention: Retention) -> str:
    """The rule in words, such as ``30 days from pull_day: short-lived copy``."""
    return f"{describe_period(retention)} from {retention.element}: {retention.rule}"


def describe_period(retention: Retention) -> str:
    """The period alone, such as ``30 days``."""
    return f"{retention.value} {UNITS[retention.unit]}"
