"""Age, kept only as precise as leaving minors out needs."""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.declarations import ADULT_MONTH, declare

if TYPE_CHECKING:
    from pyspark.sql import Column

ADULT_MONTHS: Final = 18 * 12 + 1


def adult_from(birth_date: "Column") -> "Column":
    """First day of the month after the 18th birthday, also where the birthday is the first of a month."""
    return declare(ADULT_MONTH, F.add_months(F.trunc(birth_date, "MM"), ADULT_MONTHS))
