"""Serve requests: what a machine can do at once, and erasure once somebody agreed to it.

A request is ``serving`` while it is at work. One that fails goes back to ``open`` with the event ``failed``, the others
go on, and the error comes at the end; one whose run died stays ``serving`` and is served again by the next run.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from jobs.errors import SophiluxError, UnexpectedError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.history import forget_versions
from jobs.lake.pending import clear_pending, list_pending, mark_pending
from jobs.lake.reports import StepReport
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.rights.calendars import load_calendar
from jobs.privacy.rights.choice_ledger import Choice
from jobs.requests import payloads
from jobs.requests.access.answers import drop_old_answers
from jobs.requests.access.building import build_answer
from jobs.requests.choices import record_choices
from jobs.requests.correcting import correct
from jobs.requests.ended_choices import end_choices
from jobs.requests.erasing import erase_people
from jobs.requests.opening import Opened
from jobs.requests.outcomes import NO_LINK, Outcome
from jobs.requests.texts import ERASED_MEANWHILE, NOTHING_TO_CORRECT, UNKNOWN, WAITS_FOR_ACCOUNT
from jobs.requests.wishes import CHOICES

STEP: Final = "requests.serving"
MOST_NAMED: Final = 20
UNRECORDED: Final = timedelta(hours=1)
"""Age from which a payload without a request is no running command's any more."""
Handler = Callable[[Lake, ledger.Row], Outcome]
Ending = Outcome | SophiluxError


def serve(
    lake: Lake, request_ids: Collection[str], *, now: datetime, by: str, is_asked_for: bool = False
) -> list[ledger.Row]:
    """Serve requests one after the other.

    Args:
        lake: the lake.
        request_ids: which.
        now: the present time, UTC.
        by: who or what serves them.
        is_asked_for: somebody named them, and may see where one stopped; no log has a foreign error's words.

    Returns:
        The requests as they are now.

    Raises:
        UsageError: there is no such request, or one is answered already; nothing was changed.
        SophiluxError: some could not be served; all others are.
    """
    rows = ledger.move(lake, request_ids, ledger.SERVING, now=now, by=by) if request_ids else []
    broken: dict[str, SophiluxError] = {}
    answered: list[str] = []
    for ids, ended in _work(lake, rows):
        if isinstance(ended, SophiluxError):
            broken |= dict.fromkeys(ids, ended)
            failure = {"event": ledger.FAILED, "detail": type(ended).__name__}
            ledger.move(lake, ids, ledger.OPEN, now=now, by=by, **failure)
            continue
        changes = {C.REASON: ended.reason, **ended.changes}
        if ended.is_unlinked:
            mark_pending(lake.home, ledger.REQUESTS)
        ledger.move(lake, ids, ended.state, now=now, by=by, detail=ended.detail, **changes)
        answered += ids if ended.state in ledger.FINAL else []
    if answered:
        payloads.drop_payloads(lake, answered)
    forget_pending(lake)
    if broken:
        raise _sum_up(broken, len(rows)) from (next(iter(broken.values())) if is_asked_for and len(rows) == 1 else None)
    return ledger.find_requests(lake, request_ids)


def forget_pending(lake: Lake) -> None:
    """Remove the former versions of what lost links or payloads, also those that a run which died left behind."""
    left = list_pending(lake.home)
    for table in (ledger.REQUESTS, payloads.PAYLOADS):
        if table in left:
            forget_versions(lake, table)
            clear_pending(lake.home, table)


def _work(lake: Lake, rows: Sequence[ledger.Row]) -> Iterator[tuple[list[str], Ending]]:
    """Requests with how they end: choices together, then one after the other, and erasures last and in one run."""
    others = [row for row in rows if row[C.KIND] != ledger.ERASE]
    linked = [row for row in others if row[C.SUBJECT_ID] is not None]
    gone = [row[C.REQUEST_ID] for row in others if row[C.SUBJECT_ID] is None]
    if gone:
        yield gone, Outcome(ledger.REFUSED, ERASED_MEANWHILE)
    yield from _group(_choose(lake, [row for row in linked if row[C.KIND] in CHOICES]))
    for row in linked:
        if row[C.KIND] in HANDLERS:
            yield [row[C.REQUEST_ID]], _try(lake, row)
    yield from _group(erase_people(lake, [row for row in rows if row[C.KIND] == ledger.ERASE]))


def _group(ended: Mapping[str, Ending]) -> Iterator[tuple[list[str], Ending]]:
    """Requests that end alike together, because each change of the ledger writes it anew."""
    groups: list[tuple[list[str], Ending]] = []
    for request_id, ending in ended.items():
        same = next((ids for ids, other in groups if other == ending), None)
        if same is None:
            groups.append(([request_id], ending))
        else:
            same.append(request_id)
    yield from groups


def _try(lake: Lake, row: ledger.Row) -> Ending:
    """How one request ends; whatever goes wrong with it, the others are still served."""
    try:
        return HANDLERS[row[C.KIND]](lake, row)
    except SophiluxError as error:
        return error
    except Exception as error:  # noqa: BLE001
        command = f"sophilux request serve {row[C.REQUEST_ID]} --debug"
        ended = UnexpectedError(f"stopped by {type(error).__name__}; '{command}' shows where")
        ended.__cause__ = error
        return ended


def serve_choices(lake: Lake, opened: Sequence[Opened], *, now: datetime, by: str) -> None:
    """Serve the opt-outs and opt-ins among new requests, which hold at once."""
    new = [one.request for one in opened if one.is_new and one.request[C.KIND] in CHOICES]
    serve(lake, [row[C.REQUEST_ID] for row in new], now=now, by=by)


def list_servable(lake: Lake) -> list[str]:
    """Requests that can be served without asking anybody: all but erasure that nobody agreed to yet.

    With ``SOPHILUX_ERASE_POLICY=automatic`` nobody has to.
    """
    waiting = [row for row in ledger.read_requests(lake) if row[C.STATE] in (ledger.OPEN, ledger.SERVING)]
    return [row[C.REQUEST_ID] for row in waiting if not _wants_approval(lake, row)]


def list_unapproved(lake: Lake) -> list[str]:
    """Requests to erase that wait for somebody to agree."""
    waiting = [row for row in ledger.read_requests(lake) if row[C.STATE] == ledger.OPEN]
    return [row[C.REQUEST_ID] for row in waiting if _wants_approval(lake, row)]


def _wants_approval(lake: Lake, row: ledger.Row) -> bool:
    is_agreed = lake.settings.erase_policy == "automatic" or row[C.APPROVED_AT] is not None
    return row[C.KIND] == ledger.ERASE and not is_agreed


def run(lake: Lake, days: Days) -> StepReport:  # noqa: ARG001
    """Serve what can be served, finish what runs that died left behind, and end choices; the days do not matter."""
    now = datetime.now(UTC)
    ledger.complete_events(lake, now=now, by=STEP)
    forget_payloads(lake, now)
    drop_old_answers(lake, now)
    end_choices(lake)
    served = serve(lake, list_servable(lake), now=now, by=STEP)
    return StepReport(rows_out=len(served), warnings=_warn_of_calendar(lake))


def forget_payloads(lake: Lake, now: datetime) -> None:
    """Remove what came with requests that are answered, or that were never recorded."""
    waiting = [row[C.REQUEST_ID] for row in ledger.read_requests(lake) if row[C.STATE] not in ledger.FINAL]
    unused = payloads.find_payloads_without_use(lake, waiting, before=now - UNRECORDED)
    if unused:
        payloads.drop_payloads(lake, unused)


def _warn_of_calendar(lake: Lake) -> list[str]:
    """A warning when requests are due in days of which the calendar does not know holidays yet."""
    ends_on = load_calendar(lake.settings.holidays).ends_on
    due = max((row[C.DUE_ON] for row in ledger.read_requests(lake) if row[C.ANSWERED_AT] is None), default=None)
    if ends_on is None or due is None or due <= ends_on:
        return []
    return [f"requests are due until {due}, but the calendar of holidays ends on {ends_on}; add the next ones"]


def _sum_up(broken: Mapping[str, SophiluxError], total: int) -> SophiluxError:
    """One error for all; of the kind of the first, so that it is retried or not as that one would be."""
    named = "; ".join(f"{name}: {error}" for name, error in list(broken.items())[:MOST_NAMED])
    first = next(iter(broken.values()))
    return type(first)(f"{len(broken):,} of {total:,} requests could not be served and are open again: {named}")


def _choose(lake: Lake, rows: Sequence[ledger.Row]) -> dict[str, Ending]:
    """Opt-outs and opt-ins, recorded all at once."""
    choices = [
        Choice(row[C.SUBJECT_ID], row[C.PURPOSE], row[C.KIND] == ledger.OPT_OUT, row[C.RECEIVED_AT]) for row in rows
    ]
    if not rows:
        return {}
    recorded = record_choices(lake, choices)
    ends = dict.fromkeys(recorded.waiting, Outcome(ledger.SERVED, WAITS_FOR_ACCOUNT, NO_LINK))
    ends |= dict.fromkeys(recorded.kept, Outcome(ledger.SERVED))
    erased = Outcome(ledger.SERVED, UNKNOWN, NO_LINK)
    return {row[C.REQUEST_ID]: ends.get(choice, erased) for row, choice in zip(rows, choices, strict=True)}


def _answer(lake: Lake, row: ledger.Row) -> Outcome:
    held = build_answer(lake, row, now=datetime.now(UTC))
    return Outcome(ledger.SERVED, detail=held) if held else Outcome(ledger.SERVED, UNKNOWN, NO_LINK)


def _correct(lake: Lake, row: ledger.Row) -> Outcome:
    return Outcome(ledger.SERVED) if correct(lake, row) else Outcome(ledger.REFUSED, NOTHING_TO_CORRECT, NO_LINK)


HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType({ledger.ACCESS: _answer, ledger.CORRECT: _correct})
