from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import UsageError
from jobs.privacy.rights.calendars import TERM, Calendar, load_calendar

MONDAY = date(2026, 3, 2)
GOLDEN_WEEK = """
holidays: [2026-09-25..2026-09-27, 2026-10-01..2026-10-07]
working_days: [2026-09-20, 2026-10-10]
"""
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))


def write(tmp_path, text):
    file = tmp_path / "calendar.yaml"
    file.write_text(text)
    return file


def test_the_fifteenth_working_day_is_three_weeks_later():
    assert Calendar().find_due(MONDAY) == date(2026, 3, 23)
    assert Calendar().find_due(date(2026, 3, 6)) == date(2026, 3, 27)


@pytest.mark.parametrize("received", [date(2026, 3, 7), date(2026, 3, 8)])
def test_what_comes_in_on_a_weekend_is_due_as_if_it_came_on_friday(received):
    assert Calendar().find_due(received) == Calendar().find_due(date(2026, 3, 6))


def test_holidays_do_not_count_and_worked_weekends_do(tmp_path):
    calendar = load_calendar(write(tmp_path, GOLDEN_WEEK))
    # 20 (a worked Sunday), 21-24, 28-30 September, 8, 9, 10 (a worked Saturday) and 12-15 October.
    assert calendar.find_due(date(2026, 9, 19)) == date(2026, 10, 15)
    assert Calendar().find_due(date(2026, 9, 19)) == date(2026, 10, 9)
    assert calendar.ends_on == date(2026, 10, 10)


@given(DAYS, st.frozensets(DAYS, max_size=40), st.integers(1, 30))
def test_a_holiday_never_makes_the_term_shorter_and_its_last_day_is_worked(received, holidays, term):
    calendar = Calendar(holidays)
    due = calendar.find_due(received, term)
    assert due >= Calendar().find_due(received, term)
    assert calendar.is_worked(due)
    between = [received + timedelta(days=n) for n in range(1, (due - received).days + 1)]
    assert sum(calendar.is_worked(day) for day in between) == term


@given(DAYS, st.frozensets(DAYS, max_size=40))
def test_the_days_left_are_the_whole_term_on_the_first_day_and_none_on_the_last(received, holidays):
    calendar = Calendar(holidays)
    due = calendar.find_due(received)
    assert calendar.count_left(received, due) == TERM
    assert calendar.count_left(due, due) == 0
    assert calendar.count_left(calendar.find_due(due, 2), due) == -2


def test_without_a_file_weekends_are_all_that_is_known():
    assert load_calendar(None) == Calendar()
    assert Calendar().ends_on is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[2026-10-01]", "it must have holidays and working_days"),
        ("holidays: 2026-10-01", "holidays must be a list of days"),
        ("holidays: [soon, 2026-10-01]\nfree: []", "free is none of holidays, working_days; holidays, entry 1: a day"),
        ("holidays: [2026-10-07..2026-10-01]", "holidays, entry 1: a day looks like"),
        ("holidays: [2026-01-01..2029-01-01]", "holidays, entry 1: a day looks like"),
        ("holidays: [2026-02-30]", "cannot be read as YAML"),
        ("working_days: [2026-03-02]", "working_days are for weekends, which 2026-03-02 is not"),
        ("holidays: [2026-03-07]\nworking_days: [2026-03-07]", "2026-03-07 cannot be a holiday and worked"),
        ("holidays: [", "cannot be read as YAML"),
    ],
)
def test_a_calendar_with_mistakes_is_told_in_one_line(tmp_path, text, told):
    with pytest.raises(UsageError) as error:
        load_calendar(write(tmp_path, text))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_calendar_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.yaml cannot be read"):
        load_calendar(tmp_path / "missing.yaml")
