"""Terms count in days of the calendar."""

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.lake.contracts import Retention
from jobs.retention.terms import describe, find_cutoff


def keep(value, unit):
    return Retention(value, unit, "day", "operational", "a reason")


@pytest.mark.parametrize(
    ("value", "unit", "day", "cutoff"),
    [
        (30, "d", date(2024, 6, 30), date(2024, 5, 31)),
        (1, "m", date(2024, 2, 16), date(2024, 1, 16)),
        (1, "m", date(2024, 3, 31), date(2024, 3, 1)),
        (13, "m", date(2024, 1, 15), date(2022, 12, 15)),
        (1, "y", date(2024, 2, 29), date(2023, 3, 1)),
        (3, "y", date(2024, 12, 31), date(2021, 12, 31)),
    ],
)
def test_the_cutoff_is_the_first_day_kept(value, unit, day, cutoff):
    assert find_cutoff(keep(value, unit), day) == cutoff


def add_months(day, months):
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@given(
    day=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    value=st.integers(1, 130),
    unit=st.sampled_from(["d", "m", "y"]),
)
def test_no_row_goes_before_its_term_ended(day, value, unit):
    last_removed = find_cutoff(keep(value, unit), day) - timedelta(days=1)
    ends = {
        "d": last_removed + timedelta(days=value),
        "m": add_months(last_removed, value),
        "y": add_months(last_removed, 12 * value),
    }
    assert ends[unit] < day


@given(day=st.dates(date(1990, 1, 1), date(2100, 1, 1)), unit=st.sampled_from(["d", "m", "y"]))
def test_the_cutoff_never_moves_back(day, unit):
    assert find_cutoff(keep(5, unit), day) <= find_cutoff(keep(5, unit), day + timedelta(days=1))


def test_a_rule_reads_like_a_sentence():
    assert describe(keep(3, "y")) == "3 years from day: a reason"
