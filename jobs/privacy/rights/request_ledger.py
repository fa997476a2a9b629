"""The ledger of requests: what people asked for, by pseudonym, in which state it is, and what happened to it when.

A request's row tells its state now, its events tell how it got there. The row is written first: a run that dies between
the two leaves an event missing, which :func:`complete_events` adds. Times never go back: an event is later than every
event before it, whatever the clock says.

| state | meaning | next |
|---|---|---|
| open | nothing done yet | serving, refused |
| serving | at work, or a run died at it | open, served, partly_served, waiting, refused |
| waiting | answered: all of it is under a legal hold | open, refused |
| partly_served | answered: part of it is under a legal hold | open |
| served, refused | answered, nothing left to do | |
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.rights.calendars import load_calendar

REQUESTS: Final = "ledger.requests"
EVENTS: Final = "ledger.request_events"

ACCESS: Final = "access"
ERASE: Final = "erase"
CORRECT: Final = "correct"
OPT_OUT: Final = "opt-out"
OPT_IN: Final = "opt-in"
KINDS: Final = (ACCESS, ERASE, CORRECT, OPT_OUT, OPT_IN)

OPEN: Final = "open"
SERVING: Final = "serving"
WAITING: Final = "waiting"
SERVED: Final = "served"
PARTLY_SERVED: Final = "partly_served"
REFUSED: Final = "refused"
STATES: Final = (OPEN, SERVING, WAITING, SERVED, PARTLY_SERVED, REFUSED)
FINAL: Final = (SERVED, REFUSED)
HELD: Final = (WAITING, PARTLY_SERVED)
MOVES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        OPEN: (SERVING, REFUSED),
        SERVING: (OPEN, SERVING, SERVED, PARTLY_SERVED, WAITING, REFUSED),
        WAITING: (OPEN, REFUSED),
        PARTLY_SERVED: (OPEN,),
        SERVED: (),
        REFUSED: (),
    }
)

RECEIVED: Final = "received"
REPEATED: Final = "repeated"
APPROVED: Final = "approved"
REOPENED: Final = "reopened"
FAILED: Final = "failed"
TICK: Final = timedelta(microseconds=1)

Row = dict[str, Any]


def read_requests(lake: Lake) -> list[Row]:
    """All requests, the earliest first."""
    return sorted(lake.read_records(REQUESTS), key=lambda row: (row[C.RECEIVED_AT], row[C.REQUEST_ID]))


def find_requests(lake: Lake, request_ids: Collection[str]) -> list[Row]:
    """The requests of these ids.

    Raises:
        UsageError: there is no such request; all unknown ids are named.
    """
    return _choose(read_requests(lake), request_ids)


def read_events(lake: Lake, request_id: str) -> list[Row]:
    """What happened to one request, the earliest first."""
    found = [row for row in lake.read_records(EVENTS) if row[C.REQUEST_ID] == request_id]
    return sorted(found, key=lambda row: row[C.AT])


def read_clock(lake: Lake, now: datetime) -> datetime:
    """The present time, but never before the latest event: a clock that was set back does not move the ledger."""
    newest = _newest_day(lake)
    kept = lake.read_records(EVENTS, [newest]) if newest else []
    times: list[datetime] = [row[C.AT] + TICK for row in kept]
    return max([now, *times])


def add_requests(lake: Lake, choose: Callable[[list[Row]], list[Row]], *, by: str) -> list[Row]:
    """Add requests chosen in view of all there are, so that two runs at once do not record one request twice.

    Args:
        lake: the lake.
        choose: gets all requests, returns the new ones; may be called again.
        by: who or what records them.

    Returns:
        The new ones.
    """
    added: list[Row] = []

    def keep(rows: list[Row]) -> list[Row]:
        added[:] = choose(rows)
        return added

    lake.extend(REQUESTS, None, keep)
    if added:
        record_events(lake, [describe(row, RECEIVED, by=by) for row in added], now=added[0][C.RECEIVED_AT])
    return added


def move(
    lake: Lake,
    request_ids: Collection[str],
    state: str,
    *,
    now: datetime,
    by: str,
    event: str | None = None,
    detail: str | None = None,
    **changes: object,
) -> list[Row]:
    """Bring requests into a state.

    Args:
        lake: the lake.
        request_ids: of these requests.
        state: the state.
        now: the present time, UTC.
        by: who or what does it.
        event: what it is called in the events; else like the state.
        detail: about the event, without personal data.
        **changes: further columns of the requests, such as ``reason``.

    Returns:
        The requests as they are now.

    Raises:
        UsageError: there is no such request, or one cannot come into this state from its own; nothing was changed.
    """
    at = read_clock(lake, now)
    times = _find_times(state, at)
    return _change(
        lake,
        request_ids,
        lambda row: {**row, **times, **changes, C.STATE: _check_move(row, state)},
        {C.EVENT: event or state, C.DETAIL: detail, C.BY: by},
        at,
    )


def approve(lake: Lake, request_ids: Collection[str], *, now: datetime, by: str) -> list[Row]:
    """Record that a person agreed that these requests are carried out.

    Raises:
        UsageError: there is no such request, or it is answered for good.
    """
    at = read_clock(lake, now)

    def agree(row: Row) -> Row:
        if row[C.STATE] in FINAL:
            message = f"Request {row[C.REQUEST_ID]} is {row[C.STATE]}; there is nothing left to approve."
            raise UsageError(message)
        return {**row, C.APPROVED_AT: at}

    return _change(lake, request_ids, agree, {C.EVENT: APPROVED, C.DETAIL: None, C.BY: by}, at)


def reopen_held(lake: Lake, *, now: datetime, by: str) -> list[str]:
    """Open erase requests again of which a legal hold kept something back, because a hold was released.

    Their term starts anew; it never ends earlier than before. What another hold still keeps back is found out by the
    next try.

    Returns:
        Their ids.
    """
    held = [row for row in read_requests(lake) if row[C.KIND] == ERASE and row[C.STATE] in HELD]
    if not held:
        return []
    at = read_clock(lake, now)
    due = load_calendar(lake.settings.holidays).find_due(at.date())

    def reopen(row: Row) -> Row:
        later = max(due, row[C.DUE_ON])
        return {**row, C.STATE: _check_move(row, OPEN), C.ANSWERED_AT: None, C.REASON: None, C.DUE_ON: later}

    ids = [row[C.REQUEST_ID] for row in held]
    _change(lake, ids, reopen, {C.EVENT: REOPENED, C.DETAIL: "a legal hold was released", C.BY: by}, at)
    return ids


def record_events(lake: Lake, events: Sequence[Row], *, now: datetime) -> None:
    """Add events, all at one time that is later than every event before.

    Args:
        lake: the lake.
        events: rows of :func:`describe`.
        now: the present time, UTC.
    """
    if not events:
        return
    newest = _newest_day(lake)
    day = max(now.date(), date.fromisoformat(newest)) if newest else now.date()

    def stamp(kept: list[Row]) -> list[Row]:
        at = max([now, *(row[C.AT] + TICK for row in kept)])
        return [{**event, C.DAY: at.date(), C.AT: at} for event in events]

    lake.extend(EVENTS, [str(day), str(day + timedelta(days=1))], stamp)


def complete_events(lake: Lake, *, now: datetime, by: str) -> int:
    """Add the events that runs did not come to write because they died; returns how many."""
    last: dict[str, Row] = {}
    for row in sorted(lake.read_records(EVENTS), key=lambda row: row[C.AT]):
        last[row[C.REQUEST_ID]] = row
    behind = [row for row in read_requests(lake) if last.get(row[C.REQUEST_ID], {}).get(C.STATE) != row[C.STATE]]
    late = "written later: the run that did it died before"
    record_events(lake, [describe(row, row[C.STATE], detail=late, by=by) for row in behind], now=now)
    return len(behind)


def describe(request: Row, event: str, *, by: str, detail: str | None = None) -> Row:
    """An event of a request as it is now, without its time."""
    return {
        C.REQUEST_ID: request[C.REQUEST_ID],
        C.EVENT: event,
        C.STATE: request[C.STATE],
        C.DETAIL: detail,
        C.BY: by,
    }


def _change(
    lake: Lake, request_ids: Collection[str], change: Callable[[Row], Row], event: Row, at: datetime
) -> list[Row]:
    changed: list[Row] = []

    def choose(rows: list[Row]) -> list[Row]:
        changed[:] = [change(row) for row in _choose(rows, request_ids)]
        return changed

    lake.extend(REQUESTS, None, choose)
    record_events(lake, [{C.REQUEST_ID: row[C.REQUEST_ID], C.STATE: row[C.STATE], **event} for row in changed], now=at)
    return changed


def _choose(rows: Iterable[Row], request_ids: Collection[str]) -> list[Row]:
    wanted = set(request_ids)
    found = [row for row in rows if row[C.REQUEST_ID] in wanted]
    unknown = sorted(wanted - {row[C.REQUEST_ID] for row in found})
    if unknown:
        message = f"There is no request {', '.join(unknown)}; 'sophilux request list' lists them."
        raise UsageError(message)
    return found


def _check_move(row: Row, state: str) -> str:
    if state not in MOVES[row[C.STATE]]:
        message = f"Request {row[C.REQUEST_ID]} is {row[C.STATE]}, so it cannot become {state}; nothing was changed."
        raise UsageError(message)
    return state


def _find_times(state: str, at: datetime) -> Row:
    answered = {C.ANSWERED_AT: at} if state in (*FINAL, *HELD) else {}
    return {**answered, C.CLOSED_AT: at} if state in FINAL else answered


def _newest_day(lake: Lake) -> str | None:
    days: Iterable[str] = (file.partition for file in lake.list_files(EVENTS) if file.partition and file.rows)
    return max(days, default=None)
