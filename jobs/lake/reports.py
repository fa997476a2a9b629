"""What a step says about its run, and how runs end; the runner keeps both in ``ledger.step_runs``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.lake import columns as C

STEP_RUNS: Final = "ledger.step_runs"
DONE: Final = "done"
REFUSED: Final = "refused"
"""A stated rule was broken, such as a gate or a budget; the same run would be refused again."""
FAILED: Final = "failed"


@dataclass
class StepReport:
    """Counts of one run; none where a step has no such count.

    For steps that conform lines, ``rows_in = rows_out + duplicates + quarantined + forgotten``, the last
    being lines about people who were erased.
    """

    rows_in: int | None = None
    rows_out: int | None = None
    duplicates: int | None = None
    quarantined: int | None = None
    warnings: list[str] = field(default_factory=list)
    forgotten: int | None = None


def is_done(run: Mapping[str, Any]) -> bool:
    """True for a row of ``ledger.step_runs`` whose run came to its end; rows of before states were recorded did."""
    return run[C.STATE] in (None, DONE)
