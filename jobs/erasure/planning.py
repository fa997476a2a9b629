"""Who is behind a batch of requests, and what holds keep of them; changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from jobs.erasure import journal
from jobs.erasure.journal import Run
from jobs.erasure.outcomes import ERASED, HELD, PARTLY, UNKNOWN, ErasureRequest
from jobs.erasure.tables import count_left
from jobs.lake import Lake
from jobs.people.addresses import normalise
from jobs.people.finding import find_asked
from jobs.people.held_rows import Keeper
from jobs.people.holds import SUBJECT, Hold
from jobs.people.person import Person


@dataclass(frozen=True)
class Judged:
    """A person to be erased, and what becomes of them: the state of their requests, and the reason to tell."""

    person: Person
    state: str
    reason: str | None = None


def judge_people(lake: Lake, requests: Sequence[ErasureRequest], keeper: Keeper) -> list[Judged]:
    """Everybody who is asked for, each once, with what runs remember of them that had to leave something.

    Raises:
        UsageError: somebody cannot be told from others with certainty.
    """
    subjects = sorted({subject for request in requests for subject in request.subject_ids})
    addresses = sorted({address for request in requests for address in request.addresses})
    held = journal.list_held(lake)
    people = find_asked(lake, subject_ids=subjects, addresses=addresses)
    return [_judge(lake, _recall(person, held), keeper) for person in people]


def list_spared(run: Run) -> tuple[Person, ...]:
    """People of a run of whom holds keep something; a request may be about others besides, who are gone.

    Runs of before that was written down keep everybody, if a hold keeps anything.
    """
    everybody = range(len(run.people)) if run.results.get("spared") else ()
    return tuple(run.people[place] for place in run.results.get("held_people", everybody))


def match_requests(
    requests: Sequence[ErasureRequest], people: Sequence[Person]
) -> list[tuple[ErasureRequest, tuple[int, ...]]]:
    """Each request with the places of its people."""
    return [
        (request, tuple(place for place, person in enumerate(people) if _is_about(request, person)))
        for request in requests
    ]


def _recall(person: Person, held: Sequence[Person]) -> Person:
    return reduce(or_, (each for each in held if each.subject_ids & person.subject_ids), person)


def _is_about(request: ErasureRequest, person: Person) -> bool:
    return bool(person.subject_ids & request.subject_ids) or any(
        normalise(address) in person.addresses for address in request.addresses
    )


def _judge(lake: Lake, person: Person, keeper: Keeper) -> Judged:
    """A hold on a person keeps everything of them; one on orders or a period only what it names."""
    own = [hold for hold in keeper.holds if hold.scope == SUBJECT and hold.subject_ids & person.subject_ids]
    if own:
        return Judged(person, HELD, _name(own))
    others = [hold for hold in keeper.holds if hold.scope != SUBJECT]
    if others and count_left(lake, [person], Keeper(lake, others), ())[1]:
        keeping = [hold for hold in others if count_left(lake, [person], Keeper(lake, [hold]), ())[1]]
        return Judged(person, PARTLY, _name(keeping))
    return Judged(person, ERASED if person.is_known else UNKNOWN)


def _name(holds: Sequence[Hold]) -> str:
    return "; ".join(hold.describe() for hold in holds)
