"""Which accounts are one human: those that addresses in common tie together in a circle, or one that nothing ties."""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import Column

HUMAN: Final = "_human"


def human() -> "Column":
    """``_human`` of rows with ``circle_id`` and ``person_id``."""
    return F.coalesce(C.CIRCLE_ID, C.PERSON_ID).alias(HUMAN)
