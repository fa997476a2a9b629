"""Pseudonyms of a few addresses that somebody wrote to us with."""

from collections.abc import Sequence

from pyspark.sql import functions as F

from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.privacy.emails import normalise_email
from jobs.privacy.keyring import SUBJECT
from jobs.privacy.pseudonyms import keyed_digest, subject_keys, with_keys


def identify_addresses(lake: Lake, addresses: Sequence[str]) -> list[str]:
    """The pseudonym of each address, in order.

    Raises:
        UsageError: some are no e-mail addresses; the message counts them.
    """
    if not addresses:
        return []
    given = lake.session.createDataFrame(list(enumerate(addresses)), "_place int, _email string")
    subject = keyed_digest(normalise_email(F.col("_email")), SUBJECT)
    rows = with_keys(given, subject_keys(lake)).select("_place", subject.alias("_subject")).collect()
    found = {row[0]: row[1] for row in rows}
    broken = sum(subject_id is None for subject_id in found.values())
    if broken:
        message = f"{broken} of {len(addresses)} are no e-mail addresses (one @, a domain with a dot, no spaces)."
        raise UsageError(message)
    return [found[place] for place in range(len(addresses))]
