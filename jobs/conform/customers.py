"""Accounts, split into direct identifiers in the vault and pseudonyms in ``lake.subjects``.

Rules:
    * An account needs a number, an e-mail address that can be normalised, and a time of its last change.
    * A date of birth that is none, or lies before 1900, leaves the age unknown and refuses nothing.
    * An opt-out that is neither yes nor no counts as opted out; a closing time that is no time closes the account
      when it was last changed.
    * Every address an account has or had is one identity; the account's own address is its primary one, whatever the
      list of further addresses says.
    * A further address belongs to an account of ``vault.customers``, of this pull or any before; one that came before
      its account waits in quarantine, and the pull that brings the account takes it in.
    * Where accounts share an address, the more protective answer wins: opted out if any is, closed since the first
      closing, adult when the youngest is, of unknown age when any account is, agreed to the privacy policy when the
      first did, and not at all when any has not. Its person is the account that uses it as primary address and changed
      last. All accounts so tied together, also over several addresses, are one circle.
    * A time of consent that is no time is no consent.
    * What a person had corrected holds until the account says something else than it said then
      (:mod:`jobs.conform.corrections`).
    * Adult from the first day of the month after the 18th birthday, also where the birthday is the first of a month.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.conform.addresses import ACCOUNT, FIELDS, fold_reports
from jobs.conform.circles import find_circles, find_moved
from jobs.conform.corrections import keep_corrections
from jobs.conform.fields import (
    first_broken,
    read_date,
    read_flag,
    read_text,
    read_time,
    row_as_text,
    select_rejects,
)
from jobs.conform.folding import keep_newest
from jobs.conform.landing import Waiting, list_days_to_repeat, repeat_days
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.conform.suppression.erased_rows import ROW_PLACE
from jobs.conform.suppression.welcome import split_accounts, split_addresses
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.privacy.emails import normalise_email
from jobs.privacy.keyring import SUBJECT
from jobs.privacy.minimisation.ages import adult_from
from jobs.privacy.minimisation.countries import read_country
from jobs.privacy.pseudonyms import keyed_digest, subject_bucket, subject_keys, with_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CUSTOMERS: Final = "vault.customers"
IDENTITIES: Final = "vault.identities"
SUBJECTS: Final = "lake.subjects"
LANDING: Final = "landing.customers"
LANDING_EMAILS: Final = "landing.customer_emails"
EARLIEST_BIRTH: Final = "1900-01-01"

NO_CUSTOMER: Final = "customer_id is missing"
BAD_EMAIL: Final = "e-mail address cannot be normalised"
BAD_UPDATE: Final = "updated_at is missing or not a time"
UNKNOWN_CUSTOMER: Final = "there is no such account"
EARLY: Final = Waiting("quarantine.customer_emails", LANDING_EMAILS, (UNKNOWN_CUSTOMER,))


def type_accounts(landing: "DataFrame", keys: "DataFrame") -> "DataFrame":
    """Typed, pseudonymous accounts, each with the reason against it, if any.

    Args:
        landing: ``landing.customers``.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.

    Returns:
        One row per row: the columns of ``vault.customers`` and ``vault.identities``, the address, ``pull_day``,
        ``row_no``, ``reason`` and ``raw``.
    """
    birth_date = read_date(C.BIRTH_DATE)
    updated_at = read_time(C.UPDATED_AT)
    is_closed = read_text(C.CLOSED_AT).isNotNull()
    texts = (C.FULL_NAME, C.PHONE, C.COUNTRY, C.STREET, C.CITY, C.POSTCODE)
    typed = with_keys(landing, keys).select(
        *_identify(),
        *(read_text(name).alias(name) for name in texts),
        F.when(birth_date >= F.lit(EARLIEST_BIRTH).cast("date"), birth_date).alias(C.BIRTH_DATE),
        read_flag(C.ADS_OPT_OUT, missing=False, unclear=True).alias(C.ADS_OPT_OUT),
        read_flag(C.PERSONALISATION_OPT_OUT, missing=False, unclear=True).alias(C.PERSONALISATION_OPT_OUT),
        F.when(is_closed, F.coalesce(read_time(C.CLOSED_AT), updated_at)).alias(C.CLOSED_AT),
        read_time(C.CONSENTED_AT).alias(C.CONSENTED_AT),
        read_time(C.CREATED_AT).alias(C.CREATED_AT),
        F.lit(True).alias(C.IS_PRIMARY),
        row_as_text(landing).alias(C.RAW),
    )
    return typed.withColumn(C.REASON, first_broken(_broken_identity()))


def type_emails(landing: "DataFrame", accounts: "DataFrame", keys: "DataFrame") -> "DataFrame":
    """Further addresses of accounts, each with the reason against it, if any.

    Args:
        landing: ``landing.customer_emails``.
        accounts: ``vault.customers``.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.

    Returns:
        One row per row: the columns of ``vault.identities``, ``pull_day``, ``row_no``, ``reason`` and ``raw``.
    """
    typed = with_keys(landing, keys).select(
        *_identify(),
        F.lit(False).alias(C.IS_PRIMARY),
        F.lit(None).cast("timestamp").alias(C.CLOSED_AT),
        row_as_text(landing).alias(C.RAW),
    )
    known = accounts.select(C.CUSTOMER_ID, F.lit(True).alias("_is_known"))
    broken = {**_broken_identity(), UNKNOWN_CUSTOMER: F.col("_is_known").isNull()}
    beside = typed.join(known, on=C.CUSTOMER_ID, how="left")
    return beside.withColumn(C.REASON, first_broken(broken)).drop("_is_known")


def mark_primary(identities: "DataFrame", accounts: "DataFrame") -> "DataFrame":
    """Identities as their accounts are now: ``is_primary`` for the account's own address, and when it was closed.

    Args:
        identities: rows of ``vault.identities``.
        accounts: ``vault.customers``.
    """
    own = accounts.select(C.CUSTOMER_ID, F.col(C.SUBJECT_ID).alias("_own"), C.CLOSED_AT)
    beside = identities.drop(C.CLOSED_AT).join(own, on=C.CUSTOMER_ID, how="left")
    return beside.withColumn(C.IS_PRIMARY, F.col(C.SUBJECT_ID).eqNullSafe(F.col("_own"))).drop("_own")


def report_addresses(accounts: "DataFrame") -> "DataFrame":
    """What accounts say about addresses, in the columns of :func:`jobs.conform.addresses.unpack_reports`."""
    return accounts.select(
        C.SUBJECT_ID,
        F.col(C.UPDATED_AT).alias(C.VALID_FROM),
        F.lit(ACCOUNT).alias(C.SOURCE),
        F.lit(None).cast("string").alias(C.ORDER_ID),
        *FIELDS,
    )


def describe_subjects(identities: "DataFrame", accounts: "DataFrame", circles: "DataFrame") -> "DataFrame":
    """One row per pseudonym of an address, in the columns of ``lake.subjects``.

    Args:
        identities: rows of ``vault.identities``, all of an address's.
        accounts: ``vault.customers``.
        circles: rows of :func:`jobs.conform.circles.find_circles`.
    """
    answers = accounts.select(
        C.CUSTOMER_ID,
        read_country(F.col(C.COUNTRY)).alias(C.COUNTRY),
        adult_from(F.col(C.BIRTH_DATE)).alias(C.ADULT_FROM),
        C.ADS_OPT_OUT,
        C.PERSONALISATION_OPT_OUT,
        C.CONSENTED_AT,
        F.to_date(C.CLOSED_AT).alias(C.CLOSED_ON),
        F.col(C.UPDATED_AT).alias("_changed"),
    )
    beside = identities.join(answers, on=C.CUSTOMER_ID, how="inner")
    # Windows, because the embedded engine keeps a whole batch of rows for every group of a maximum over structs.
    sharing = Window.partitionBy(C.SUBJECT_ID)
    main_first = sharing.orderBy(F.desc(C.IS_PRIMARY), F.desc("_changed"), F.desc(C.PERSON_ID))
    holders = F.count(F.lit(1)).over(sharing)
    is_of_known_age = F.count(C.ADULT_FROM).over(sharing) == holders
    is_agreed_by_all = F.count(C.CONSENTED_AT).over(sharing) == holders
    subjects = beside.withColumns(
        {
            "_place": F.row_number().over(main_first),
            C.ADULT_FROM: F.when(is_of_known_age, F.max(C.ADULT_FROM).over(sharing)),
            C.ADS_OPT_OUT: F.max(F.col(C.ADS_OPT_OUT).cast("int")).over(sharing) == 1,
            C.PERSONALISATION_OPT_OUT: F.max(F.col(C.PERSONALISATION_OPT_OUT).cast("int")).over(sharing) == 1,
            C.CONSENTED_AT: F.when(is_agreed_by_all, F.min(C.CONSENTED_AT).over(sharing)),
            C.CLOSED_ON: F.min(C.CLOSED_ON).over(sharing),
            C.UPDATED_AT: F.max("_changed").over(sharing),
        }
    ).where("_place = 1")
    return circles.join(subjects, on=C.PERSON_ID, how="right").select(
        C.SUBJECT_ID,
        C.SUBJECT_BUCKET,
        C.PERSON_ID,
        C.CIRCLE_ID,
        C.COUNTRY,
        C.ADULT_FROM,
        C.ADS_OPT_OUT,
        C.PERSONALISATION_OPT_OUT,
        C.CONSENTED_AT,
        C.CLOSED_ON,
        C.UPDATED_AT,
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the accounts and further addresses pulled on ``days``, and addresses that waited for an account."""
    keys = subject_keys(lake)
    report = _conform(lake, days, keys)
    early = list_days_to_repeat(lake, days, EARLY, lambda rows: type_emails(rows, lake.read(CUSTOMERS), keys))
    return repeat_days(report, early, lambda day: _conform(lake, day, keys))


def _conform(lake: Lake, days: Days, keys: "DataFrame") -> StepReport:
    rows_in = lake.count(LANDING, days=days) + lake.count(LANDING_EMAILS, days=days)
    with ExitStack() as stack:
        typed = stack.enter_context(lake.scratch(lake.read(LANDING, days=days).transform(type_accounts, keys)))
        accounts = split_accounts(lake, stack, typed)
        rejects = select_rejects(accounts.kept.frame, "customers")
        refused = publish_rejects(lake, "quarantine.customers", rejects, days)
        valid = accounts.kept.frame.where(F.col(C.REASON).isNull())
        rows_out = _merge_newest(lake, CUSTOMERS, valid.transform(keep_corrections, lake.read(CUSTOMERS)))
        emails = lake.read(LANDING_EMAILS, days=days).transform(type_emails, lake.read(CUSTOMERS), keys)
        addresses = split_addresses(lake, stack, stack.enter_context(lake.scratch(emails)))
        rejects = select_rejects(addresses.kept.frame, "customer_emails")
        refused += publish_rejects(lake, "quarantine.customer_emails", rejects, days)
        understood = accounts.kept.rows + addresses.kept.rows - refused
        gone = accounts.rows + addresses.rows
        check_nothing_lost(
            "conform.customers", lines=rows_in, understood=understood, quarantined=refused, forgotten=gone
        )
        further = addresses.kept.frame.where(F.col(C.REASON).isNull())
        rows_out += keep_newest(further, key=(C.IDENTITY_ID,), newest_by=C.UPDATED_AT).count()
        _publish_identities(lake, valid, further)
        fold_reports(lake, valid.transform(report_addresses), keys)
        accounts.scrub(lake, LANDING, ROW_PLACE)
        addresses.scrub(lake, LANDING_EMAILS, ROW_PLACE)
    return StepReport(rows_in, rows_out, understood - rows_out, refused, forgotten=gone)


def publish_subjects(lake: Lake, touched: "DataFrame") -> None:
    """Describe addresses anew in ``lake.subjects``, and those whose circle changed.

    Args:
        lake: the lake.
        touched: ``subject_id`` of addresses whose accounts changed.
    """
    identities, customers = lake.read(IDENTITIES), lake.read(CUSTOMERS)
    circles = find_circles(lake, identities)
    moved = lake.read(SUBJECTS).transform(find_moved, circles)
    changed = touched.select(C.SUBJECT_ID).unionByName(moved).distinct()
    held_by_them = identities.join(changed, on=C.SUBJECT_ID, how="left_semi")
    lake.merge(SUBJECTS, held_by_them.transform(describe_subjects, customers, circles), newest_by=C.UPDATED_AT)


def _identify() -> "tuple[Column, ...]":
    """Account, address and their pseudonyms."""
    customer_id = read_text(C.CUSTOMER_ID)
    address = normalise_email(F.col(C.EMAIL))
    subject_id = keyed_digest(address, SUBJECT)
    return (
        keyed_digest(F.concat(F.lit("identity:"), customer_id, F.lit(":"), address), SUBJECT).alias(C.IDENTITY_ID),
        customer_id.alias(C.CUSTOMER_ID),
        keyed_digest(F.concat(F.lit("customer:"), customer_id), SUBJECT).alias(C.PERSON_ID),
        subject_id.alias(C.SUBJECT_ID),
        subject_bucket(subject_id).alias(C.SUBJECT_BUCKET),
        read_text(C.EMAIL).alias(C.EMAIL),
        address.alias(C.EMAIL_NORMALISED),
        read_time(C.UPDATED_AT).alias(C.UPDATED_AT),
        F.col(C.PULL_DAY),
        F.col(C.ROW_NO),
    )


def _broken_identity() -> "dict[str, Column]":
    return {
        NO_CUSTOMER: F.col(C.CUSTOMER_ID).isNull(),
        BAD_EMAIL: F.col(C.EMAIL_NORMALISED).isNull(),
        BAD_UPDATE: F.col(C.UPDATED_AT).isNull(),
    }


def _merge_newest(lake: Lake, table: str, rows: "DataFrame") -> int:
    """Merge the newest row per key; returns how many there were."""
    contract = lake.contracts[table]
    newest = keep_newest(rows, key=contract.key, newest_by=C.UPDATED_AT).select(*contract.column_names)
    with lake.scratch(newest) as fresh:
        if fresh.rows:
            lake.merge(table, fresh.frame, newest_by=C.UPDATED_AT)
        return fresh.rows


def _publish_identities(lake: Lake, accounts: "DataFrame", addresses: "DataFrame") -> None:
    """Merge the identities of changed accounts, and describe everybody they stand for anew."""
    names = lake.contracts[IDENTITIES].column_names
    customers = lake.read(CUSTOMERS)
    fresh = accounts.select(*names, C.PULL_DAY).unionByName(addresses.select(*names, C.PULL_DAY))
    changed = fresh.select(C.CUSTOMER_ID).distinct()
    held = lake.read(IDENTITIES).join(changed, on=C.CUSTOMER_ID, how="left_semi")
    both = fresh.unionByName(held.withColumn(C.PULL_DAY, F.lit(None).cast("date")))
    newest = keep_newest(both, key=(C.IDENTITY_ID,), newest_by=C.UPDATED_AT)
    with lake.scratch(newest.transform(mark_primary, customers).select(*names)) as marked:
        if not marked.rows:
            return
        lake.merge(IDENTITIES, marked.frame, newest_by=C.UPDATED_AT)
        publish_subjects(lake, marked.frame.select(C.SUBJECT_ID))
