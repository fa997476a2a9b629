"""Build the file for a person: find who they are, collect what is held, tell who received it, pack it."""

from datetime import datetime

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.people.finding import find_asked
from jobs.people.person import Person
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests import payloads
from jobs.requests.access.answers import keep_answer
from jobs.requests.access.archive import Answer, pack
from jobs.requests.access.collecting import collect
from jobs.requests.access.recipients import find_recipients


def build_answer(lake: Lake, request: ledger.Row, *, now: datetime) -> str | None:
    """Build the file that answers a request for access; a second time replaces it.

    Args:
        lake: the lake.
        request: a row of ``ledger.requests``.
        now: the present time, UTC.

    Returns:
        What is in it, without personal data; none where nothing is held about the person, and so there is no file.

    Raises:
        UsageError: more than five accounts are tied together, so that a person has to look whose they are.
    """
    person = find_person(lake, request)
    if not person.is_known:
        return None
    holdings = collect(lake, person)
    keep_answer(lake, request[C.REQUEST_ID], pack(Answer(now, holdings, find_recipients(lake, person))))
    accounts, records = len(person.person_ids), sum(len(holding.rows) for holding in holdings)
    tied = "; addresses in common tie them together: make sure that they are one person's" if accounts > 1 else ""
    return f"{accounts} account{'' if accounts == 1 else 's'}, {records:,} records{tied}"


def find_person(lake: Lake, request: ledger.Row) -> Person:
    """Whoever a request is about, with all their addresses and accounts."""
    content = payloads.open_payloads(lake, [request[C.REQUEST_ID]]).get(request[C.REQUEST_ID], {})
    address = content.get(payloads.EMAIL)
    (person,) = find_asked(lake, addresses=[address] if address else (), subject_ids=[request[C.SUBJECT_ID]])
    return person
