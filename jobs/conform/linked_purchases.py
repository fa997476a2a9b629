"""``vault.linked_purchases``: orders and returns of accounts under addresses that are not the account's.

``lake.orders`` knows an order by the address it was placed with, and landing, which names the account as well, is gone
after a month. What is asked about the account later has to reach the order all the same.

Rules:
    * A row that names an account and an address that the account does not have is a link; so is one that names an
      account nobody knows, and no address.
    * Of several rows of one order the last changed counts, whether it is a link or not.
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.fields import read_text
from jobs.conform.folding import keep_newest
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.emails import normalise_email
from jobs.privacy.keyring import SUBJECT
from jobs.privacy.pseudonyms import keyed_digest, subject_bucket, subject_keys, with_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TABLE: Final = "vault.linked_purchases"
IDENTITIES: Final = "vault.identities"
ACCOUNT: Final = "_linked_account"
ADDRESS: Final = "_linked_address"


def mark_linked(subject_id: "Column", account_subject: "Column") -> "tuple[Column, Column]":
    """Account and address of a row that may be a link, null in all others.

    Args:
        subject_id: of the row, which has ``customer_id`` and ``email`` as text.
        account_subject: of the account that it names.
    """
    is_linked = ~F.coalesce(subject_id == account_subject, F.lit(False))
    address = normalise_email(F.col(C.EMAIL))
    return F.when(is_linked, read_text(C.CUSTOMER_ID)).alias(ACCOUNT), F.when(is_linked, address).alias(ADDRESS)


def select_links(
    rows: "DataFrame", identities: "DataFrame", keys: "DataFrame", *, number: str, happened: str, newest_by: str
) -> "DataFrame":
    """What the newest row of each order or return says, in the columns of ``vault.linked_purchases``.

    Args:
        rows: valid ones, with ``pull_day`` and the columns of :func:`mark_linked`.
        identities: ``vault.identities``.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.
        number: column that names a row, ``order_id`` or ``return_id``.
        happened: column that says when it was placed.
        newest_by: column that says which of two rows of one number is newer.

    Returns:
        One row per number; ``customer_id`` is null for those that are no link.
    """
    read = dict.fromkeys((number, happened, newest_by, C.PULL_DAY, ACCOUNT, ADDRESS))
    newest = keep_newest(rows.select(*read), key=(number,), newest_by=newest_by)
    own = identities.select(F.col(C.CUSTOMER_ID).alias(ACCOUNT), F.col(C.EMAIL_NORMALISED).alias(ADDRESS)).distinct()
    told = with_keys(newest.join(own.withColumn("_is_own", F.lit(True)), on=[ACCOUNT, ADDRESS], how="left"), keys)
    account = F.when(F.col("_is_own").isNull(), F.col(ACCOUNT))
    subject_id = keyed_digest(F.col(ADDRESS), SUBJECT)
    none = F.lit(None).cast("string")
    return told.select(
        keyed_digest(F.concat(F.lit(f"{number}:"), F.col(number)), SUBJECT).alias(C.LINK_ID),
        *((F.col(number) if name == number else none).alias(name) for name in (C.ORDER_ID, C.RETURN_ID)),
        account.alias(C.CUSTOMER_ID),
        keyed_digest(F.concat(F.lit("customer:"), account), SUBJECT).alias(C.PERSON_ID),
        subject_id.alias(C.SUBJECT_ID),
        subject_bucket(subject_id).alias(C.SUBJECT_BUCKET),
        F.col(ADDRESS).alias(C.EMAIL_NORMALISED),
        F.to_date(happened).alias(C.DAY),
        F.col(newest_by).cast("timestamp").alias(C.UPDATED_AT),
    )


def publish_links(lake: Lake, rows: "DataFrame", *, number: str, happened: str, newest_by: str) -> None:
    """Merge the links of a pull, and drop those that it corrected; a second time changes nothing.

    Args:
        lake: the lake.
        rows: as for :func:`select_links`.
        number: as there.
        happened: as there.
        newest_by: as there.
    """
    identities, keys = lake.read(IDENTITIES), subject_keys(lake)
    told = rows.transform(select_links, identities, keys, number=number, happened=happened, newest_by=newest_by)
    with lake.scratch(told) as newest:
        is_link = F.col(C.CUSTOMER_ID).isNotNull()
        _drop_corrected(lake, newest.frame.where(~is_link))
        with lake.scratch(newest.frame.where(is_link)) as fresh:
            if fresh.rows:
                lake.merge(TABLE, fresh.frame, newest_by=C.UPDATED_AT)


def _drop_corrected(lake: Lake, settled: "DataFrame") -> None:
    """Remove links of orders and returns that are none any more."""
    base = lake.current_files(TABLE)
    if not base:
        return
    held = lake.read(TABLE)
    corrected = settled.select(C.LINK_ID, F.col(C.UPDATED_AT).alias("_corrected_at"))
    gone = held.join(corrected, on=C.LINK_ID, how="inner").where(F.col("_corrected_at") >= F.col(C.UPDATED_AT))
    with lake.scratch(gone.select(C.LINK_ID)) as found:
        if found.rows:
            lake.replace(TABLE, held.join(found.frame, on=C.LINK_ID, how="left_anti").select(*held.columns), base=base)
