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
            person was there.
        reason: what a hold rests on, as the person is told; none where nothing is held.
    """

    request_id: str
    state: str
    reason: str | None = None


@dataclass(frozen=True)
class Erasure:
    """A finished run.

    Attributes:
        run_id: its name in the ledger, by which ``sophilux retention verify`` finds its certificate.
        outcomes: one per request.
        certificate: the signed document.
    """

    run_id: str
    outcomes: tuple[Outcome, ...]
    certificate: Mapping[str, Any] = field(repr=False)
