"""Opt-outs and opt-ins under the pseudonym of the address they came with; the address itself is not kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.subject_ids import bucket_of
from jobs.privacy.tombstones import SUBJECT, list_erased

CHOICES: Final = "ledger.choices"


@dataclass(frozen=True)
class Choice:
    """What a person chose: ``purpose`` is ``ads`` or ``personalisation``, ``asked_at`` in UTC."""

    subject_id: str
    purpose: str
    is_opt_out: bool
    asked_at: datetime


def record_choices(lake: Lake, choices: Sequence[Choice]) -> list[Choice]:
    """Record choices; they hold from the next export and the next marts on, for every address of the person.

    The latest choice of an address holds; an earlier one that comes later changes nothing. A choice of somebody unknown
    is kept all the same: it holds as soon as the account is pulled. One of somebody who was erased is not, because
    nothing of them is used, nor kept.

    Returns:
        Those of people who were not erased.
    """
    erased = list_erased(lake, SUBJECT, [(choice.subject_id, choice.asked_at) for choice in choices])
    kept = [choice for choice in choices if (choice.subject_id, choice.asked_at) not in erased]

    def choose(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked = {(row[C.SUBJECT_ID], row[C.PURPOSE]): row[C.ASKED_AT] for row in rows}
        newest = {(choice.subject_id, choice.purpose): choice for choice in sorted(kept, key=lambda c: c.asked_at)}
        return [_to_row(choice) for key, choice in newest.items() if key not in asked or choice.asked_at >= asked[key]]

    lake.extend(CHOICES, None, choose)
    return kept


def _to_row(choice: Choice) -> dict[str, Any]:
    return {
        C.SUBJECT_ID: choice.subject_id,
        C.SUBJECT_BUCKET: bucket_of(choice.subject_id),
        C.PURPOSE: choice.purpose,
        C.IS_OPT_OUT: choice.is_opt_out,
        C.ASKED_AT: choice.asked_at,
        C.ENDED_AT: None,
    }
