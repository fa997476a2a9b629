"""Partners' reports of whom they showed an ad, to ``lake.impressions``.

Rules:
    * A line needs an identifier, a campaign, and when the ad was shown: not after the day of its file.
    * The identifier must be one that this partner got, under a key that counts on the day of the file, and stand for
      somebody we still know. No identifier is printed or kept but in landing and quarantine, for 30 days.
    * Lines about somebody who was erased are kept nowhere.
    * A campaign's name is short and plain, because it may be published.
    * Two lines of one partner, person, campaign and time are one impression; it was clicked when one of them says so.

What landing no longer tells apart, because a key has been destroyed since, stays in the lake as it is.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.conform.fields import NO, YES, first_broken, read_text, read_time
from jobs.conform.folding import fold
from jobs.conform.landing import check_not_expired
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.conform.suppression.erased_rows import FILE_PLACE, Claim, split_erased
from jobs.errors import SophiluxError
from jobs.exports.partners import PAIR, Partner, load_partners
from jobs.exports.returning import counts_on, find_returning, is_own, list_destroyed, look_up, open_ring
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.privacy import tombstones
from jobs.privacy.declarations import CALENDAR, declare
from jobs.privacy.minimisation.readings import keep_campaign, keep_listed, keep_time
from jobs.privacy.pseudonyms import subject_bucket

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from jobs.privacy.keyring import KeyRing

LANDING: Final = "landing.impressions"
TABLE: Final = "lake.impressions"
QUARANTINE: Final = "quarantine.impressions"
CLICKED: Final = "clicked"
CLAIMS: Final = (Claim(tombstones.SUBJECT, C.SUBJECT_ID, at=C.SHOWN_AT), Claim(tombstones.AD_ID, C.AD_ID))
RECORD_FIELDS: Final = (C.AD_ID, C.CAMPAIGN, C.SHOWN_AT, CLICKED)
_WINDOW, _COUNTS, _IS_OWN = "_attribution_days", "_counts", "_is_own"

NOT_A_RECORD: Final = "not a record with an impression's fields"
UNKNOWN_PARTNER: Final = "there is no such partner, or it gets no packages"
NO_AD_ID: Final = "ad_id is missing"
BAD_CAMPAIGN: Final = "campaign is missing or not 1 to 64 plain letters, digits, spaces, dots, dashes"
BAD_TIME: Final = "shown_at is missing or not a time"
FUTURE: Final = "shown_at is after the day of the file"
BAD_CLICK: Final = "clicked is neither true nor false"
EPOCH_OVER: Final = "the identifier's epoch is over, or has not begun"
FOREIGN: Final = "the identifier is none of this partner's"
NOBODY: Final = "the identifier stands for nobody we know"


def parse_lines(landing: "DataFrame", partners: "DataFrame") -> "DataFrame":
    """Lines with typed fields beside their partner's days of attribution.

    Args:
        landing: ``landing.impressions``.
        partners: ``partner`` and ``_attribution_days`` of those who get packages.

    Returns:
        One row per line: ``pull_day, source, position, partner, ad_id, campaign, shown_at, is_click`` (null where the
        text is no such thing), ``_attribution_days``, ``raw`` and ``reason`` (null where nothing is wrong so far).
    """
    schema = StructType([StructField(name, StringType()) for name in RECORD_FIELDS])
    parsed = landing.withColumn("_record", F.from_json(C.RECORD, schema)).select(
        C.PULL_DAY,
        C.SOURCE,
        F.col(C.LINE_NO).cast("string").alias(C.POSITION),
        C.PARTNER,
        C.RAW,
        C.DEFECT,
        *(F.col(f"_record.{name}").alias(name) for name in RECORD_FIELDS),
    )
    answer = keep_listed(F.coalesce(F.lower(read_text(CLICKED)), F.lit(NO[0])), (*YES, *NO))
    typed = parsed.withColumns(
        {
            "_is_empty": F.coalesce(*RECORD_FIELDS).isNull(),
            C.AD_ID: read_text(C.AD_ID),
            C.CAMPAIGN: keep_campaign(read_text(C.CAMPAIGN)),
            C.SHOWN_AT: keep_time(read_time(C.SHOWN_AT)),
            C.IS_CLICK: answer.isin(*YES),
        }
    ).join(partners, C.PARTNER, how="left")
    reason = F.coalesce(C.DEFECT, first_broken(_list_rules()))
    return typed.withColumn(C.REASON, reason).drop(C.DEFECT, CLICKED, "_is_empty")


def resolve(lines: "DataFrame", people: "DataFrame", *, counts: "Column", own: "Column") -> "DataFrame":
    """Lines with whom their identifier stands for, or else the identifier, and the reason where it stands for nobody.

    Args:
        lines: of :func:`parse_lines`.
        people: ``partner``, ``ad_id`` and ``subject_id``, one row per identifier.
        counts: whether a line's identifier is of a kind that counts on its day.
        own: whether it bears the id of a key of its partner.
    """
    flagged = lines.withColumns({_COUNTS: F.coalesce(counts, F.lit(False)), _IS_OWN: F.coalesce(own, F.lit(False))})
    found = flagged.join(people, [C.PARTNER, C.AD_ID], how="left")
    stands_for_nobody = F.col(C.SUBJECT_ID).isNull()
    broken = {
        EPOCH_OVER: F.col(_IS_OWN) & ~F.col(_COUNTS),
        NOBODY: F.col(_IS_OWN) & stands_for_nobody,
        FOREIGN: stands_for_nobody | ~F.col(_COUNTS),
    }
    reason = F.coalesce(C.REASON, first_broken(broken))
    unresolved = F.when(stands_for_nobody, F.col(C.AD_ID)).alias(C.AD_ID)
    kept = [name for name in found.columns if name not in (_COUNTS, _IS_OWN, C.AD_ID, C.REASON)]
    return found.select(*kept, unresolved, reason.alias(C.REASON))


def select_impressions(resolved: "DataFrame") -> "DataFrame":
    """Understood lines in the columns of ``lake.impressions``, doubled ones too."""
    fingerprint = F.xxhash64(C.PARTNER, C.SUBJECT_ID, C.CAMPAIGN, F.unix_micros(C.SHOWN_AT))
    day = F.to_date(C.SHOWN_AT)
    return resolved.where(F.col(C.REASON).isNull()).select(
        day.alias(C.DAY),
        fingerprint.alias(C.IMPRESSION_ID),
        C.PARTNER,
        C.CAMPAIGN,
        C.SUBJECT_ID,
        subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET),
        C.SHOWN_AT,
        C.IS_CLICK,
        F.date_add(day, F.col(_WINDOW)).alias(C.COUNTS_UNTIL),
        C.PULL_DAY,
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the impressions that partners reported on ``days``.

    Raises:
        SophiluxError: a key that told whose impressions they are was destroyed since; nothing was changed.
        UsageError: there are impressions, and no partners file or a wrong one.
        KeyRingError: the ring cannot be read, or the key that a partner shares with us is not in it.
    """
    check_not_expired(lake, LANDING, TABLE, days)
    lines_in = lake.count(LANDING, days=days)
    ring, partners = open_ring(lake), _list_reporting(lake, days)
    destroyed = list_destroyed(ring, partners, days)
    lines = _resolve_lines(lake, ring, partners, days)
    with lake.scratch(lines) as resolved, split_erased(lake, resolved, CLAIMS, table=TABLE, place=FILE_PLACE) as split:
        kept = split.kept
        rejects = kept.frame.where(F.col(C.REASON).isNotNull())
        if destroyed:
            _check_nothing_forgotten(lake, rejects, days, destroyed)
        quarantined = publish_rejects(lake, QUARANTINE, rejects, days)
        understood = kept.rows - quarantined
        check_nothing_lost(
            "exports.impressions", lines=lines_in, understood=understood, quarantined=quarantined, forgotten=split.rows
        )
        impressions = kept.frame.transform(select_impressions)
        folded = fold(lake, TABLE, impressions, pulled=days, newest_by=C.IS_CLICK)
        split.scrub(lake, LANDING, FILE_PLACE)
    return StepReport(lines_in, folded.rows, understood - folded.rows, quarantined, forgotten=split.rows)


def _list_reporting(lake: Lake, days: Days) -> list[Partner]:
    """Partners with packages that reported on the days; the partners file is read only where somebody did."""
    reporting = {row[C.PARTNER] for row in lake.read(LANDING, days=days).select(C.PARTNER).distinct().collect()}
    declared = load_partners(lake.settings.partners) if reporting else ()
    return [partner for partner in declared if partner.name in reporting and partner.kind != PAIR]


def _resolve_lines(lake: Lake, ring: "KeyRing", partners: list[Partner], days: Days) -> "DataFrame":
    returning = find_returning(ring, partners, list(days))
    windows = lake.session.createDataFrame(
        [(partner.name, partner.attribution_days) for partner in partners], f"{C.PARTNER} string, {_WINDOW} int"
    )
    declared = windows.withColumn(_WINDOW, declare(CALENDAR, F.col(_WINDOW)))
    lines = lake.read(LANDING, days=days).transform(parse_lines, declared)
    counts = counts_on(F.col(C.PULL_DAY), returning)
    return resolve(lines, look_up(lake, returning), counts=counts, own=is_own(ring, partners))


def _check_nothing_forgotten(lake: Lake, rejects: "DataFrame", days: Days, destroyed: list[str]) -> None:
    """Keep impressions of whom nobody could tell any more: conforming them again would take them out of the lake."""
    lost = rejects.where(F.col(C.REASON) == EPOCH_OVER).count()
    before = lake.read(QUARANTINE, days=days).where(F.col(C.REASON) == EPOCH_OVER).count()
    held = lake.read(TABLE).where(F.col(C.PULL_DAY).between(days.first, days.last)).count()
    if lost > before and held:
        message = (
            f"{TABLE}: {lost - before:,} more lines of {days} than before cannot be understood, because a key was "
            f"destroyed since ({', '.join(destroyed)}); run only days after it. Nothing was changed."
        )
        raise SophiluxError(message)


def _list_rules() -> "dict[str, Column]":
    return {
        NOT_A_RECORD: F.col("_is_empty"),
        UNKNOWN_PARTNER: F.col(_WINDOW).isNull(),
        NO_AD_ID: F.col(C.AD_ID).isNull(),
        BAD_CAMPAIGN: F.col(C.CAMPAIGN).isNull(),
        BAD_TIME: F.col(C.SHOWN_AT).isNull(),
        FUTURE: F.to_date(C.SHOWN_AT) > F.col(C.PULL_DAY),
        BAD_CLICK: F.col(C.IS_CLICK).isNull(),
    }
