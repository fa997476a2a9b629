"""Opt-outs and opt-ins in the ledger, and those that wait for somebody erased to come back.

Nothing of an erased person is kept, and yet whoever opts out while their new account is on its way must be opted out
when it comes. So an opt-out from after the erasure waits as a time on the tombstone of the address, and goes to the
ledger when the tombstone is lifted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy import tombstones
from jobs.privacy.rights.choices import ADS, PERSONALISATION
from jobs.privacy.subject_ids import bucket_of

CHOICES: Final = "ledger.choices"
WAITING: Final = {ADS: C.ADS_OPT_OUT_AT, PERSONALISATION: C.PERSONALISATION_OPT_OUT_AT}
"""Column of a tombstone in which an opt-out waits, by purpose."""


@dataclass(frozen=True)
class Choice:
    """What a person chose: ``purpose`` is ``ads`` or ``personalisation``, ``asked_at`` in UTC."""

    subject_id: str
    purpose: str
    is_opt_out: bool
    asked_at: datetime


def write_choices(lake: Lake, choices: Iterable[Choice]) -> None:
    """Write choices to the ledger; the latest of an address holds, an earlier one that comes later changes nothing."""
    newest = {(c.subject_id, c.purpose): c for c in sorted(choices, key=lambda choice: choice.asked_at)}

    def choose(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked = {(row[C.SUBJECT_ID], row[C.PURPOSE]): row[C.ASKED_AT] for row in rows}
        return [_to_row(choice) for key, choice in newest.items() if key not in asked or choice.asked_at >= asked[key]]

    lake.extend(CHOICES, None, choose)


def find_returned(lake: Lake, choices: Sequence[Choice]) -> list[Choice]:
    """Choices of people who have come back since they were erased: of before their return, opt-outs alone."""
    stones = _find_stones(lake, choices, is_open=False)
    late = _list_late(choices, stones)
    return [choice for choice in late if choice.is_opt_out or choice.asked_at >= stones[choice.subject_id][C.LIFTED_AT]]


def keep_waiting(lake: Lake, choices: Sequence[Choice]) -> list[Choice]:
    """Let choices wait that came after the person was erased; an opt-in takes an earlier opt-out back.

    Args:
        lake: the lake.
        choices: of people who were erased; of those who have come back meanwhile, none is kept here.

    Returns:
        The opt-outs that wait now, or that a later one stands for; not those of somebody who came back meanwhile.
    """
    stones = _find_stones(lake, choices, is_open=True)
    late = _list_late(choices, stones)
    asked = defaultdict[str, list[Choice]](list)
    for choice in late:
        asked[stones[choice.subject_id][C.DIGEST]].append(choice)

    found = dict[date, set[str]]()

    def wait(day: date, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        there = [row for row in rows if _is_open(row) and row[C.DIGEST] in asked]
        found[day] = {row[C.DIGEST] for row in there}
        return [_let_wait(row, asked[row[C.DIGEST]]) for row in there]

    for day in sorted({stones[choice.subject_id][C.DAY] for choice in late}):
        lake.extend(tombstones.TABLE, [str(day)], partial(wait, day))
    held = {digest for digests in found.values() for digest in digests}
    return [choice for choice in late if choice.is_opt_out and stones[choice.subject_id][C.DIGEST] in held]


def welcome_back(lake: Lake, names: tombstones.Returns) -> None:
    """Lift the tombstones of people who came back, and write to the ledger what waited on them.

    Args:
        lake: the lake.
        names: what they are called, by kind, each with the time from which on it is taken in.
    """

    def keep(stones: Sequence[dict[str, Any]]) -> None:
        waiting = {row[C.DIGEST]: row for row in stones if any(row[column] for column in WAITING.values())}
        if not waiting:
            return
        digest = tombstones.tombstone_digest(lake)
        subjects = names.get(tombstones.SUBJECT, ())
        named = {name: waiting.get(digest(f"{tombstones.SUBJECT}:{name}"), {}) for name in subjects}
        asked = [(name, purpose, row.get(column)) for name, row in named.items() for purpose, column in WAITING.items()]
        write_choices(lake, [Choice(name, purpose, True, at) for name, purpose, at in asked if at is not None])

    tombstones.lift_tombstones(lake, names, keep=keep)


def _find_stones(lake: Lake, choices: Sequence[Choice], *, is_open: bool) -> Mapping[str, dict[str, Any]]:
    """The tombstone of each person who was erased and is away, or of each who has come back, by pseudonym."""
    names = {choice.subject_id for choice in choices}
    rows = tombstones.find_tombstones(lake, {tombstones.SUBJECT: names}) if names else []
    if not rows:
        return {}
    latest = {row[C.DIGEST]: row for row in sorted(rows, key=lambda row: (_is_open(row), row[C.ERASED_AT]))}
    digest = tombstones.tombstone_digest(lake)
    named = {name: latest.get(digest(f"{tombstones.SUBJECT}:{name}")) for name in names}
    return {name: row for name, row in named.items() if row is not None and _is_open(row) is is_open}


def _list_late(choices: Sequence[Choice], stones: Mapping[str, dict[str, Any]]) -> list[Choice]:
    """Choices from after the erasure."""
    return [c for c in choices if c.subject_id in stones and stones[c.subject_id][C.ERASED_AT] < c.asked_at]


def _is_open(row: Mapping[str, Any]) -> bool:
    return row[C.KIND] == tombstones.SUBJECT and row[C.LIFTED_AT] is None


def _let_wait(row: dict[str, Any], choices: Iterable[Choice]) -> dict[str, Any]:
    for choice in sorted(choices, key=lambda each: each.asked_at):
        column = WAITING[choice.purpose]
        if row[column] is None or choice.asked_at >= row[column]:
            row = {**row, column: choice.asked_at if choice.is_opt_out else None}
    return row


def _to_row(choice: Choice) -> dict[str, Any]:
    return {
        C.SUBJECT_ID: choice.subject_id,
        C.SUBJECT_BUCKET: bucket_of(choice.subject_id),
        C.PURPOSE: choice.purpose,
        C.IS_OPT_OUT: choice.is_opt_out,
        C.ASKED_AT: choice.asked_at,
        C.ENDED_AT: None,
    }
