"""Whoever was erased and is in tables again, because files of theirs were brought back from a backup.

What comes in through a step is kept away by the step. Files that are put back into a table pass no step; but tombstones
know whom they are about, and an erasure of these removes them again. That needs nobody's address.
"""

import secrets
from functools import reduce

from pyspark.sql import functions as F

from jobs.erasure.outcomes import ErasureRequest
from jobs.erasure.tables import list_tables
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.erasures import BY_COLUMNS
from jobs.privacy.tombstones import SUBJECT, find_erased, has_tombstones


def find_restored(lake: Lake) -> ErasureRequest | None:
    """A request for everybody who must be in no table any more and is in one; none where there is nobody.

    Of whom a hold keeps something, that is found as well, and an erasure leaves it again. Whoever came back with a new
    account is not found: their tombstones were lifted.
    """
    if not has_tombstones(lake):
        return None
    tables = [each.name for each in list_tables(lake) if each.erasure and each.erasure.match == BY_COLUMNS]
    named = [name for name in tables if C.SUBJECT_ID in lake.contracts[name].column_names]
    frames = [lake.read(name).select(C.SUBJECT_ID).where(F.col(C.SUBJECT_ID).isNotNull()).distinct() for name in named]
    if not frames:
        return None
    found = find_erased(lake, reduce(lambda one, other: one.unionByName(other), frames), SUBJECT)
    subjects = [row[0] for row in found.where(F.col("_lifted_at").isNull()).select("_erased").collect()]
    return ErasureRequest(f"restored-{secrets.token_hex(4)}", frozenset(subjects)) if subjects else None
