"""What a run of a suite found, in words that may be shown to anyone who may read the table's name.

Row values are never kept; the keys of failing rows are kept only where the contract classifies them as public.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

PASSED: Final = "passed"
FAILED: Final = "failed"
BROKEN: Final = "broken"
WARNED: Final = "warnings"
BLOCKED: Final = "blocked"
CRITICAL: Final = "critical"
WARNING: Final = "warning"
INFO: Final = "info"
SEVERITIES: Final = (CRITICAL, WARNING, INFO)


@dataclass(frozen=True)
class Check:
    """Outcome of one expectation.

    Attributes:
        state: ``passed``, ``failed``, or ``broken`` when the check itself raised an error.
        bad_rows: failing rows; none where the expectation is not about single rows.
        observed: what was seen, such as ``3 of 1,000 rows fail``; none for a broken check.
        keys: public keys of some failing rows.
        problem: why a broken check could not run.
    """

    title: str
    why: str
    type: str
    severity: str
    state: str
    bad_rows: int | None = None
    observed: str | None = None
    keys: tuple[Mapping[str, str], ...] = ()
    problem: str | None = None

    @property
    def blocks(self) -> bool:
        """True when rows with this outcome are not published."""
        return self.severity == CRITICAL and self.state != PASSED


@dataclass(frozen=True)
class TableResult:
    """Outcome of a table's suite; ``staged`` is true where the rows were not published yet."""

    table: str
    rows: int
    staged: bool
    checked_at: datetime
    seconds: float
    checks: tuple[Check, ...] = field(repr=False)

    @property
    def blocking(self) -> tuple[Check, ...]:
        """Checks that keep the rows from being published."""
        return tuple(check for check in self.checks if check.blocks)

    @property
    def state(self) -> str:
        """``passed``, ``warnings`` or ``blocked``; a check of severity info changes nothing."""
        if self.blocking:
            return BLOCKED
        is_warned = any(check.severity == WARNING and check.state != PASSED for check in self.checks)
        return WARNED if is_warned else PASSED

    def count(self, state: str, severity: str | None = None) -> int:
        """Checks in a state, of one severity or of all."""
        return sum(check.state == state and severity in (None, check.severity) for check in self.checks)
