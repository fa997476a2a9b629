"""Who may be in an advertising export: one table of rules, and whoever is not known to pass every rule is out.

A rule is about a human, not an address: when one address breaks it, all addresses of its account are out, and so are
those of other accounts that addresses in common tie to it. Guests are not in ``lake.subjects`` and so never pass.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.privacy.export_rules import ALL_COUNTRIES, ExportRules
from jobs.privacy.humans import HUMAN, human
from jobs.privacy.minimisation.countries import country_codes

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

OPTED_OUT: Final = "opted_out"
UNDER_18: Final = "under_18"
AGE_UNKNOWN: Final = "age_unknown"
ACCOUNT_CLOSED: Final = "account_closed"
ERASURE_REQUESTED: Final = "erasure_requested"
COUNTRY_NOT_ALLOWED: Final = "country_not_allowed"
CONSENT_OUTDATED: Final = "consent_outdated"
SMALL_SEGMENT: Final = "small_segment"

ERASE: Final = "erase"
WITHOUT_EFFECT: Final = ("served", "refused")
"""States in which an erase request keeps nobody out: after a served one there is nobody left to keep out."""


@dataclass(frozen=True)
class Terms:
    """What the rules are read with: the shop's rules, the day of the export, the countries the partner may get."""

    rules: ExportRules
    day: date
    countries: Collection[str]


@dataclass(frozen=True)
class Rule:
    """One line of the table.

    Attributes:
        reason: what exclusions are counted under.
        keeps_out: who is out, in words.
        is_broken: true where a subject breaks the rule; what is null breaks it too.
    """

    reason: str
    keeps_out: str
    is_broken: "Callable[[Terms], Column]"


RULES: Final = (
    Rule(OPTED_OUT, "opted out of interest-based ads", lambda _: F.col(C.ADS_OPT_OUT)),
    Rule(UNDER_18, "under 18 on the day of the export", lambda terms: _is_minor(terms.day)),
    Rule(AGE_UNKNOWN, "of unknown age, where the region asks for it", lambda terms: _lacks_age(terms.rules)),
    Rule(ACCOUNT_CLOSED, "the holder of a closed account", lambda _: F.col(C.CLOSED_ON).isNotNull()),
    Rule(
        ERASURE_REQUESTED,
        "waiting for erasure: asked for it, neither served nor refused",
        lambda _: F.col("_asks_erasure"),
    ),
    Rule(
        COUNTRY_NOT_ALLOWED,
        "in a country that the partner may not get, or in an unknown one",
        lambda terms: ~_is_allowed(terms.countries),
    ),
    Rule(
        CONSENT_OUTDATED,
        "without consent to the privacy policy in force",
        lambda terms: _lacks_consent(terms.rules),
    ),
)
"""The rules in the order in which they are tried; :data:`SMALL_SEGMENT` counts who is left, and so comes after all."""

REASONS: Final = (*(rule.reason for rule in RULES), SMALL_SEGMENT)


def add_exclusion(
    subjects: "DataFrame",
    requests: "DataFrame",
    segments: "DataFrame",
    *,
    rules: ExportRules,
    day: date,
    countries: Collection[str],
    minimum_segment: int,
) -> "DataFrame":
    """Give each subject the first reason that keeps it out of an ad export.

    Args:
        subjects: one row per subject, in the columns of ``lake.subjects``.
        requests: rows of ``ledger.requests``.
        segments: ``person_id`` and ``segment``, at most one row per person; people without one are a segment too.
        rules: the shop's rules for all partners.
        day: the day of the export; age counts on it.
        countries: upper-case country codes the partner may get, or ``all``. A country that is not known is not allowed.
        minimum_segment: people a country's segment must have after all other rules; a smaller one is out.

    Returns:
        The same rows with ``reason``, one of :data:`REASONS`; null means that the subject may be exported.
    """
    terms = Terms(rules, day, countries)
    known = subjects.withColumn(HUMAN, human())
    asked = _find_erasures(requests, known).join(known, HUMAN, how="right")
    facts = asked.withColumn("_asks_erasure", F.coalesce("_asks_erasure", F.lit(False)))
    broken = {rule.reason: F.coalesce(rule.is_broken(terms), F.lit(True)) for rule in RULES}
    humans = facts.groupBy(HUMAN).agg(*(F.max(is_.cast("int")).alias(f"_{name}") for name, is_ in broken.items()))
    first = F.coalesce(*(F.when(F.col(f"_{reason}") == 1, F.lit(reason)) for reason in broken))
    judged = known.join(humans.select(HUMAN, first.alias(C.REASON)), HUMAN, how="inner")
    return _add_small_segments(judged, segments, minimum_segment).select(*subjects.columns, C.REASON)


def keep_eligible(judged: "DataFrame") -> "DataFrame":
    """Subjects that no rule keeps out, without ``reason``."""
    return judged.where(F.col(C.REASON).isNull()).drop(C.REASON)


def leave_out_small_segments(placed: "DataFrame", *, minimum: int) -> "DataFrame":
    """Judged subjects with segments left out that have too few people among those whom identifiers can tell apart.

    Args:
        placed: subjects with ``person_id``, ``circle_id``, ``country``, ``segment``, ``ad_id`` and ``reason``. Several
            may have one identifier; it is told with the country and segment of the first of them by ``subject_id``.
        minimum: people a country's segment must have, those of one identifier counted once.

    Returns:
        The same rows and columns; those of one identifier are out together, and have the same country and segment.
    """
    first = Window.partitionBy(C.AD_ID).orderBy(C.SUBJECT_ID)
    alike = placed.where(F.col(C.REASON).isNull()).withColumns(
        {
            HUMAN: F.first(human()).over(first),
            C.COUNTRY: F.first(C.COUNTRY).over(first),
            C.SEGMENT: F.first(C.SEGMENT).over(first),
        }
    )
    cell = (C.COUNTRY, C.SEGMENT)
    counted = alike.select(*cell, HUMAN).distinct().groupBy(*cell).agg(F.count(F.lit(1)).alias("_size"))
    too_small = F.when(F.col("_size") < minimum, F.lit(SMALL_SEGMENT))
    weighed = alike.join(counted, list(cell), how="inner").withColumn(C.REASON, too_small)
    out = placed.where(F.col(C.REASON).isNotNull())
    return out.unionByName(weighed.select(*placed.columns))


def _find_erasures(requests: "DataFrame", known: "DataFrame") -> "DataFrame":
    """``_human`` and ``_asks_erasure`` (true) of whoever waits for erasure, one row each."""
    is_erasure = F.coalesce(F.col(C.KIND) == ERASE, F.lit(True))
    is_waiting = ~F.coalesce(F.col(C.STATE).isin(*WITHOUT_EFFECT), F.lit(False))
    waiting = requests.where(is_erasure & is_waiting)
    by_address = waiting.select(C.SUBJECT_ID).join(known, C.SUBJECT_ID, how="inner")
    by_account = waiting.select(C.PERSON_ID).join(known, C.PERSON_ID, how="inner")
    both = by_address.select(HUMAN).unionByName(by_account.select(HUMAN))
    return both.distinct().withColumn("_asks_erasure", F.lit(True))


def _add_small_segments(judged: "DataFrame", segments: "DataFrame", minimum: int) -> "DataFrame":
    """Put out who is left in a country's segment with fewer than ``minimum`` humans."""
    named = segments.select(C.PERSON_ID, F.concat(F.lit("is "), F.col(C.SEGMENT)).alias("_segment"))
    placed = named.join(judged, C.PERSON_ID, how="right").withColumn("_segment", F.coalesce("_segment", F.lit("none")))
    cell = (C.COUNTRY, "_segment")
    members = placed.where(F.col(C.REASON).isNull()).select(*cell, HUMAN).distinct()
    large = members.groupBy(*cell).agg(F.count(F.lit(1)).alias("_size")).where(F.col("_size") >= minimum)
    beside = large.join(placed, list(cell), how="right")
    is_small = F.col("_size").isNull()
    return beside.withColumn(C.REASON, F.coalesce(C.REASON, F.when(is_small, F.lit(SMALL_SEGMENT))))


def _is_minor(day: date) -> "Column":
    """False for unknown ages, which the next rule judges."""
    return F.col(C.ADULT_FROM).isNotNull() & (F.col(C.ADULT_FROM) > F.lit(day))


def _lacks_age(rules: ExportRules) -> "Column":
    """Whoever is in no country that is known to do without an age needs one."""
    is_unknown = F.col(C.ADULT_FROM).isNull()
    if ALL_COUNTRIES in rules.age_required_in:
        return is_unknown
    free = sorted({*country_codes()} - {*rules.age_required_in})
    is_free = F.coalesce(F.upper(C.COUNTRY).isin(*free), F.lit(False))
    return is_unknown & ~is_free


def _is_allowed(countries: Collection[str]) -> "Column":
    if ALL_COUNTRIES in countries:
        return F.col(C.COUNTRY).isNotNull()
    return F.upper(C.COUNTRY).isin(*sorted(countries))


def _lacks_consent(rules: ExportRules) -> "Column":
    if rules.policy_valid_from is None:
        return F.lit(False)
    return F.to_date(C.CONSENTED_AT) < F.lit(rules.policy_valid_from)
