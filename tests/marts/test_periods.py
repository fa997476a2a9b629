from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.lake import Days
from jobs.marts.periods import (
    DAY,
    KINDS,
    MONTH,
    TRAILING,
    TRAILING_30,
    WEEK,
    YEAR,
    find_ending,
    find_periods,
    list_days,
    period_from,
    period_of,
)


@pytest.mark.parametrize(
    ("day", "week"),
    [
        (date(2011, 11, 9), "2011-W45"),
        (date(2021, 1, 3), "2020-W53"),
        (date(2021, 1, 4), "2021-W01"),
        (date(2024, 12, 30), "2025-W01"),
        (date(2023, 1, 1), "2022-W52"),
    ],
)
def test_a_week_belongs_to_the_year_of_its_thursday(day, week):
    assert period_of(WEEK, day).id == week


def test_names_days_and_months():
    assert period_of(DAY, date(2011, 11, 9)).id == "2011-11-09"
    assert period_of(MONTH, date(2011, 11, 9)).id == "2011-11"


@given(st.sampled_from(KINDS), st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_periods_follow_each_other_without_gap(kind, day):
    period = period_of(kind, day)
    assert day in period.days
    assert period.next.start == (period.start if kind in TRAILING else period.last) + timedelta(1)
    assert period.next.previous == period
    assert period.next.ordinal == period.ordinal + 1


def test_the_period_after_is_rebuilt_too():
    ids = {period.id for period in find_periods([], changed=[date(2020, 12, 31)])}
    assert ids == {"2020-12-31", "2021-01-01", "2020-W53", "2021-W01", "2020-12", "2021-01"}


def test_trailing_days_and_years_are_built_when_their_last_day_is_run():
    run, changed = (
        {p.id for p in find_periods(*days)} for days in (([date(2020, 12, 31)],), ([], [date(2020, 12, 31)]))
    )
    assert run - changed == {"2020-12-31-7d", "2020-12-31-30d", "2020"}


def test_names_trailing_days_by_the_last_of_them():
    period = period_of(TRAILING_30, date(2011, 11, 30))
    assert (period.id, period.days) == ("2011-11-30-30d", Days(date(2011, 11, 1), date(2011, 11, 30)))
    assert period_from(TRAILING_30, period.start) == period


def test_a_period_ends_once():
    days = [date(2011, 1, 1) + timedelta(n) for n in range(365)]
    ended = Counter(period.kind for period in find_ending(days))
    assert ended == {"day": 365, "week": 52, "month": 12, "year": 1, "trailing7": 365, "trailing30": 365}


def test_a_year_needs_no_year_before():
    assert list_days([period_of(YEAR, date(2024, 3, 5))]) == [Days(date(2024, 1, 1), date(2024, 12, 31))]


def test_needed_days_reach_from_the_period_before_to_the_last_of_the_period():
    assert list_days([period_of(MONTH, date(2024, 3, 5))]) == [Days(date(2024, 2, 1), date(2024, 3, 31))]
    apart = [period_of(DAY, date(2024, 3, 5)), period_of(DAY, date(2024, 6, 1))]
    assert list_days(apart) == [Days(date(2024, 3, 4), date(2024, 3, 5)), Days(date(2024, 5, 31), date(2024, 6, 1))]
