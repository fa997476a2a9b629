"""Legal holds: what must stay for a case, an audit or a law, whatever a term or a person's request says.

A hold names people (by all their pseudonyms), orders, or a period, on request in some tables only. It stands in
``ledger.holds`` until it is released; released ones stay there as proof. No engine is needed.
"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from jobs.errors import UsageError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.privacy.rights.request_ledger import reopen_held
from jobs.privacy.subject_ids import bucket_of

LEDGER: Final = "ledger.holds"
SUBJECT, ORDER, PERIOD = SCOPES = ("subject", "order", "period")


@dataclass(frozen=True)
class Hold:
    """One hold; exactly one of ``subject_ids``, ``order_ids`` and ``days`` is given.

    Attributes:
        tables: tables that are held; empty holds all.
        released_at: none while it is open.
    """

    hold_id: str
    scope: str
    reason: str
    placed_at: datetime
    subject_ids: frozenset[str] = field(default=frozenset(), repr=False)
    order_ids: frozenset[str] = field(default=frozenset(), repr=False)
    days: Days | None = None
    tables: frozenset[str] = frozenset()
    released_at: datetime | None = None

    def covers(self, table: str) -> bool:
        """True where rows of a table are held, if they match."""
        return not self.tables or table in self.tables

    def describe(self) -> str:
        """What people are told: id and reason, nobody's identifier."""
        return f"hold {self.hold_id} ({self.reason})"


def list_holds(lake: Lake) -> list[Hold]:
    """All holds, the released ones too, oldest first."""
    items: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lake.read_records(LEDGER):
        items[row[C.HOLD_ID]].append(row)
    return sorted((_read_hold(rows) for rows in items.values()), key=lambda hold: (hold.placed_at, hold.hold_id))


def open_holds(lake: Lake) -> list[Hold]:
    """Holds that keep something now."""
    return [hold for hold in list_holds(lake) if hold.released_at is None]


def holds_on(
    holds: Iterable[Hold], *, subject_ids: Collection[str] = (), order_ids: Collection[str] = ()
) -> list[Hold]:
    """The holds that name one of a person's pseudonyms or orders; periods name nobody and are left out."""
    subjects, orders = frozenset(subject_ids), frozenset(order_ids)
    return [hold for hold in holds if hold.subject_ids & subjects or hold.order_ids & orders]


def place_hold(
    lake: Lake,
    *,
    reason: str,
    subject_ids: Collection[str] = (),
    order_ids: Collection[str] = (),
    days: Days | None = None,
    tables: Collection[str] = (),
) -> Hold:
    """Keep rows from now on.

    Args:
        lake: the lake.
        reason: law, case or audit, without personal data; people are told it.
        subject_ids: pseudonyms of all addresses of the people.
        order_ids: orders.
        days: a period, both days inside.
        tables: tables to hold; none holds all.

    Raises:
        UsageError: not exactly one of people, orders and period is given, the reason is empty or holds an address, or
            a table is unknown.
    """
    named = {SUBJECT: bool(subject_ids), ORDER: bool(order_ids), PERIOD: days is not None}
    scopes = [scope for scope, is_given in named.items() if is_given]
    _check(lake, scopes, reason, tables)
    hold = Hold(
        secrets.token_hex(4),
        scopes[0],
        reason.strip(),
        datetime.now(UTC),
        frozenset(subject_ids),
        frozenset(order_ids),
        days,
        frozenset(tables),
    )
    lake.record(LEDGER, _write_hold(hold))
    return hold


def release_hold(lake: Lake, hold_id: str) -> Hold:
    """End a hold: what it kept goes with the next plan, and requests to erase that it kept waiting are open again.

    Args:
        lake: the lake.
        hold_id: its id, or the beginning of it where no other hold begins so.

    Raises:
        UsageError: there is no such hold, several begin so, or it is released already.
    """
    hold, now = find_hold(lake, hold_id), datetime.now(UTC)
    if hold.released_at is not None:
        _reopen_requests(lake, hold, now)
        message = f"Hold {hold.hold_id} was released at {hold.released_at:%Y-%m-%d %H:%M} UTC already."
        raise UsageError(message)

    def release(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, C.RELEASED_AT: row[C.RELEASED_AT] or now} for row in rows if row[C.HOLD_ID] == hold.hold_id]

    lake.extend(LEDGER, [hold.scope], release)
    _reopen_requests(lake, hold, now)
    return find_hold(lake, hold.hold_id)


def find_hold(lake: Lake, hold_id: str) -> Hold:
    """The hold of that id, or of that beginning of one.

    Raises:
        UsageError: there is none, or several.
    """
    found = [hold for hold in list_holds(lake) if hold_id and hold.hold_id.startswith(hold_id)]
    if len(found) == 1:
        return found[0]
    problem = "There is no hold" if not found else f"{len(found)} holds begin with"
    message = f"{problem} {hold_id!r}; 'sophilux hold list' shows them."
    raise UsageError(message)


def _reopen_requests(lake: Lake, hold: Hold, now: datetime) -> None:
    """Also after a hold that was released before, because that run may have died here."""
    reopen_held(lake, now=now, by=f"release of hold {hold.hold_id}")


def _check(lake: Lake, scopes: list[str], reason: str, tables: Collection[str]) -> None:
    unknown = sorted(set(tables) - set(lake.contracts))
    problem = None
    if len(scopes) != 1:
        problem = f"A hold names people, orders or a period: exactly one of them, got {' and '.join(scopes) or 'none'}."
    elif not reason.strip() or "@" in reason:
        problem = "A hold needs a reason (law, case or audit) without any address; it is told to the person."
    elif unknown:
        problem = f"There is no table {', '.join(unknown)}; 'sophilux tables' lists them."
    if problem is not None:
        raise UsageError(problem)


def _read_hold(rows: list[dict[str, Any]]) -> Hold:
    first = rows[0]
    period = first[C.FIRST_DAY], first[C.LAST_DAY]
    return Hold(
        first[C.HOLD_ID],
        first[C.SCOPE],
        first[C.REASON],
        first[C.PLACED_AT],
        frozenset(row[C.SUBJECT_ID] for row in rows if row[C.SUBJECT_ID]),
        frozenset(row[C.ORDER_ID] for row in rows if row[C.ORDER_ID]),
        Days(*period) if all(period) else None,
        frozenset(first[C.TABLES].split(",")) if first[C.TABLES] else frozenset(),
        first[C.RELEASED_AT],
    )


def _write_hold(hold: Hold) -> list[dict[str, Any]]:
    common = {
        C.SCOPE: hold.scope,
        C.HOLD_ID: hold.hold_id,
        C.SUBJECT_ID: None,
        C.SUBJECT_BUCKET: None,
        C.ORDER_ID: None,
        C.FIRST_DAY: hold.days and hold.days.first,
        C.LAST_DAY: hold.days and hold.days.last,
        C.TABLES: ",".join(sorted(hold.tables)) or None,
        C.REASON: hold.reason,
        C.PLACED_AT: hold.placed_at,
        C.RELEASED_AT: hold.released_at,
    }
    people = [{C.SUBJECT_ID: one, C.SUBJECT_BUCKET: bucket_of(one)} for one in sorted(hold.subject_ids)]
    orders = [{C.ORDER_ID: one} for one in sorted(hold.order_ids)]
    items: list[dict[str, Any]] = [*people, *orders] or [{}]
    return [{**common, C.ITEM_NO: number, **item} for number, item in enumerate(items, 1)]
