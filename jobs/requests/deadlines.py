"""Alert before requests are due, naming requests and days and nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from jobs.errors import DeadlineError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.rights.calendars import Calendar, load_calendar

MOST_NAMED: Final = 50


@dataclass(frozen=True)
class Urgent:
    """A request without an answer: ``days_left`` are working days after today, at most -1 once it is overdue."""

    request_id: str
    kind: str
    due_on: date
    days_left: int

    def describe(self) -> str:
        """In words, such as ``bcdfghjkmn (access) due 2026-03-23, 2 working days left``."""
        count = abs(self.days_left)
        days = f"{count} working day{'' if count == 1 else 's'}"
        left = f"{days} overdue" if self.days_left < 0 else f"{days} left" if count else "which is today"
        return f"{self.request_id} ({self.kind}) due {self.due_on}, {left}"


def find_urgent(lake: Lake, today: date, *, within: int) -> list[Urgent]:
    """Requests that have no answer and at most ``within`` working days left, the most urgent first."""
    calendar = load_calendar(lake.settings.holidays)
    waiting = [row for row in ledger.read_requests(lake) if row[C.ANSWERED_AT] is None]
    rated = [
        Urgent(row[C.REQUEST_ID], row[C.KIND], row[C.DUE_ON], _count_left(calendar, today, row[C.DUE_ON]))
        for row in waiting
    ]
    return sorted((one for one in rated if one.days_left <= within), key=lambda one: (one.due_on, one.request_id))


def _count_left(calendar: Calendar, today: date, due: date) -> int:
    left = calendar.count_left(today, due)
    return min(left, -1) if due < today else left


def check_deadlines(lake: Lake, today: date) -> None:
    """Alert when requests are due within the days of the settings.

    Raises:
        DeadlineError: some are; it names them.
    """
    urgent = find_urgent(lake, today, within=lake.settings.request_alert_days)
    if urgent:
        raise DeadlineError(tell_urgent(urgent))


def tell_urgent(urgent: Sequence[Urgent]) -> str:
    """One line for all."""
    named = "; ".join(one.describe() for one in urgent[:MOST_NAMED])
    more = f"; and {len(urgent) - MOST_NAMED:,} more" if len(urgent) > MOST_NAMED else ""
    noun = "request is" if len(urgent) == 1 else "requests are"
    return f"{len(urgent):,} {noun} due soon and not answered: {named}{more}. Serve, approve or refuse them."
