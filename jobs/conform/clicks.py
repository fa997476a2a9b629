"""Clickstream lines to ``lake.clicks``: typed, deduplicated, pseudonymous, with visits and flags.

Rules:
    * A field that is empty or blank is nothing.
    * An event needs a time, a known action, and an e-mail address or a visitor.
    * A product is an identifier without a payment-card number in it. An error or app that is none, and a country that
      is not known, are nothing.
    * Its time lies at most 30 days before and one day after the day of its drop; its day is that of its time (UTC).
    * Two events of one person that agree in every field are one event.
    * A visit ends after 30 minutes without an event, and at midnight UTC.
    * A person's events of a day do not count (``flag``) when the agent declares itself a bot, when there are more
      than 2,000 of them, or when 60 fall within a minute.
"""

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.conform.folding import FoldResult, fold_scratch
from jobs.conform.landing import check_not_expired
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.lake.scratch import Scratch
from jobs.privacy.countries import read_country
from jobs.privacy.emails import WHITE_SPACE, normalise_email
from jobs.privacy.masks import holds_card, holds_email, mask_text
from jobs.privacy.pseudonyms import keyed_digest, subject_bucket, subject_keys, with_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CLICKS: Final = "lake.clicks"
SESSIONS: Final = "lake.sessions"
FIELDS: Final = (
    "time", "visitor", "email", "action", "product", "url", "search", "dwell_ms", "scroll_pct", "response_ms",
    "error", "app", "country", "user_agent",
)  # fmt: skip
ACTIONS: Final = ("view", "search", "cart", "favourite", "buy", "install", "download_error")
MAX_DAYS_LATE: Final = 30
MAX_DAYS_EARLY: Final = 1
VISIT_GAP_SECONDS: Final = 30 * 60
MAX_EVENTS_A_DAY: Final = 2_000
BURST_EVENTS: Final = 60
BURST_SECONDS: Final = 60

NOT_AN_EVENT: Final = "not a JSON object with an event's fields"
BAD_TIME: Final = "time is missing or not ISO 8601"
STRAY_TIME: Final = "time is more than 30 days before or 1 day after the drop"
UNKNOWN_ACTION: Final = f"action is not one of {', '.join(ACTIONS)}"
NOBODY: Final = "neither visitor nor e-mail"
BAD_EMAIL: Final = "e-mail address cannot be normalised"
BAD_PRODUCT: Final = "product is no identifier"
DECLARED_BOT: Final = "declared bot"
TOO_MANY: Final = "more than 2,000 events in a day"
TOO_FAST: Final = "60 events within a minute"

TIME_PATTERN: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$"
IDENTIFIER_PATTERN: Final = r"^[A-Za-z0-9._:/ -]{1,64}$"
NOT_BLANK: Final = f"[^\\x00{WHITE_SPACE}]"
BOT_PATTERN: Final = r"(?i)bot\b|crawl|spider|slurp|headless|curl/|python-requests"
TABLET_PATTERN: Final = r"(?i)ipad|tablet"
MOBILE_PATTERN: Final = r"(?i)mobile|android|iphone"
PATH_PATTERN: Final = r"^(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?([^?#]*)"


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
    fields = {name: F.col(f"_event.{name}") for name in FIELDS}
    stated = (F.when(field.rlike(NOT_BLANK), field).alias(f"_{name}") for name, field in fields.items())
    return parsed.select(*lines.columns, *stated)


def type_events(parsed: "DataFrame", keys: "DataFrame") -> "DataFrame":
    """Typed, masked and pseudonymous events, each with the reason against it, if any.

    Args:
        parsed: of :func:`parse_lines`.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.

    Returns:
        One row per line: the columns of ``lake.clicks`` (``session_id`` 0, ``flag`` null), ``source``, ``position``,
        ``reason`` (null when the line is understood) and ``raw`` (null when it is).
    """
    time = F.when(F.col("_time").rlike(TIME_PATTERN), F.col("_time").try_cast("timestamp"))
    person = F.coalesce(F.col("_email_normalised"), F.concat(F.lit("visitor:"), F.col("_visitor")))
    typed = with_keys(parsed, keys).withColumns(
        {C.EVENT_TIME: time, "_email_normalised": normalise_email(F.col("_email"))}
    )
    typed = typed.withColumns({C.SUBJECT_ID: keyed_digest(person, "subject"), C.REASON: _reason()})
    typed = typed.withColumns(
        {
            C.DAY: F.to_date(C.EVENT_TIME),
            C.SUBJECT_BUCKET: subject_bucket(F.col(C.SUBJECT_ID)),
            C.PAGE_PATH: mask_text(F.regexp_extract("_url", PATH_PATTERN, 1)),
            C.SEARCH_TEXT: mask_text(F.col("_search")),
        }
    ).withColumn(C.EVENT_ID, _fingerprint())
    is_reject = F.col(C.REASON).isNotNull()
    return typed.select(
        C.DAY,
        C.EVENT_ID,
        C.EVENT_TIME,
        C.SUBJECT_ID,
        C.SUBJECT_BUCKET,
        F.lit(0).cast("bigint").alias(C.SESSION_ID),
        F.col("_action").alias(C.ACTION),
        F.col("_product").alias(C.PRODUCT_ID),
        C.PAGE_PATH,
        C.SEARCH_TEXT,
        F.col("_dwell_ms").try_cast("bigint").alias(C.DWELL_MS),
        F.col("_scroll_pct").try_cast("double").alias(C.SCROLL_PCT),
        F.col("_response_ms").try_cast("bigint").alias(C.RESPONSE_MS),
        F.when(_is_code("_error"), F.col("_error")).alias(C.ERROR_CODE),
        F.when(_is_code("_app"), F.col("_app")).alias(C.APP_ID),
        read_country(F.col("_country")).alias(C.COUNTRY),
        _device().alias(C.DEVICE),
        F.lit(None).cast("string").alias(C.FLAG),
        C.PULL_DAY,
        C.SOURCE,
        F.col(C.LINE_NO).cast("string").alias(C.POSITION),
        C.REASON,
        F.when(is_reject, F.col(C.RAW)).alias(C.RAW),
    )


def form_visits(events: "DataFrame") -> "DataFrame":
    """Drop duplicates, number the visits and flag what does not count; one pass over each person's day.

    Args:
        events: all events of whole days, in the columns of ``lake.clicks``.

    Returns:
        The same columns, one row per ``event_id``, with ``session_id`` and ``flag``.
    """
    persons_day = Window.partitionBy(C.DAY, C.SUBJECT_ID)
    in_order = persons_day.orderBy(C.EVENT_TIME, C.EVENT_ID, C.PULL_DAY)
    distinct_in_order = persons_day.orderBy(C.EVENT_TIME, C.EVENT_ID)
    is_first = F.coalesce(F.lag(C.EVENT_ID).over(in_order) != F.col(C.EVENT_ID), F.lit(True))
    distinct = events.withColumn("_is_first", is_first).where("_is_first")
    seconds = F.unix_micros(C.EVENT_TIME) / 1_000_000
    distinct = distinct.withColumn("_seconds", seconds)
    gap = F.col("_seconds") - F.lag("_seconds").over(distinct_in_order)
    burst = F.col("_seconds") - F.lag("_seconds", BURST_EVENTS - 1).over(distinct_in_order)
    starts_visit = gap.isNull() | (gap > VISIT_GAP_SECONDS)
    distinct = distinct.withColumns(
        {
            "_start": F.when(starts_visit, F.col("_seconds")),
            "_is_burst": F.coalesce((burst < BURST_SECONDS).cast("int"), F.lit(0)),
        }
    )
    running = distinct_in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = distinct.withColumns(
        {
            "_visit_start": F.max("_start").over(running),
            "_events": F.count(F.lit(1)).over(persons_day),
            "_bursts": F.max("_is_burst").over(persons_day),
        }
    )
    flag = (
        F.when(F.col(C.DEVICE) == "bot", F.lit(DECLARED_BOT))
        .when(F.col("_events") > MAX_EVENTS_A_DAY, F.lit(TOO_MANY))
        .when(F.col("_bursts") > 0, F.lit(TOO_FAST))
    )
    return numbered.withColumns({C.SESSION_ID: F.xxhash64(C.SUBJECT_ID, "_visit_start"), C.FLAG: flag}).select(
        *events.columns
    )


def sum_visits(clicks: "DataFrame") -> "DataFrame":
    """One row per visit, in the columns of ``lake.sessions``.

    Args:
        clicks: rows of ``lake.clicks``.
    """
    visit = (C.DAY, C.SESSION_ID, C.SUBJECT_ID, C.SUBJECT_BUCKET)
    by_product = clicks.groupBy(*visit, C.PRODUCT_ID).agg(
        F.min(C.EVENT_TIME).alias(C.STARTED_AT),
        F.max(C.EVENT_TIME).alias(C.ENDED_AT),
        F.count(F.lit(1)).alias(C.CLICKS),
        F.max(C.FLAG).alias(C.FLAG),
    )
    visits = by_product.groupBy(*visit).agg(
        F.min(C.STARTED_AT).alias(C.STARTED_AT),
        F.max(C.ENDED_AT).alias(C.ENDED_AT),
        F.sum(C.CLICKS).alias(C.CLICKS),
        F.count(C.PRODUCT_ID).alias(C.PRODUCTS_VIEWED),
        F.max(C.FLAG).alias(C.FLAG),
    )
    return visits.select(
        C.DAY,
        C.SESSION_ID,
        C.SUBJECT_ID,
        C.SUBJECT_BUCKET,
        C.STARTED_AT,
        C.ENDED_AT,
        C.CLICKS,
        C.PRODUCTS_VIEWED,
        C.FLAG,
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the clickstream pulled on ``days``."""
    check_not_expired(lake, "landing.clickstream", CLICKS, days)
    keys = subject_keys(lake)
    lines = lake.read("landing.clickstream", days=days)
    with lake.scratch(lines.transform(parse_lines).transform(type_events, keys)) as scratch:
        quarantined = publish_rejects(lake, "quarantine.clicks", scratch.frame.where("reason is not null"), days)
        lines_in = lake.count("landing.clickstream", days=days)
        check_nothing_lost(
            "conform.clicks", lines=lines_in, understood=scratch.rows - quarantined, quarantined=quarantined
        )
        events = Scratch(scratch.frame.where("reason is null"), scratch.rows - quarantined)
        result = fold_scratch(lake, CLICKS, events, pulled=days, finish=form_visits)
    _publish_visits(lake, result, days)
    return StepReport(lines_in, result.rows, result.duplicates, quarantined)


def _publish_visits(lake: Lake, result: FoldResult, pulled: Days) -> None:
    """Form the visits of the touched days anew, and of days where a crash left them behind their clicks."""
    changed = sorted({*result.touched, *_list_stale_days(lake, pulled)})
    if not changed:
        return
    clicks = lake.read(CLICKS, days=Days(changed[0], changed[-1])).where(F.col(C.DAY).isin(*changed))
    lake.replace(SESSIONS, clicks.transform(sum_visits), partitions=[str(day) for day in changed])


def _list_stale_days(lake: Lake, pulled: Days) -> set[date]:
    """Days a pull may have brought events of whose visits do not hold as many clicks as there are."""
    late, early = timedelta(days=MAX_DAYS_LATE + 1), timedelta(days=MAX_DAYS_EARLY)
    near = Days(pulled.first - late, pulled.last + early)
    clicks = Counter[date]()
    for file in lake.list_files(CLICKS):
        if file.partition:
            clicks[date.fromisoformat(file.partition)] += file.rows
    summed = lake.read(SESSIONS, days=near).groupBy(C.DAY).agg(F.sum(C.CLICKS).alias(C.CLICKS)).collect()
    of_visits = {row[C.DAY]: row[C.CLICKS] for row in summed}
    return {day for day in near if clicks[day] != of_visits.get(day, 0)}


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
        .when(~F.coalesce(F.col("_action").isin(*ACTIONS), F.lit(False)), F.lit(UNKNOWN_ACTION))
        .when(has_email & F.col("_email_normalised").isNull(), F.lit(BAD_EMAIL))
        .when(~has_email & F.col("_visitor").isNull(), F.lit(NOBODY))
        .when(F.col("_product").isNotNull() & ~_is_code("_product"), F.lit(BAD_PRODUCT))
    )


def _fingerprint() -> "Column":
    """XxHash of the canonical event; computed over the pseudonym, so that it can confirm no guessed address."""
    parts = [F.coalesce(F.col(name), F.lit("\x00")) for name in (C.PAGE_PATH, C.SEARCH_TEXT)]
    fields = ("action", "product", "dwell_ms", "scroll_pct", "response_ms", "error", "app", "country", "user_agent")
    parts += [F.coalesce(F.col(f"_{name}"), F.lit("\x00")) for name in fields]
    return F.xxhash64(C.SUBJECT_ID, F.unix_micros(C.EVENT_TIME), *parts)


def _is_code(name: str) -> "Column":
    """True where the field looks like a code or a name of a thing; free text has no business there."""
    code = F.col(name)
    return code.rlike(IDENTIFIER_PATTERN) & ~holds_card(code) & ~holds_email(code)


def _device() -> "Column":
    agent = F.col("_user_agent")
    return (
        F.when(agent.isNull(), F.lit("other"))
        .when(agent.rlike(BOT_PATTERN), F.lit("bot"))
        .when(agent.rlike(TABLET_PATTERN), F.lit("tablet"))
        .when(agent.rlike(MOBILE_PATTERN), F.lit("mobile"))
        .otherwise(F.lit("desktop"))
    )
