"""Orders in ``lake.orders``: typed, under the day they were placed, with the person's pseudonym.

Rules:
    * An order needs an id, a known status, and times of its placing and of its last change.
    * Its person is the one of its own e-mail address; without one, or where that cannot be normalised, the one of its
      account; without either the person is unknown, which is allowed.
    * An address that cannot be normalised is refused where no account stands in for it.
    * A currency is three letters; without one it is the shop's reporting currency. What does not say otherwise is no
      test order.
    * Of several rows of one order the last changed counts, also when its day changed.
    * An order of somebody who was erased is kept without the person, as the law asks for.
    * Which account placed an order under another address is kept in ``vault.linked_purchases``.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.fields import (
    first_broken,
    is_bad_currency,
    read_currency,
    read_flag,
    read_text,
    read_time,
    row_as_text,
    select_rejects,
)
from jobs.conform.folding import fold
from jobs.conform.landing import check_not_expired
from jobs.conform.linked_purchases import ACCOUNT, ADDRESS, mark_linked, publish_links
from jobs.conform.rejects import check_nothing_lost, publish_rejects
from jobs.conform.suppression.erased_rows import ROW_PLACE, Claim, split_erased
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.privacy import tombstones
from jobs.privacy.emails import normalise_email
from jobs.privacy.keyring import SUBJECT
from jobs.privacy.minimisation.countries import read_country
from jobs.privacy.pseudonyms import keyed_digest, subject_bucket, subject_keys, with_keys

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ORDERS: Final = "lake.orders"
LANDING: Final = "landing.orders"
CLAIMS: Final = (
    Claim(tombstones.ORDER, C.ORDER_ID, spreads=True),
    Claim(tombstones.SUBJECT, C.SUBJECT_ID, at=C.ORDERED_AT),
    Claim(tombstones.PERSON, C.PERSON_ID, at=C.ORDERED_AT),
)
STATUSES: Final = ("placed", "paid", "shipped", "delivered", "cancelled")

NO_ORDER: Final = "order_id is missing"
UNKNOWN_STATUS: Final = f"status is not one of {', '.join(STATUSES)}"
BAD_ORDER_TIME: Final = "ordered_at is missing or not a time"
BAD_CANCEL_TIME: Final = "cancelled_at is not a time"
BAD_UPDATE: Final = "updated_at is missing or not a time"
BAD_EMAIL: Final = "e-mail address cannot be normalised"
BAD_CURRENCY: Final = "currency is not three letters"


def find_subjects(
    rows: "DataFrame", accounts: "DataFrame", keys: "DataFrame", *, names_accounts: bool = False
) -> "DataFrame":
    """The person behind rows that name an e-mail address, an account, or neither.

    Args:
        rows: with ``customer_id``, ``email`` and ``country`` as text.
        accounts: ``vault.customers``.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.
        names_accounts: give the pseudonym of the account that a row names, also of one that is not known.

    Returns:
        The same rows with ``subject_id`` (null when unknown), its account's country where its own is not known,
        ``person_id`` (null unless asked for), the columns of :func:`jobs.conform.linked_purchases.mark_linked`, and
        ``_is_bad_email``: true where there is an address that gives no person, and no account does.
    """
    known = accounts.select(
        F.col(C.CUSTOMER_ID).alias("_account"),
        F.col(C.SUBJECT_ID).alias("_account_subject"),
        F.col(C.COUNTRY).alias("_account_country"),
    )
    is_account = read_text(C.CUSTOMER_ID) == F.col("_account")
    beside = with_keys(rows, keys).join(known, is_account, how="left")
    own_subject = keyed_digest(normalise_email(F.col(C.EMAIL)), SUBJECT)
    subject_id = F.coalesce(own_subject, F.col("_account_subject"))
    country = F.coalesce(read_country(F.col(C.COUNTRY)), read_country(F.col("_account_country")))
    account = keyed_digest(F.concat(F.lit("customer:"), read_text(C.CUSTOMER_ID)), SUBJECT)
    return beside.select(
        *(name for name in rows.columns if name != C.COUNTRY),
        country.alias(C.COUNTRY),
        subject_id.alias(C.SUBJECT_ID),
        (account if names_accounts else F.lit(None).cast("string")).alias(C.PERSON_ID),
        *mark_linked(subject_id, F.col("_account_subject")),
        (read_text(C.EMAIL).isNotNull() & subject_id.isNull()).alias("_is_bad_email"),
    )


def type_orders(
    landing: "DataFrame", accounts: "DataFrame", keys: "DataFrame", *, names_accounts: bool = False
) -> "DataFrame":
    """Typed, pseudonymous orders, each with the reason against it, if any.

    Args:
        landing: ``landing.orders``.
        accounts: ``vault.customers``.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.
        names_accounts: as for :func:`find_subjects`.

    Returns:
        One row per row: the columns of ``lake.orders``, ``person_id``, ``row_no``, ``reason``, ``raw``, and those of
        :func:`jobs.conform.linked_purchases.mark_linked`.
    """
    named = landing.withColumn(C.RAW, row_as_text(landing))
    rows = named.transform(find_subjects, accounts, keys, names_accounts=names_accounts)
    typed = rows.select(
        F.to_date(read_time(C.ORDERED_AT)).alias(C.DAY),
        read_text(C.ORDER_ID).alias(C.ORDER_ID),
        C.SUBJECT_ID,
        C.PERSON_ID,
        subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET),
        C.COUNTRY,
        F.lower(read_text(C.STATUS)).alias(C.STATUS),
        read_currency().alias(C.CURRENCY),
        read_flag(C.IS_TEST, missing=False, unclear=False).alias(C.IS_TEST),
        read_time(C.ORDERED_AT).alias(C.ORDERED_AT),
        read_time(C.CANCELLED_AT).alias(C.CANCELLED_AT),
        read_time(C.UPDATED_AT).alias(C.UPDATED_AT),
        C.PULL_DAY,
        C.ROW_NO,
        C.RAW,
        ACCOUNT,
        ADDRESS,
        "_is_bad_email",
        (read_text(C.CANCELLED_AT).isNotNull() & read_time(C.CANCELLED_AT).isNull()).alias("_is_bad_cancel"),
        is_bad_currency().alias("_is_bad_currency"),
    )
    broken = {
        NO_ORDER: F.col(C.ORDER_ID).isNull(),
        BAD_ORDER_TIME: F.col(C.ORDERED_AT).isNull(),
        UNKNOWN_STATUS: ~F.coalesce(F.col(C.STATUS).isin(*STATUSES), F.lit(False)),
        BAD_CANCEL_TIME: F.col("_is_bad_cancel"),
        BAD_UPDATE: F.col(C.UPDATED_AT).isNull(),
        BAD_CURRENCY: F.col("_is_bad_currency"),
        BAD_EMAIL: F.col("_is_bad_email"),
    }
    return typed.withColumn(C.REASON, first_broken(broken)).drop("_is_bad_email", "_is_bad_cancel", "_is_bad_currency")


def run(lake: Lake, days: Days) -> StepReport:
    """Conform the orders pulled on ``days``."""
    check_not_expired(lake, LANDING, ORDERS, days)
    rows_in = lake.count(LANDING, days=days)
    accounts, is_watched = lake.read("vault.customers"), tombstones.has_tombstones(lake)
    landed = lake.read(LANDING, days=days)
    orders = landed.transform(type_orders, accounts, subject_keys(lake), names_accounts=is_watched)
    contract, is_valid = lake.contracts[ORDERS], F.col(C.REASON).isNull()
    with lake.scratch(orders) as typed, split_erased(lake, typed, CLAIMS, table=ORDERS, place=ROW_PLACE) as split:
        kept = split.kept
        quarantined = publish_rejects(lake, "quarantine.orders", select_rejects(kept.frame, "orders"), days)
        understood = kept.rows - quarantined
        check_nothing_lost(
            "conform.orders", lines=rows_in, understood=understood, quarantined=quarantined, forgotten=split.rows
        )
        theirs = split.of_others(ROW_PLACE).where(is_valid)
        publish_links(lake, theirs, number=C.ORDER_ID, happened=C.ORDERED_AT, newest_by=C.UPDATED_AT)
        valid = kept.frame.where(is_valid).select(*contract.column_names)
        both = split.add_severed(lake, valid, contract, where=is_valid)
        result = fold(lake, ORDERS, both, pulled=days, newest_by=C.UPDATED_AT)
        split.scrub(lake, LANDING, ROW_PLACE)
    return StepReport(rows_in, result.rows, result.duplicates, quarantined, forgotten=split.rows)
