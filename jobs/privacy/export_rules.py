"""What a shop declares about who may be exported, apart from its partners; loads no engine."""

from dataclasses import dataclass
from datetime import date
from typing import Final

ALL_COUNTRIES: Final = "all"


@dataclass(frozen=True)
class ExportRules:
    """Rules that hold for every partner.

    Attributes:
        policy_valid_from: consent given before this day (UTC) is none; without one no consent is asked for.
        age_required_in: countries where an unknown age keeps a person out, or ``all``.
    """

    policy_valid_from: date | None = None
    age_required_in: tuple[str, ...] = (ALL_COUNTRIES,)
