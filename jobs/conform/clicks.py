"""Clickstream lines to ``lake.clicks``: typed, deduplicated, pseudonymous, with visits and flags.

Rules:
    * A field that is empty or blank is nothing.
    * An event needs a time, a known action, and an e-mail address or a visitor.
    * A product is an identifier without a payment-card number in it. An error or app that is none, and a country that
      is not known, are nothing; neither are numbers of more than nine digits.
    * Its time lies at most 30 days before and one day after the day of its drop; its day is that of its time (UTC).
    * Events that agree in every field are one event, delivered twice. The time counts as an instant and the e-mail
      address normalised; all other fields as they came, also parts that are not kept, such as the query of a URL.
    * Which address came with which cookie is kept in ``vault.linked_visitors``.
    * Visits and flags follow the rules of :mod:`jobs.conform.visits`.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.conform.folding import fold_scratch
from jobs.conform.landing import check_not_expired
from jobs.conform.linked_visitors import COOKIE, publish_links
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.conform.suppression.erased_rows import FILE_PLACE, Claim, split_erased
from jobs.conform.visits import form_visits, publish_visits
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.lake.scratch import Scratch
from jobs.privacy.declarations import LISTED, declare
from jobs.privacy.emails import WHITE_SPACE, normalise_email
from jobs.privacy.minimisation.countries import read_country
from jobs.privacy.minimisation.masks import AT, mask_text
from jobs.privacy.minimisation.readings import keep_code, keep_listed, keep_measure, keep_time
from jobs.privacy.pseudonyms import keyed_digest, subject_bucket, subject_keys, with_keys
from jobs.privacy.tombstones import SUBJECT, has_tombstones

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CLICKS: Final = "lake.clicks"
LANDING: Final = "landing.clickstream"
FIELDS: Final = (
    "time", "visitor", "email", "action", "product", "url", "search", "dwell_ms", "scroll_pct", "response_ms",
    "error", "app", "country", "user_agent",
)  # fmt: skip
ACTIONS: Final = ("view", "search", "cart", "favourite", "buy", "install", "download_error")
MAX_DAYS_LATE: Final = 30
MAX_DAYS_EARLY: Final = 1
CLAIMS: Final = (Claim(SUBJECT, C.SUBJECT_ID, at=C.EVENT_TIME),)

NOT_AN_EVENT: Final = "not a JSON object with an event's fields"
BAD_TIME: Final = "time is missing or not ISO 8601"
STRAY_TIME: Final = "time is more than 30 days before or 1 day after the drop"
UNKNOWN_ACTION: Final = f"action is not one of {', '.join(ACTIONS)}"
NOBODY: Final = "neither visitor nor e-mail"
BAD_EMAIL: Final = "e-mail address cannot be normalised"
BAD_PRODUCT: Final = "product is no identifier"

TIME_PATTERN: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$"
NOT_BLANK: Final = f"[^\\x00{WHITE_SPACE}]"
BOT_PATTERN: Final = r"(?i)bot\b|crawl|spider|slurp|headless|curl/|python-requests"
TABLET_PATTERN: Final = r"(?i)ipad|tablet"
MOBILE_PATTERN: Final = r"(?i)mobile|android|iphone"
ORIGIN_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*"


def parse_lines(lines: "DataFrame") -> "DataFrame":
    """Fields of each line as text beside where the line came from.

    Args:
        lines: ``landing.clickstream``.

    Returns:
        One row per line: ``pull_day, source, line_no, raw, defect`` and the fields prefixed ``_``; a field the line
        does not have or that is blank, or all of them where it is not JSON, are null.
    """
    schema = StructType([StructField(name, StringType()) for name in FIELDS])
    event = F.from_json(C.RAW, schema)
    parsed = lines.withColumn("_event", event)
    return parsed.select(*lines.columns, *(_stated(F.col(f"_event.{name}")).alias(f"_{name}") for name in FIELDS))


def type_events(parsed: "DataFrame", keys: "DataFrame", *, keep_places: bool = False) -> "DataFrame":
    """Typed, masked and pseudonymous events, each with the reason against it, if any.

    Args:
        parsed: of :func:`parse_lines`.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.
        keep_places: keep ``source`` and ``position`` of every line, and ``raw`` where somebody typed an address.

    Returns:
        One row per line: the columns of ``lake.clicks`` (``session_id`` 0, ``flag`` null), the cookie where there is an
        address as well, and ``source``, ``position``, ``reason`` and ``raw``, which are null when the line is
        understood.
    """
    time = F.when(F.col("_time").rlike(TIME_PATTERN), F.col("_time").try_cast("timestamp"))
    person = F.coalesce(F.col("_email_normalised"), F.concat(F.lit("visitor:"), F.col("_visitor")))
    typed = with_keys(parsed, keys).withColumns(
        {
            C.EVENT_TIME: keep_time(time),
            C.ACTION: keep_listed(F.col("_action"), ACTIONS),
            C.PRODUCT_ID: keep_code(F.col("_product")),
            "_email_normalised": normalise_email(F.col("_email")),
        }
    )
    typed = typed.withColumns({C.SUBJECT_ID: keyed_digest(person, "subject"), C.REASON: _reason()})
    typed = typed.withColumns(
        {
            C.DAY: F.to_date(C.EVENT_TIME),
            C.SUBJECT_BUCKET: subject_bucket(F.col(C.SUBJECT_ID)),
            C.PAGE_PATH: mask_text(_path(F.col("_url"))),
            C.SEARCH_TEXT: mask_text(F.col("_search")),
        }
    ).withColumn(C.EVENT_ID, _fingerprint())
    is_reject = F.col(C.REASON).isNotNull()
    keeps_place = F.lit(True) if keep_places else is_reject
    keeps_raw = is_reject | F.col("_url").rlike(AT) | F.col("_search").rlike(AT) if keep_places else is_reject
    return typed.select(
        C.DAY,
        C.EVENT_ID,
        C.EVENT_TIME,
        C.SUBJECT_ID,
        C.SUBJECT_BUCKET,
        F.lit(0).cast("bigint").alias(C.SESSION_ID),
        C.ACTION,
        C.PRODUCT_ID,
        C.PAGE_PATH,
        C.SEARCH_TEXT,
        keep_measure(F.col("_dwell_ms"), "bigint").alias(C.DWELL_MS),
        keep_measure(F.col("_scroll_pct"), "double").alias(C.SCROLL_PCT),
        keep_measure(F.col("_response_ms"), "bigint").alias(C.RESPONSE_MS),
        keep_code(F.col("_error")).alias(C.ERROR_CODE),
        keep_code(F.col("_app")).alias(C.APP_ID),
        read_country(F.col("_country")).alias(C.COUNTRY),
        _device().alias(C.DEVICE),
        F.lit(None).cast("string").alias(C.FLAG),
        C.PULL_DAY,
        F.when(F.col("_email_normalised").isNotNull(), F.col("_visitor")).alias(COOKIE),
        F.when(keeps_place, F.col(C.SOURCE)).alias(C.SOURCE),
        F.when(keeps_place, F.col(C.LINE_NO).cast("string")).alias(C.POSITION),
        C.REASON,
        F.when(keeps_raw, F.col(C.RAW)).alias(C.RAW),
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the clickstream pulled on ``days``."""
    check_not_expired(lake, LANDING, CLICKS, days)
    lines_in = lake.count(LANDING, days=days)
    parsed = lake.read(LANDING, days=days).transform(parse_lines)
    events = parsed.transform(type_events, subject_keys(lake), keep_places=has_tombstones(lake))
    is_text = F.col(C.RAW).isNotNull()
    with (
        lake.scratch(events) as typed,
        split_erased(lake, typed, CLAIMS, table=CLICKS, place=FILE_PLACE, texts=is_text) as split,
    ):
        kept = split.kept
        quarantined = publish_rejects(lake, "quarantine.clicks", kept.frame.where("reason is not null"), days)
        understood = kept.rows - quarantined
        check_nothing_lost(
            "conform.clicks", lines=lines_in, understood=understood, quarantined=quarantined, forgotten=split.rows
        )
        publish_links(lake, split.of_others(FILE_PLACE).where("reason is null"))
        valid = Scratch(kept.frame.where("reason is null"), understood)
        result = fold_scratch(lake, CLICKS, valid, pulled=days, finish=form_visits)
        split.scrub(lake, LANDING, FILE_PLACE)
    near = Days(days.first - timedelta(days=MAX_DAYS_LATE + 1), days.last + timedelta(days=MAX_DAYS_EARLY))
    publish_visits(lake, result.touched, near=near)
    return StepReport(lines_in, result.rows, result.duplicates, quarantined, forgotten=split.rows)


def _reason() -> "Column":
    """The first rule a line breaks; null when it breaks none."""
    has_no_field = F.coalesce(*(F.col(f"_{name}") for name in FIELDS)).isNull()
    days_late = F.datediff(F.col(C.PULL_DAY), F.to_date(C.EVENT_TIME))
    has_email = F.col("_email").isNotNull()
    return (
        F.when(F.col(C.DEFECT).isNotNull(), F.col(C.DEFECT))
        .when(has_no_field, F.lit(NOT_AN_EVENT))
        .when(F.col(C.EVENT_TIME).isNull(), F.lit(BAD_TIME))
        .when((days_late > MAX_DAYS_LATE) | (days_late < -MAX_DAYS_EARLY), F.lit(STRAY_TIME))
        .when(F.col(C.ACTION).isNull(), F.lit(UNKNOWN_ACTION))
        .when(has_email & F.col("_email_normalised").isNull(), F.lit(BAD_EMAIL))
        .when(~has_email & F.col("_visitor").isNull(), F.lit(NOBODY))
        .when(F.col("_product").isNotNull() & F.col(C.PRODUCT_ID).isNull(), F.lit(BAD_PRODUCT))
    )


def _stated(field: "Column") -> "Column":
    """The field, or null where it is blank."""
    # Most fields show by their first character that they are not blank, which is cheaper to see than by a pattern.
    return F.when(field.between("!", "~"), field).when(field.rlike(NOT_BLANK), field)


def _path(url: "Column") -> "Column":
    """The path of a URL, with or without an origin; cut off in two moves, because capturing groups are slow."""
    without_query = F.split_part(F.split_part(url, F.lit("?"), F.lit(1)), F.lit("#"), F.lit(1))
    return F.regexp_replace(without_query, ORIGIN_PATTERN, "")


def _fingerprint() -> "Column":
    """64 bits of a keyed digest of the canonical event; without the key, it confirms no guess at what is not kept."""
    others = (F.coalesce(F.col(f"_{name}"), F.lit("\x00")) for name in FIELDS if name not in ("time", "email"))
    event = F.xxhash64(C.SUBJECT_ID, F.unix_micros(C.EVENT_TIME), *others)
    digest = keyed_digest(F.concat(F.lit("event:"), event.cast("string")), "subject")
    return F.xxhash64(digest)


def _device() -> "Column":
    agent = F.col("_user_agent")
    kind = (
        F.when(agent.isNull(), F.lit("other"))
        .when(agent.rlike(BOT_PATTERN), F.lit("bot"))
        .when(agent.rlike(TABLET_PATTERN), F.lit("tablet"))
        .when(agent.rlike(MOBILE_PATTERN), F.lit("mobile"))
        .otherwise(F.lit("desktop"))
    )
    return declare(LISTED, kind)
