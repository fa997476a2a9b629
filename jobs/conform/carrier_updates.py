"""Carriers' lines to ``lake.parcel_events``, ``lake.parcels``, and corrected addresses in ``vault.addresses``.

Rules:
    * A line needs a tracking number, an order, a known event and its time.
    * A tracking number and an order's id are identifiers without a payment-card number in them. A parcel's number by
      standard (SSCC with its 00, or USPS) is longer than any card and holds none.
    * A correction needs an order of a known person and something corrected: a phone number, or any part of an address.
    * A correction that came before its order waits in quarantine; the pull that brings the order takes it in.
    * Two lines of one parcel, order, event and time are one event; two equal corrections of one time are one.
    * A parcel stands where its latest event left it; of events of one instant the one that comes later in a parcel's
      life counts.
    * Events of a parcel or order of somebody who was erased are kept without the person; corrections are not kept.
    * What does not fit (delivered before hand-over, handed over before the order) is kept and named as an anomaly.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.conform.addresses import FIELDS, carrier_source, fold_reports
from jobs.conform.fields import first_broken, read_text, read_time
from jobs.conform.folding import fold
from jobs.conform.landing import Waiting, check_not_expired, list_days_to_repeat, repeat_days
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.conform.suppression.erased_rows import FILE_PLACE, Claim, Split, split_erased
from jobs.conform.suppression.severed_orders import SeveredOrders, find_severed, join_orders
from jobs.conform.suppression.severed_rows import SeveredRows, sever_erased
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.lake.scratch import Scratch
from jobs.privacy import tombstones
from jobs.privacy.minimisation.readings import keep_identifier, keep_listed, keep_parcel_number, keep_time
from jobs.privacy.pseudonyms import subject_bucket, subject_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

EVENTS: Final = "lake.parcel_events"
PARCELS: Final = "lake.parcels"
ORDERS: Final = "lake.orders"
LANDING: Final = "landing.carrier_updates"
CLAIMS: Final = (Claim(tombstones.ORDER, C.ORDER_ID), Claim(tombstones.PARCEL, C.PARCEL_ID, spreads=True))
TRACKING_NO: Final = "tracking_no"
EVENT: Final = "event"
STATUSES: Final = ("handed_over", "in_transit", "failed", "delivered", "returned")
"""In the order of a parcel's life."""
ADDRESS_CORRECTED: Final = "address_corrected"
PHONE_CORRECTED: Final = "phone_corrected"
KNOWN_EVENTS: Final = (*STATUSES, ADDRESS_CORRECTED, PHONE_CORRECTED)
RECORD_FIELDS: Final = (TRACKING_NO, C.ORDER_ID, EVENT, C.EVENT_TIME, *FIELDS)

NOT_A_RECORD: Final = "not a record with a carrier's fields"
NO_TRACKING: Final = "tracking_no is missing"
NO_ORDER: Final = "order_id is missing"
BAD_TRACKING: Final = "tracking_no is no identifier"
BAD_ORDER: Final = "order_id is no identifier"
UNKNOWN_EVENT: Final = f"event is not one of {', '.join(KNOWN_EVENTS)}"
BAD_TIME: Final = "event_time is missing or not a time"
EMPTY_CORRECTION: Final = "the correction corrects nothing"
UNKNOWN_ORDER: Final = "there is no such order"
UNKNOWN_PERSON: Final = "the order's person is not known"
EARLY: Final = Waiting("quarantine.carrier_updates", LANDING, (UNKNOWN_ORDER, UNKNOWN_PERSON))
EARLY_DELIVERY: Final = "delivered before hand-over"
EARLY_HANDOVER: Final = "handed over before the order"


def type_updates(landing: "DataFrame", orders: "DataFrame", severed: SeveredOrders | None = None) -> "DataFrame":
    """Typed lines with the person of their order, each with the reason against it, if any.

    Args:
        landing: ``landing.carrier_updates``.
        orders: ``lake.orders``, one row per order.
        severed: orders of erased people that landing names.

    Returns:
        One row per line: ``pull_day, source, position, carrier, parcel_id, order_id, event, event_time, day``, the
        corrected fields, ``subject_id``, ``reason`` and ``raw``.
    """
    schema = StructType([StructField(name, StringType()) for name in RECORD_FIELDS])
    parsed = landing.withColumn("_record", F.from_json(C.RECORD, schema))
    rows = parsed.select(
        C.PULL_DAY,
        F.col(C.SOURCE),
        F.col(C.LINE_NO).cast("string").alias(C.POSITION),
        C.CARRIER,
        C.RAW,
        C.DEFECT,
        F.coalesce(*(F.col(f"_record.{name}") for name in RECORD_FIELDS)).isNull().alias("_is_empty"),
        *(F.col(f"_record.{name}").alias(name) for name in RECORD_FIELDS),
    )
    is_phone = F.lower(read_text(EVENT)) == PHONE_CORRECTED
    typed = rows.withColumns(
        {
            EVENT: keep_listed(F.lower(read_text(EVENT)), KNOWN_EVENTS),
            C.EVENT_TIME: keep_time(read_time(C.EVENT_TIME)),
            C.ORDER_ID: keep_identifier(read_text(C.ORDER_ID)),
            "_names_order": read_text(C.ORDER_ID).isNotNull(),
            C.PARCEL_ID: F.concat(C.CARRIER, F.lit("/"), keep_parcel_number(read_text(TRACKING_NO))),
            C.PHONE: read_text(C.PHONE),
            **{name: F.when(~is_phone, read_text(name)) for name in FIELDS if name != C.PHONE},
        }
    )
    of_order = orders.select(C.ORDER_ID, C.SUBJECT_ID, F.lit(True).alias("_has_order"))
    beside = join_orders(typed, of_order, severed)
    dated = beside.withColumn(C.DAY, F.to_date(C.EVENT_TIME))
    return dated.withColumn(C.REASON, _reason()).drop(C.DEFECT, TRACKING_NO, "_is_empty", "_names_order", "_has_order")


def select_events(updates: "DataFrame") -> "DataFrame":
    """Lines that say where a parcel is, in the columns of ``lake.parcel_events``."""
    fingerprint = F.xxhash64(C.PARCEL_ID, C.ORDER_ID, EVENT, F.unix_micros(C.EVENT_TIME))
    return updates.where(F.col(C.REASON).isNull() & F.col(EVENT).isin(*STATUSES)).select(
        F.to_date(C.EVENT_TIME).alias(C.DAY),
        fingerprint.alias(C.EVENT_ID),
        C.PARCEL_ID,
        C.ORDER_ID,
        C.SUBJECT_ID,
        subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET),
        C.CARRIER,
        F.col(EVENT).alias(C.STATUS),
        C.EVENT_TIME,
        C.PULL_DAY,
    )


def select_corrections(updates: "DataFrame") -> "DataFrame":
    """Distinct corrections, in the columns of :func:`jobs.conform.addresses.unpack_reports`."""
    corrections = updates.where(F.col(C.REASON).isNull() & ~F.col(EVENT).isin(*STATUSES))
    return corrections.select(
        C.SUBJECT_ID,
        F.col(C.EVENT_TIME).alias(C.VALID_FROM),
        carrier_source(F.col(C.CARRIER)).alias(C.SOURCE),
        C.ORDER_ID,
        *FIELDS,
    ).distinct()


def sum_parcels(events: "DataFrame", orders: "DataFrame") -> "DataFrame":
    """Where each parcel stands, in the columns of ``lake.parcels``.

    Args:
        events: rows of ``lake.parcel_events``, all of a parcel's.
        orders: ``lake.orders``, one row per order.
    """
    rank = F.array_position(F.array(*(F.lit(status) for status in STATUSES)), F.col(C.STATUS))
    of_parcel = Window.partitionBy(C.PARCEL_ID)
    # A window, because the embedded engine keeps a whole batch of rows for every group of a maximum over structs.
    latest_first = of_parcel.orderBy(F.desc(C.EVENT_TIME), F.desc(rank), F.desc(C.ORDER_ID))

    def first(status: str) -> "Column":
        return F.min(F.when(F.col(C.STATUS) == status, F.col(C.EVENT_TIME))).over(of_parcel)

    summed = events.withColumns(
        {
            "_place": F.row_number().over(latest_first),
            C.STATE: F.col(C.STATUS),
            C.HANDED_OVER_AT: first("handed_over"),
            C.DELIVERED_AT: first("delivered"),
            C.FAILED_ATTEMPTS: F.count(F.when(F.col(C.STATUS) == "failed", F.lit(1))).over(of_parcel),
            C.LAST_EVENT_AT: F.col(C.EVENT_TIME),
        }
    )
    parcels = summed.where("_place = 1").drop(C.SUBJECT_ID, C.SUBJECT_BUCKET)
    of_order = orders.select(C.ORDER_ID, C.SUBJECT_ID, C.SUBJECT_BUCKET, C.ORDERED_AT)
    anomalies = F.concat_ws(
        "; ",
        F.when(F.col(C.DELIVERED_AT) < F.col(C.HANDED_OVER_AT), F.lit(EARLY_DELIVERY)),
        F.when(F.col(C.HANDED_OVER_AT) < F.col(C.ORDERED_AT), F.lit(EARLY_HANDOVER)),
    )
    return parcels.join(of_order, on=C.ORDER_ID, how="left").select(
        C.PARCEL_ID,
        C.ORDER_ID,
        C.SUBJECT_ID,
        C.SUBJECT_BUCKET,
        C.CARRIER,
        C.STATE,
        C.HANDED_OVER_AT,
        C.DELIVERED_AT,
        C.FAILED_ATTEMPTS,
        C.LAST_EVENT_AT,
        F.when(anomalies != "", anomalies).alias(C.ANOMALY),
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the carriers' lines pulled on ``days``, and corrections of other pulls that waited for an order."""
    check_not_expired(lake, LANDING, EVENTS, days)
    report = _conform(lake, days)
    early = list_days_to_repeat(lake, days, EARLY, lambda rows: type_updates(rows, lake.read(ORDERS)))
    return repeat_days(report, early, lambda day: _conform(lake, day))


def _conform(lake: Lake, days: Days) -> StepReport:
    landed = lake.read(LANDING, days=days)
    with find_severed(lake, landed.transform(_read_orders)) as severed:
        return _publish(lake, landed.transform(type_updates, lake.read(ORDERS), severed), days)


def _publish(lake: Lake, updates: "DataFrame", days: Days) -> StepReport:
    lines_in = lake.count(LANDING, days=days)
    with lake.scratch(updates) as typed, split_erased(lake, typed, CLAIMS, table=EVENTS, place=FILE_PLACE) as split:
        kept = split.kept
        rejects = kept.frame.where(F.col(C.REASON).isNotNull())
        quarantined = publish_rejects(lake, "quarantine.carrier_updates", rejects, days)
        understood = kept.rows - quarantined
        check_nothing_lost(
            "conform.carrier_updates",
            lines=lines_in,
            understood=understood,
            quarantined=quarantined,
            forgotten=split.rows,
        )
        events = _fold_events(lake, _select_all_events(lake, split), days)
        with lake.scratch(split.of_others(FILE_PLACE).transform(select_corrections)) as corrections:
            fold_reports(lake, corrections.frame, subject_keys(lake))
            rows_out = events + corrections.rows
        split.scrub(lake, LANDING, FILE_PLACE)
    return StepReport(lines_in, rows_out, understood - rows_out, quarantined, forgotten=split.rows)


def _read_orders(landing: "DataFrame") -> "DataFrame":
    """``order_id`` as lines name it."""
    schema = StructType([StructField(C.ORDER_ID, StringType())])
    records = landing.select(F.from_json(C.RECORD, schema).alias("_record")).select(f"_record.{C.ORDER_ID}")
    return records.select(keep_identifier(read_text(C.ORDER_ID)).alias(C.ORDER_ID))


def _select_all_events(lake: Lake, split: Split) -> "DataFrame":
    """Events of everybody, those of erased people severed."""
    events = split.kept.frame.transform(select_events)
    theirs = Split(split.kept, split.erased.transform(select_events) if split.erased is not None else None)
    return theirs.add_severed(lake, events, lake.contracts[EVENTS], where=F.lit(True))


def _fold_events(lake: Lake, events: "DataFrame", days: Days) -> int:
    """Publish the events and the parcels they move; returns how many events came from this pull."""
    earlier = lake.read(EVENTS).where(F.col(C.PULL_DAY).between(days.first, days.last))
    moved = events.select(C.PARCEL_ID).unionByName(earlier.select(C.PARCEL_ID)).distinct()
    with lake.scratch(moved) as parcels:
        result = fold(lake, EVENTS, events, pulled=days, newest_by=C.EVENT_TIME)
        _publish_parcels(lake, parcels)
    return result.rows


def _publish_parcels(lake: Lake, moved: Scratch) -> None:
    """Sum the parcels anew that moved; severed ones stay as they are, because their events tell days only."""
    if not moved.rows:
        return
    base = lake.current_files(PARCELS)
    contract, severed = lake.contracts[PARCELS], SeveredRows.of(lake, PARCELS)
    old = lake.read(PARCELS)
    to_sum = moved.frame
    if severed.contract is not None:
        old = old.transform(sever_erased, lake, contract)
        to_sum = to_sum.join(old.where(severed.is_severed).select(C.PARCEL_ID), on=C.PARCEL_ID, how="left_anti")
    events = lake.read(EVENTS).join(to_sum, on=C.PARCEL_ID, how="left_semi")
    others = old.join(to_sum, on=C.PARCEL_ID, how="left_anti")
    parcels = events.transform(sum_parcels, lake.read(ORDERS))
    names = contract.column_names
    lake.replace(PARCELS, others.select(*names).unionByName(parcels.select(*names)), base=base)


def _reason() -> "Column":
    """The first rule a line breaks; null when it breaks none."""
    is_correction = F.col(EVENT).isin(ADDRESS_CORRECTED, PHONE_CORRECTED)
    broken = {
        NOT_A_RECORD: F.col("_is_empty"),
        NO_TRACKING: read_text(TRACKING_NO).isNull(),
        NO_ORDER: ~F.col("_names_order"),
        BAD_TRACKING: F.col(C.PARCEL_ID).isNull(),
        BAD_ORDER: F.col(C.ORDER_ID).isNull(),
        UNKNOWN_EVENT: F.col(EVENT).isNull(),
        BAD_TIME: F.col(C.EVENT_TIME).isNull(),
        EMPTY_CORRECTION: is_correction & F.coalesce(*FIELDS).isNull(),
        UNKNOWN_ORDER: is_correction & F.col("_has_order").isNull(),
        UNKNOWN_PERSON: is_correction & F.col(C.SUBJECT_ID).isNull(),
    }
    return F.coalesce(C.DEFECT, first_broken(broken))
