"""Every version of a person's address and phone number in ``vault.addresses``, as a slowly changing history.

A report is what an account, a carrier or the person said at one time. Reports make versions:

    * An account's report counts for the fields that differ from the account's report before it, so that saving an
      unchanged account does not undo what a carrier corrected.
    * A carrier's report counts for the fields it gives, and so does a correction that the person asked for.
    * Fields that a report does not count for are inherited from the version valid at that time.
    * A version begins where the content changes, ends where the next one begins, and is never removed: the original
      stays. Of two reports of one instant the carrier's is later than the account's, and the person's own the last.
    * The last version ends when the person's accounts are all closed, or with the delivery that brought it where there
      is no account: there is no next delivery, and the term of retention begins.

Each version keeps the reports it stands for, so that the history of a person can be rebuilt from them. That makes it
the same whatever order the reports arrive in, and a report that comes twice changes nothing.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.keyring import SUBJECT
from jobs.privacy.pseudonyms import keyed_digest, subject_bucket, with_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ADDRESSES: Final = "vault.addresses"
CUSTOMERS: Final = "vault.customers"
ACCOUNT: Final = "account"
REQUEST: Final = "request"
FIELDS: Final = (C.FULL_NAME, C.PHONE, C.STREET, C.CITY, C.POSTCODE, C.COUNTRY)
REPORT: Final = (C.SOURCE, C.ORDER_ID, *FIELDS)
REPORT_COLUMNS: Final = (C.SUBJECT_ID, C.VALID_FROM, *REPORT)
STORED_REPORTS: Final = f"array<struct<_at:bigint,{','.join(f'{name}:string' for name in REPORT)}>>"


def carrier_source(carrier: "Column") -> "Column":
    """The source of a carrier's reports."""
    return F.concat(F.lit("carrier:"), carrier)


def unpack_reports(versions: "DataFrame") -> "DataFrame":
    """The reports that stored versions stand for.

    A person's earliest report takes its version's content, because the versions it inherited from may be past their
    retention.

    Args:
        versions: rows of ``vault.addresses``, all of a person's.

    Returns:
        One row per report: ``subject_id, valid_from, source, order_id`` and the fields as the source gave them.
    """
    reports = versions.withColumn("_report", F.explode(F.from_json(C.REPORTS, STORED_REPORTS)))
    told = F.to_json(F.struct(*(f"_report.{name}" for name in REPORT)))
    in_time = Window.partitionBy(C.SUBJECT_ID).orderBy("_report._at", "_report.source", "_told")
    numbered = reports.withColumn("_told", told).withColumn("_place", F.row_number().over(in_time))
    opens_history = F.col("_place") == 1
    fields = [F.when(opens_history, F.col(n)).otherwise(F.col(f"_report.{n}")).alias(n) for n in FIELDS]
    return numbered.select(
        C.SUBJECT_ID,
        F.timestamp_micros("_report._at").alias(C.VALID_FROM),
        F.col("_report.source").alias(C.SOURCE),
        F.col("_report.order_id").alias(C.ORDER_ID),
        *fields,
    )


def find_ended(reports: "DataFrame", accounts: "DataFrame") -> "DataFrame":
    """Persons for whom there is no next delivery.

    Args:
        reports: all reports about these persons, in the columns of :func:`unpack_reports`.
        accounts: ``vault.customers``.

    Returns:
        ``subject_id`` and ``_ended`` in microseconds: when the last of their accounts was closed, and 0 for persons
        without one.
    """
    persons = reports.groupBy(C.SUBJECT_ID).agg(F.max((F.col(C.SOURCE) == ACCOUNT).cast("int")).alias("_has_account"))
    closings = accounts.groupBy(C.SUBJECT_ID).agg(
        (F.count(C.CLOSED_AT) == F.count(F.lit(1))).alias("_is_closed"),
        F.unix_micros(F.max(C.CLOSED_AT)).alias("_closed"),
    )
    beside = persons.join(closings, on=C.SUBJECT_ID, how="left")
    is_guest = F.col("_is_closed").isNull() & (F.col("_has_account") == 0)
    ended = F.when(is_guest, F.lit(0).cast("bigint")).when(F.col("_is_closed"), F.col("_closed"))
    return beside.select(C.SUBJECT_ID, ended.alias("_ended")).where(F.col("_ended").isNotNull())


def build_history(reports: "DataFrame", ended: "DataFrame", keys: "DataFrame") -> "DataFrame":
    """Versions of each person's address, in the columns of ``vault.addresses``.

    Args:
        reports: all reports about these persons, in the columns of :func:`unpack_reports`.
        ended: rows of :func:`find_ended`.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.
    """
    versions = reports.transform(_fill_fields).transform(_group_versions)
    content = F.to_json(F.struct(*FIELDS))
    name = F.concat_ws("\n", C.SUBJECT_ID, C.SOURCE, "_at", content)
    next_from = F.lead("_at").over(Window.partitionBy(C.SUBJECT_ID).orderBy("_version"))
    following = versions.withColumn("_next", next_from).join(ended, on=C.SUBJECT_ID, how="left")
    last_until = F.when(F.col("_ended").isNotNull(), F.greatest("_ended", "_at"))
    until = F.coalesce("_next", last_until)
    return with_keys(following.withColumn("_until", until), keys).select(
        keyed_digest(name, SUBJECT).alias(C.VERSION_ID),
        C.SUBJECT_ID,
        subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET),
        C.SOURCE,
        C.ORDER_ID,
        *FIELDS,
        F.timestamp_micros("_at").alias(C.VALID_FROM),
        F.timestamp_micros("_until").alias(C.VALID_TO),
        F.col("_until").isNull().alias(C.IS_CURRENT),
        C.REPORTS,
    )


def fold_reports(lake: Lake, reports: "DataFrame", keys: "DataFrame") -> None:
    """Rebuild the history of everybody the reports are about.

    Args:
        lake: the lake.
        reports: new reports, in the columns of :func:`unpack_reports`.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.

    Raises:
        CommitConflictError: another run changed the history meanwhile.
    """
    with lake.scratch(reports.select(*REPORT_COLUMNS)) as fresh:
        if not fresh.rows:
            return
        base = lake.current_files(ADDRESSES)
        persons = fresh.frame.select(C.SUBJECT_ID).distinct()
        old = lake.read(ADDRESSES)
        known = old.join(persons, on=C.SUBJECT_ID, how="left_semi").transform(unpack_reports)
        told = fresh.frame.unionByName(known)
        rebuilt = told.transform(build_history, told.transform(find_ended, lake.read(CUSTOMERS)), keys)
        others = old.join(persons, on=C.SUBJECT_ID, how="left_anti")
        names = lake.contracts[ADDRESSES].column_names
        lake.replace(ADDRESSES, others.select(*names).unionByName(rebuilt.select(*names)), base=base)


def _fill_fields(reports: "DataFrame") -> "DataFrame":
    """One row per report with the content valid from it on; ``_order`` numbers a person's reports."""
    told = reports.select(
        C.SUBJECT_ID,
        F.unix_micros(C.VALID_FROM).alias("_at"),
        *REPORT,
        F.to_json(F.struct(*REPORT)).alias("_told"),
    ).dropDuplicates([C.SUBJECT_ID, "_at", "_told"])
    is_account = F.col(C.SOURCE) == ACCOUNT
    in_time = Window.partitionBy(C.SUBJECT_ID).orderBy("_at", C.SOURCE, "_told")
    of_accounts = Window.partitionBy(C.SUBJECT_ID, is_account).orderBy("_at", "_told")
    rows = told.withColumns(
        {
            "_order": F.row_number().over(in_time),
            "_report": F.struct("_at", *REPORT),
            "_before": F.lag(F.struct(*FIELDS)).over(of_accounts),
        }
    )
    until_now = Window.partitionBy(C.SUBJECT_ID).orderBy("_order").rowsBetween(Window.unboundedPreceding, 0)

    def fill(name: str) -> "Column":
        is_changed = F.col("_before").isNull() | ~F.col(name).eqNullSafe(F.col(f"_before.{name}"))
        counts = F.when(is_account, is_changed).otherwise(F.col(name).isNotNull())
        return F.last(F.when(counts, F.struct(F.col(name).alias("_value"))), ignorenulls=True).over(until_now)

    filled = rows.withColumns({f"_{name}": fill(name) for name in FIELDS})
    return filled.withColumns({name: F.col(f"_{name}._value") for name in FIELDS})


def _group_versions(reports: "DataFrame") -> "DataFrame":
    """One row per run of reports with equal content, carrying its first report's source and all of its reports."""
    in_order = Window.partitionBy(C.SUBJECT_ID).orderBy("_order")
    before = F.lag(F.struct(*FIELDS)).over(in_order)
    content = reports.withColumn("_last", before)
    is_same = F.col("_last").isNotNull()
    for name in FIELDS:
        is_same = is_same & F.col(name).eqNullSafe(F.col(f"_last.{name}"))
    running = in_order.rowsBetween(Window.unboundedPreceding, 0)
    numbered = content.withColumn("_starts", (~is_same).cast("int")).withColumn(
        "_version", F.sum("_starts").over(running)
    )
    kept = F.to_json(F.transform(F.sort_array(F.collect_list(F.struct("_order", "_report"))), lambda r: r["_report"]))
    reports_kept = numbered.groupBy(C.SUBJECT_ID, "_version").agg(kept.alias(C.REPORTS))
    firsts = numbered.where("_starts = 1").select(
        C.SUBJECT_ID, "_version", "_order", "_at", C.SOURCE, C.ORDER_ID, *FIELDS
    )
    return firsts.join(reports_kept, on=[C.SUBJECT_ID, "_version"], how="inner")
