"""Record an opt-out or opt-in under the pseudonym of the address it came with; the address itself is not kept."""

from datetime import datetime

from pyspark.sql import functions as F

from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.choices import FLAGS
from jobs.privacy.emails import normalise_email
from jobs.privacy.pseudonyms import keyed_digest, subject_bucket, subject_keys, with_keys

CHOICES = "ledger.choices"


def record_choice(lake: Lake, address: str, *, purpose: str, is_opt_out: bool, asked_at: datetime) -> bool:
    """Record what a person asked for; it holds from the next export and the next marts on.

    Args:
        lake: the lake.
        address: e-mail address as the person wrote it.
        purpose: ``ads`` or ``personalisation``.
        is_opt_out: true to opt out, false to opt in again.
        asked_at: when the person asked, UTC; the latest choice holds.

    Returns:
        True when the address belongs to an account that the lake knows. A choice of somebody unknown is kept all the
        same: it holds as soon as the account is pulled.

    Raises:
        UsageError: the address cannot be one, or the purpose is unknown.
    """
    if purpose not in FLAGS:
        message = f"purpose must be one of {', '.join(FLAGS)}, got {purpose}."
        raise UsageError(message)
    keys = subject_keys(lake)
    asked = lake.session.createDataFrame(
        [(address, purpose, is_opt_out, asked_at)],
        "_email string, purpose string, is_opt_out boolean, asked_at timestamp",
    )
    subject = keyed_digest(normalise_email(F.col("_email")), "subject")
    choice = with_keys(asked, keys).withColumn(C.SUBJECT_ID, subject).where(F.col(C.SUBJECT_ID).isNotNull())
    rows = choice.select(
        C.SUBJECT_ID,
        subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET),
        C.PURPOSE,
        C.IS_OPT_OUT,
        C.ASKED_AT,
        F.lit(None).cast("timestamp").alias(C.ENDED_AT),
    )
    if rows.count() == 0:
        message = "The address is no e-mail address (one @, a domain with a dot, no spaces); nothing was recorded."
        raise UsageError(message)
    lake.merge(CHOICES, rows, newest_by=C.ASKED_AT)
    known = lake.read("lake.subjects").select(C.SUBJECT_ID)
    return rows.join(known, C.SUBJECT_ID, how="inner").count() > 0
