"""Opt-outs and opt-ins under the pseudonym of the address they came with; the address itself is not kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.lake import Lake
from jobs.privacy.rights.choice_ledger import Choice, find_returned, keep_waiting, write_choices
from jobs.privacy.tombstones import SUBJECT, list_erased


@dataclass(frozen=True)
class Recorded:
    """What became of choices.

    Attributes:
        kept: they hold.
        waiting: opt-outs of people who were erased, which hold as soon as they have an account again.
    """

    kept: frozenset[Choice]
    waiting: frozenset[Choice]


def record_choices(lake: Lake, choices: Sequence[Choice]) -> Recorded:
    """Record choices; they hold from the next export and the next marts on, for every address of the person.

    The latest choice of an address holds; an earlier one that comes later changes nothing. A choice of somebody unknown
    is kept all the same: it holds as soon as the account is pulled. Of somebody who was erased nothing is used, nor
    kept, but an opt-out from after the erasure waits on the tombstone.
    """
    erased = list_erased(lake, SUBJECT, [(choice.subject_id, choice.asked_at) for choice in choices])
    away = [choice for choice in choices if (choice.subject_id, choice.asked_at) in erased]
    waiting = keep_waiting(lake, away)
    # Whoever came back meanwhile has no tombstone any more on which something could wait.
    returned = find_returned(lake, [choice for choice in away if choice not in waiting])
    kept = [choice for choice in choices if choice not in away] + returned
    write_choices(lake, kept)
    return Recorded(frozenset(kept), frozenset(waiting))
