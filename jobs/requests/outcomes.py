"""How a request ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.lake import columns as C

NO_LINK: Final[Mapping[str, Any]] = {C.SUBJECT_ID: None, C.SUBJECT_BUCKET: None, C.PERSON_ID: None}
"""Of a request about somebody of whom nothing is held, nothing leads to the person any more."""


@dataclass(frozen=True)
class Outcome:
    """How a request ends.

    Attributes:
        state: of :data:`jobs.privacy.rights.request_ledger.STATES`.
        reason: what the person is told beside the usual; none where that is enough.
        changes: further columns of its row in the ledger.
        detail: for whoever works on it, without personal data.
    """

    state: str
    reason: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    detail: str | None = None

    @property
    def is_unlinked(self) -> bool:
        """True where the ledger forgets whom it was about."""
        return C.SUBJECT_ID in self.changes
