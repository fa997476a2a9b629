"""What an erasure is asked for, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ERASED: Final = "erased"
PARTLY: Final = "partly"
HELD: Final = "held"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class ErasureRequest:
    """One request; printing it shows its id only.

    Attributes:
        request_id: of the ledger of requests; it stands in the certificate.
        subject_ids: pseudonyms of the addresses the person wrote with.
        addresses: the addresses themselves, where they are still known: of whom no account tells them, they are looked
            for in every spelling as well.
    """

    request_id: str
    subject_ids: frozenset[str] = field(repr=False)
    addresses: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True)
class Outcome:
    """What became of one request.

    Attributes:
        state: ``erased``; ``partly`` or ``held``, where holds keep some or all of it; ``unknown`` where nothing of the
            person was known.
        reason: what the holds rest on, as the person is told; none where nothing is held.
        run_id: the run that served it, whose certificate tells; none where everything is held.
    """

    request_id: str
    state: str
    reason: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Erasure:
    """What became of a batch.

    Attributes:
        outcomes: one per request, in the order they were given.
        certificates: the signed documents of the runs that served them; none where holds keep everything.
    """

    outcomes: tuple[Outcome, ...]
    certificates: tuple[Mapping[str, Any], ...] = field(repr=False)
