"""What a step says about its run; the runner keeps it in ``ledger.step_runs``."""

from dataclasses import dataclass, field


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
