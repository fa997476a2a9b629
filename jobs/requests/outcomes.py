"""How a request ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How a request ends.

    Attributes:
        state: of :data:`jobs.privacy.request_ledger.STATES`.
        reason: what the person is told beside the usual; none where that is enough.
        changes: further columns of its row in the ledger.
    """

    state: str
    reason: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
