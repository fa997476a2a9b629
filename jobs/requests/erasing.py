"""Erase people who asked for it, and tell the ledger what became of each request."""

from collections.abc import Sequence

from jobs.erasure.outcomes import ERASED, HELD, PARTLY, UNKNOWN, ErasureRequest
from jobs.erasure.outcomes import Outcome as Erased
from jobs.erasure.runs import erase, finish_runs
from jobs.errors import SophiluxError, UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.people.finding import find_people
from jobs.people.person import unite
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests import payloads, texts
from jobs.requests.access.answers import drop_answers
from jobs.requests.outcomes import NO_LINK, Outcome


def erase_people(lake: Lake, requests: Sequence[ledger.Row]) -> dict[str, Outcome | SophiluxError]:
    """Erase the people behind requests, all in one run where that is possible.

    A request of which nobody can say for certain whom it is about does not keep the others from being served.

    Args:
        lake: the lake.
        requests: rows of ``ledger.requests``.

    Returns:
        How each request ends, or why it could not be served.
    """
    asked = {row[C.REQUEST_ID] for row in requests}
    try:
        # A run that died may have taken the link from its own requests already.
        finished = finish_runs(lake)
    except SophiluxError as error:
        return dict.fromkeys(asked, error)
    ended = {outcome.request_id: _tell(outcome) for outcome in finished if outcome.request_id in asked}
    return {**ended, **_erase_others(lake, [row for row in requests if row[C.REQUEST_ID] not in ended])}


def _erase_others(lake: Lake, requests: Sequence[ledger.Row]) -> dict[str, Outcome | SophiluxError]:
    linked = [row for row in requests if row[C.SUBJECT_ID] is not None]
    answered: dict[str, Outcome | SophiluxError] = {
        # Erased together with another request of the same person.
        row[C.REQUEST_ID]: Outcome(ledger.SERVED)
        for row in requests
        if row[C.SUBJECT_ID] is None
    }
    if not linked:
        return answered
    try:
        return answered | _erase_at_once(lake, linked)
    except UsageError as error:
        if len(linked) == 1:
            return answered | {linked[0][C.REQUEST_ID]: error}
        for row in linked:
            answered |= _erase_others(lake, ledger.find_requests(lake, [row[C.REQUEST_ID]]))
        return answered
    except SophiluxError as error:
        return answered | dict.fromkeys((row[C.REQUEST_ID] for row in linked), error)


def _erase_at_once(lake: Lake, requests: Sequence[ledger.Row]) -> dict[str, Outcome | SophiluxError]:
    contents = payloads.open_payloads(lake, [row[C.REQUEST_ID] for row in requests])
    addresses = {name: content[payloads.EMAIL] for name, content in contents.items() if content.get(payloads.EMAIL)}
    asked = [
        ErasureRequest(
            row[C.REQUEST_ID],
            frozenset([row[C.SUBJECT_ID]]),
            frozenset([addresses[row[C.REQUEST_ID]]] if row[C.REQUEST_ID] in addresses else ()),
        )
        for row in requests
    ]
    _drop_answers(lake, requests, list(addresses.values()))
    return {outcome.request_id: _tell(outcome) for outcome in erase(lake, asked).outcomes}


def _drop_answers(lake: Lake, requests: Sequence[ledger.Row], addresses: Sequence[str]) -> None:
    """Remove files that were made for these people when they asked for their data."""
    people = find_people(lake, addresses=addresses, subject_ids=[row[C.SUBJECT_ID] for row in requests])
    subjects, persons = unite(people, "subject_ids"), unite(people, "person_ids")
    own = [r for r in ledger.read_requests(lake) if r[C.SUBJECT_ID] in subjects or r[C.PERSON_ID] in persons]
    drop_answers(lake, [row[C.REQUEST_ID] for row in own])


def _tell(outcome: Erased) -> Outcome:
    """What the ledger keeps; the run of the erasure leads to its certificate."""
    detail = f"erasure {outcome.run_id}" if outcome.run_id else None
    if outcome.state == HELD:
        return Outcome(ledger.WAITING, texts.tell_held(outcome.reason or "a legal hold", everything=True))
    if outcome.state == PARTLY:
        reason = texts.tell_held(outcome.reason or "a legal hold", everything=False)
        return Outcome(ledger.PARTLY_SERVED, reason, detail=detail)
    return Outcome(ledger.SERVED, {ERASED: None, UNKNOWN: texts.UNKNOWN}[outcome.state], NO_LINK, detail)
