"""Closing an account is a request to erase: opened here for every account that was found closed, once.

It is for the person: all their accounts and addresses go with it. It is due as any other, counted from the day on which
the closing was found. An account that was closed again after its request was refused opens a new one.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.rights.calendars import load_calendar
from jobs.requests.opening import describe_request

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CUSTOMERS: Final = "vault.customers"
STEP: Final = "requests.closed_accounts"
CLOSED_ACCOUNT: Final = "closed account"


def find_closed(accounts: "DataFrame", requests: "DataFrame") -> "DataFrame":
    """Closed accounts that nobody asked to erase yet.

    Args:
        accounts: rows of ``vault.customers``.
        requests: rows of ``ledger.requests``.

    Returns:
        ``person_id`` and ``subject_id`` of the account's own address, one row per account.
    """
    closed = accounts.where(F.col(C.CLOSED_AT).isNotNull()).select(C.PERSON_ID, C.SUBJECT_ID, C.CLOSED_AT)
    asked = requests.where((F.col(C.KIND) == ledger.ERASE) & F.col(C.PERSON_ID).isNotNull())
    is_answered = F.col(C.STATE).isin(*ledger.FINAL)
    latest = asked.groupBy(C.PERSON_ID).agg(
        F.max(C.RECEIVED_AT).alias("_asked_at"), F.min(is_answered.cast("int")).alias("_are_answered")
    )
    beside = latest.join(closed, C.PERSON_ID, how="right")
    is_new = F.col("_asked_at").isNull() | ((F.col("_are_answered") == 1) & (F.col("_asked_at") < F.col(C.CLOSED_AT)))
    return beside.where(is_new).select(C.PERSON_ID, C.SUBJECT_ID)


def run(lake: Lake, days: Days) -> StepReport:  # noqa: ARG001
    """Open a request for every closed account without one; the days do not matter."""
    found = find_closed(lake.read(CUSTOMERS), lake.read(ledger.REQUESTS)).toArrow().to_pylist()
    at, calendar = ledger.read_clock(lake, datetime.now(UTC)), load_calendar(lake.settings.holidays)
    drafts = [
        describe_request(
            ledger.ERASE,
            subject_id=account[C.SUBJECT_ID],
            person_id=account[C.PERSON_ID],
            at=at,
            calendar=calendar,
            source=CLOSED_ACCOUNT,
        )
        for account in found
    ]

    def choose(rows: list[ledger.Row]) -> list[ledger.Row]:
        waiting = [row for row in rows if row[C.KIND] == ledger.ERASE and row[C.STATE] not in ledger.FINAL]
        asked = {row[name] for row in waiting for name in (C.PERSON_ID, C.SUBJECT_ID)}
        return [row for row in drafts if row[C.PERSON_ID] not in asked and row[C.SUBJECT_ID] not in asked]

    return StepReport(rows_out=len(ledger.add_requests(lake, choose, by=STEP)))
