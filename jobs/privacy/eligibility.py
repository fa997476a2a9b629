"""Who may be in an advertising export: one table of rules, and whoever is not known to pass every rule is out.

A rule is about a person, not an address: when one address of a person breaks it, all of the person's addresses are
out. Guests are not in ``lake.subjects`` and so never pass.
"""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ALL_COUNTRIES: Final = "all"

OPTED_OUT: Final = "opted_out"
AGE_UNKNOWN: Final = "age_unknown"
UNDER_18: Final = "under_18"
ACCOUNT_CLOSED: Final = "account_closed"
COUNTRY_NOT_ALLOWED: Final = "country_not_allowed"
REASONS: Final = (OPTED_OUT, AGE_UNKNOWN, UNDER_18, ACCOUNT_CLOSED, COUNTRY_NOT_ALLOWED)


def add_exclusion(subjects: "DataFrame", *, day: date, countries: Collection[str]) -> "DataFrame":
    """Give each subject the first reason that keeps its person out of an ad export.

    Args:
        subjects: one row per subject, in the columns of ``lake.subjects``.
        day: the day of the export; age counts on it.
        countries: upper-case country codes the partner may get, or ``all``. A country that is not known is not allowed.

    Returns:
        The same rows with ``reason``, one of :data:`REASONS`; null means that the subject may be exported.
    """
    rules = _break_rules(day, countries)
    broken = [F.max(F.coalesce(rule, F.lit(True)).cast("int")).alias(f"_{reason}") for reason, rule in rules.items()]
    people = subjects.groupBy(C.PERSON_ID).agg(*broken)
    first = F.coalesce(*(F.when(F.col(f"_{reason}") == 1, F.lit(reason)) for reason in rules))
    verdicts = people.select(C.PERSON_ID, first.alias(C.REASON))
    return subjects.join(verdicts, C.PERSON_ID, how="inner").select(*subjects.columns, C.REASON)


def keep_eligible(judged: "DataFrame") -> "DataFrame":
    """Subjects that no rule keeps out, without ``reason``."""
    return judged.where(F.col(C.REASON).isNull()).drop(C.REASON)


def _break_rules(day: date, countries: Collection[str]) -> "dict[str, Column]":
    """True where a subject breaks the rule; null counts as true."""
    is_known = F.col(C.COUNTRY).isNotNull()
    is_allowed = is_known if ALL_COUNTRIES in countries else F.upper(C.COUNTRY).isin(*sorted(countries))
    return {
        OPTED_OUT: F.col(C.ADS_OPT_OUT),
        AGE_UNKNOWN: F.col(C.ADULT_FROM).isNull(),
        UNDER_18: F.col(C.ADULT_FROM) > F.lit(day),
        ACCOUNT_CLOSED: F.col(C.CLOSED_ON).isNotNull(),
        COUNTRY_NOT_ALLOWED: ~is_allowed,
    }
