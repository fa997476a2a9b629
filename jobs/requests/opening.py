"""Record requests: each one once, with the day it is due, under the pseudonyms of whoever asks.

The same request again is told and not doubled: one of the same kind for the same person that is not answered yet, or an
opt-out or opt-in that holds already. A correction is the same only when it has the same values.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.rights.calendars import Calendar, load_calendar
from jobs.privacy.subject_ids import bucket_of
from jobs.requests import payloads
from jobs.requests.wishes import CHOICES, Wish

SUBJECTS: Final = "lake.subjects"
PERSON: Final = "person"
ID_LETTERS: Final = "bcdfghjkmnpqrstvwxyz"
"""No vowels and so no words, no digits and so nothing that looks like a phone number."""
ID_LENGTH: Final = 10


@dataclass(frozen=True)
class Opened:
    """What became of a wish.

    Attributes:
        request: the request that it is.
        is_new: false where the request was there before.
        is_known: true where an account has the address.
    """

    request: ledger.Row
    is_new: bool
    is_known: bool


def draw_request_id() -> str:
    """A name for a request that says nothing about the person."""
    return "".join(secrets.choice(ID_LETTERS) for _ in range(ID_LENGTH))


def open_requests(lake: Lake, wishes: Sequence[Wish], *, now: datetime, by: str) -> list[Opened]:
    """Record wishes as requests, or find the requests they are already.

    Args:
        lake: the lake.
        wishes: what people ask for.
        now: the present time, UTC.
        by: who records them.

    Returns:
        What became of each, in order.

    Raises:
        UsageError: the calendar of holidays cannot be used; nothing was recorded.
    """
    at, calendar = ledger.read_clock(lake, now), load_calendar(lake.settings.holidays)
    persons = find_persons(lake, {wish.subject_id for wish in wishes})
    drafts = [_draft(wish, persons.get(wish.subject_id), at, calendar) for wish in wishes]
    contents = {
        draft[C.REQUEST_ID]: {payloads.EMAIL: wish.email, payloads.VALUES: dict(wish.values)}
        for draft, wish in zip(drafts, wishes, strict=True)
        if wish.kind not in CHOICES
    }
    found: dict[str, ledger.Row] = {}

    def choose(rows: list[ledger.Row]) -> list[ledger.Row]:
        found.clear()
        found.update(_match(drafts, rows, {**_open_corrections(lake, rows), **contents}))
        return [draft for draft in drafts if found[draft[C.REQUEST_ID]] is draft]

    new = {row[C.REQUEST_ID] for row in choose(ledger.read_requests(lake))}
    subjects = {draft[C.REQUEST_ID]: draft[C.SUBJECT_ID] for draft in drafts}
    payloads.keep_payloads(lake, {name: held for name, held in contents.items() if name in new}, subjects, at)
    ledger.add_requests(lake, choose, by=by)
    repeated = [found[draft[C.REQUEST_ID]] for draft in drafts if found[draft[C.REQUEST_ID]] is not draft]
    ledger.record_events(lake, _describe_repeats(repeated, by), now=at)
    return [
        Opened(found[draft[C.REQUEST_ID]], found[draft[C.REQUEST_ID]] is draft, wish.subject_id in persons)
        for draft, wish in zip(drafts, wishes, strict=True)
    ]


def find_persons(lake: Lake, subject_ids: Iterable[str]) -> dict[str, str]:
    """The account of each address that belongs to one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = sorted(set(subject_ids))
    buckets, values = frozenset(map(bucket_of, wanted)), pa.array(wanted, pa.string())
    found: dict[str, str] = {}
    for rows in scan_rows(lake, SUBJECTS, columns=(C.SUBJECT_ID, C.PERSON_ID), buckets=buckets):
        own = rows.filter(pc.is_in(rows[C.SUBJECT_ID], value_set=values))
        found |= dict(zip(own[C.SUBJECT_ID].to_pylist(), own[C.PERSON_ID].to_pylist(), strict=True))
    return found


def describe_request(
    kind: str, *, subject_id: str, person_id: str | None, at: datetime, calendar: Calendar, source: str = PERSON
) -> ledger.Row:
    """The row of a new request."""
    return {
        C.REQUEST_ID: draw_request_id(),
        C.KIND: kind,
        C.PURPOSE: None,
        C.SOURCE: source,
        C.SUBJECT_ID: subject_id,
        C.SUBJECT_BUCKET: bucket_of(subject_id),
        C.PERSON_ID: person_id,
        C.STATE: ledger.OPEN,
        C.RECEIVED_AT: at,
        C.DUE_ON: calendar.find_due(at.date()),
        C.APPROVED_AT: None,
        C.ANSWERED_AT: None,
        C.CLOSED_AT: None,
        C.REASON: None,
    }


def _draft(wish: Wish, person_id: str | None, at: datetime, calendar: Calendar) -> ledger.Row:
    row = describe_request(wish.kind, subject_id=wish.subject_id, person_id=person_id, at=at, calendar=calendar)
    return {**row, C.PURPOSE: wish.purpose}


def _open_corrections(lake: Lake, rows: Iterable[ledger.Row]) -> dict[str, payloads.Payload]:
    ids = [row[C.REQUEST_ID] for row in rows if row[C.KIND] == ledger.CORRECT and row[C.STATE] not in ledger.FINAL]
    return payloads.open_payloads(lake, ids)


class _Known:
    """Requests by the pseudonyms that they are for."""

    def __init__(self, rows: Iterable[ledger.Row]) -> None:
        self._rows: dict[str, list[ledger.Row]] = {}
        for row in sorted(rows, key=lambda row: (row[C.RECEIVED_AT], row[C.REQUEST_ID])):
            self.add(row)

    def add(self, row: ledger.Row) -> None:
        for pseudonym in {row[C.SUBJECT_ID], row[C.PERSON_ID]} - {None}:
            self._rows.setdefault(pseudonym, []).append(row)

    def of_person(self, draft: ledger.Row) -> list[ledger.Row]:
        """Requests for the same address or account, the latest last."""
        both = [row for name in (C.SUBJECT_ID, C.PERSON_ID) for row in self._rows.get(draft[name], ())]
        return sorted({row[C.REQUEST_ID]: row for row in both}.values(), key=lambda row: row[C.RECEIVED_AT])


def _match(
    drafts: Sequence[ledger.Row], rows: Sequence[ledger.Row], contents: Mapping[str, payloads.Payload]
) -> dict[str, ledger.Row]:
    """The request that each draft is: one there is, an earlier draft, or itself."""
    known = _Known(rows)
    found: dict[str, ledger.Row] = {}
    for draft in drafts:
        same = _find_same(draft, known.of_person(draft), contents)
        found[draft[C.REQUEST_ID]] = same or draft
        if same is None:
            known.add(draft)
    return found


def _find_same(
    draft: ledger.Row, own: Sequence[ledger.Row], contents: Mapping[str, payloads.Payload]
) -> ledger.Row | None:
    if draft[C.KIND] in CHOICES:
        choices = [row for row in own if row[C.KIND] in CHOICES and row[C.PURPOSE] == draft[C.PURPOSE]]
        is_same = bool(choices) and choices[-1][C.KIND] == draft[C.KIND] and choices[-1][C.STATE] != ledger.REFUSED
        return choices[-1] if is_same else None
    waiting = [row for row in own if row[C.KIND] == draft[C.KIND] and row[C.STATE] not in ledger.FINAL]
    asked = _read_content(contents, draft)
    return next((row for row in waiting if _read_content(contents, row) == asked), None)


def _read_content(contents: Mapping[str, payloads.Payload], row: ledger.Row) -> object:
    """New values of a correction; nothing else of what was written makes two requests differ."""
    return contents.get(row[C.REQUEST_ID], {}).get(payloads.VALUES) if row[C.KIND] == ledger.CORRECT else None


def _describe_repeats(requests: Sequence[ledger.Row], by: str) -> list[ledger.Row]:
    once = {row[C.REQUEST_ID]: row for row in requests}
    return [ledger.describe(row, ledger.REPEATED, by=by) for row in once.values()]
