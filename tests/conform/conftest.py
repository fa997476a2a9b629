"""Days of these tests lie in the past; landing still has them, unless a test says otherwise."""

from datetime import date

import pytest

from jobs.conform import landing


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Set what day it is; a test may call it with another one."""

    def set_today(day):
        monkeypatch.setattr(landing, "current_day", lambda: day)

    set_today(date(2024, 2, 1))
    return set_today
