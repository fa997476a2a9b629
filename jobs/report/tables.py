"""Which tables may go into the report, and what people call them.

The report is copied, sent and opened anywhere, so a table goes in only when everybody may see every column of it.
"""

from dataclasses import dataclass
from typing import Final

from jobs.errors import ContractError
from jobs.lake.contracts import PUBLIC, Contract

MARTS: Final = "marts"
CATALOGUE: Final = "lake.products"


@dataclass(frozen=True)
class Shown:
    """A table in the report; ``slug`` names its files, ``order`` sorts its rows."""

    table: str
    title: str
    slug: str
    order: tuple[str, ...]


BESTSELLERS: Final = Shown(
    "marts.bestsellers", "Best-sellers", "bestsellers", ("period", "period_start", "scope", "scope_value", "rank")
)
ALSO_BOUGHT: Final = Shown("marts.also_bought", "Bought together", "also_bought", ("product_id", "rank"))
ALSO_VIEWED: Final = Shown("marts.also_viewed", "Viewed together", "also_viewed", ("product_id", "rank"))
AD_EFFECTIVENESS: Final = Shown(
    "marts.ad_effectiveness", "Ad effectiveness", "ad_effectiveness", ("week_start", "partner", "campaign")
)
SHOWN: Final = (BESTSELLERS, ALSO_BOUGHT, ALSO_VIEWED, AD_EFFECTIVENESS)


def check_publishable(contract: Contract) -> Contract:
    """The contract of a table that everybody may see.

    Raises:
        ContractError: the table is restricted, about single people, or holds a column that is not public.
    """
    reasons = list(_find_reasons(contract))
    if reasons:
        message = f"{contract.name} does not go into the report: {'; '.join(reasons)}."
        raise ContractError(message)
    return contract


def _find_reasons(contract: Contract) -> list[str]:
    closed = [column.name for column in contract.columns if column.classification != PUBLIC]
    reasons = {
        "it is no published table": contract.zone != MARTS and contract.name != CATALOGUE,
        "it is restricted": contract.is_restricted,
        "its rows belong to people": contract.has_subject,
        f"not public are {', '.join(closed)}": bool(closed),
    }
    return [reason for reason, applies in reasons.items() if applies]
