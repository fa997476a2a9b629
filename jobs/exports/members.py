"""What a partner holds, and what a package changes in it; under the partner's own identifiers, without any subject.

``ledger.audience_members`` is what the partner holds after the last package it acknowledged. What a package changes
waits in ``ledger.audience_changes`` until the partner acknowledges it. A package that is not acknowledged may have been
applied or not, so whatever it changed is said again by the next one, which is right in both cases. Of platforms, whose
identifiers a dictionary undoes, both lie in the vault.
"""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.errors import SophiluxError
from jobs.exports.partners import PLATFORM
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.declarations import UNKEYED_DIGEST, declare

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ADD: Final = "add"
REMOVE: Final = "remove"
DIGEST_DIGITS: Final = 16


@dataclass(frozen=True)
class Books:
    """The tables in which it is kept what partners hold, and what their packages change."""

    members: str
    changes: str


LEDGER: Final = Books("ledger.audience_members", "ledger.audience_changes")
VAULT: Final = Books("vault.platform_members", "vault.platform_changes")


def choose_books(kind: str) -> Books:
    """The books of partners of a kind."""
    return VAULT if kind == PLATFORM else LEDGER


def name_package(partner: str, manifest_sha256: str) -> str:
    """What a package's changes are kept under, such as ``adnet-eu.0123456789abcdef``."""
    return f"{partner}.{manifest_sha256[:DIGEST_DIGITS]}"


def find_changes(audience: "DataFrame", members: "DataFrame", pending: "DataFrame") -> "DataFrame":
    """What a partner has to be told.

    Args:
        audience: who may be exported now: ``ad_id``, ``country``, ``segment``, one row per identifier.
        members: the same columns, as the partner holds them after the last package it acknowledged.
        pending: ``ad_id`` of everybody whom packages since then added or removed.

    Returns:
        ``ad_id``, ``change``, ``country`` and ``segment``: ``add`` for whoever is new or is held differently,
        ``remove`` for whoever is held and may no longer be; and one of both for whoever is pending. Nobody twice.
    """
    now = audience.select(C.AD_ID, C.COUNTRY, C.SEGMENT, F.lit(True).alias("_is_now"))
    then = members.select(
        C.AD_ID, F.col(C.COUNTRY).alias("_country"), F.col(C.SEGMENT).alias("_segment"), F.lit(True).alias("_is_held")
    )
    asked = pending.select(C.AD_ID).distinct().withColumn("_is_pending", F.lit(True))
    both = then.join(asked, C.AD_ID, how="full").join(now, C.AD_ID, how="full")
    is_same = F.col("_country").eqNullSafe(F.col(C.COUNTRY)) & F.col("_segment").eqNullSafe(F.col(C.SEGMENT))
    is_known = F.col("_is_held").isNotNull() & F.col("_is_pending").isNull() & is_same
    change = F.when(F.col("_is_now").isNull(), F.lit(REMOVE)).when(~is_known, F.lit(ADD))
    told = both.withColumn(C.CHANGE, change).where(F.col(C.CHANGE).isNotNull())
    return told.select(C.AD_ID, C.CHANGE, C.COUNTRY, C.SEGMENT)


def read_members(lake: Lake, books: Books, partner: str) -> "DataFrame":
    """What one partner holds."""
    return _read(lake, books, books.members).where(F.col(C.PARTNER) == partner)


def read_pending(lake: Lake, books: Books, partner: str) -> "DataFrame":
    """What one partner's packages change that are not acknowledged."""
    return _read(lake, books, books.changes).where(F.col(C.PARTNER) == partner)


def record_changes(
    lake: Lake,
    books: Books,
    changes: "DataFrame",
    *,
    package_id: str,
    partner: str,
    day: date,
    epoch: str | None,
    key_id: str | None,
) -> None:
    """Keep a package's changes until it is acknowledged; a second time replaces them."""
    rows = changes.select(
        F.lit(package_id).alias(C.PACKAGE_ID),
        F.lit(partner).alias(C.PARTNER),
        C.AD_ID,
        C.CHANGE,
        F.lit(epoch).cast("string").alias(C.EPOCH),
        F.lit(key_id).cast("string").alias(C.KEY_ID),
        C.COUNTRY,
        C.SEGMENT,
        F.lit(day).alias(C.AS_OF),
    )
    lake.replace(books.changes, rows, partitions=[package_id])


def apply_changes(lake: Lake, books: Books, *, package_id: str, partner: str, day: date, expected: int) -> int:
    """Take over what an acknowledged package changed; a second time changes nothing.

    Args:
        lake: the lake.
        books: of the partner's kind.
        package_id: of :func:`name_package`.
        partner: whose audience it is.
        day: of the package.
        expected: rows that the package told, to hold the changes against.

    Returns:
        Identifiers that the partner holds now.

    Raises:
        SophiluxError: the changes are not all there any more; nothing was changed.
    """
    base = lake.current_files(books.members, [partner])
    with lake.scratch(lake.read(books.changes).where(F.col(C.PACKAGE_ID) == package_id)) as changes:
        if changes.rows != expected:
            message = (
                f"The package told {expected:,} changes, but the ledger still knows {changes.rows:,}; nothing was "
                "acknowledged. Export a new package, and acknowledge that one."
            )
            raise SophiluxError(message)
        kept = read_members(lake, books, partner).join(changes.frame.select(C.AD_ID), C.AD_ID, how="left_anti")
        names = [column for column in lake.contracts[books.members].column_names if column != C.AS_OF]
        added = changes.frame.where(F.col(C.CHANGE) == ADD)
        members = kept.select(*names).unionByName(added.select(*names)).withColumn(C.AS_OF, F.lit(day))
        return lake.replace(books.members, members, partitions=[partner], base=base).rows


def forget_others(lake: Lake, books: Books, partner: str, package_id: str) -> None:
    """Drop the changes of a partner's earlier packages, all of which the one named says again."""
    packages = {str(file.partition) for file in lake.list_files(books.changes)}
    _drop(lake, books, sorted(name for name in packages - {package_id} if name.rpartition(".")[0] == partner))


def forget_changes(lake: Lake, books: Books, package_id: str) -> None:
    """Drop the changes of a package that are taken over."""
    _drop(lake, books, sorted({str(file.partition) for file in lake.list_files(books.changes)} & {package_id}))


def _read(lake: Lake, books: Books, table: str) -> "DataFrame":
    """Rows of a book; what the vault has of platforms are their own digests, and go to nobody else."""
    rows = lake.read(table)
    if books is LEDGER:
        return rows
    return rows.withColumn(C.AD_ID, declare(UNKEYED_DIGEST, F.col(C.AD_ID)))


def _drop(lake: Lake, books: Books, packages: list[str]) -> None:
    if packages:
        lake.drop_partitions(books.changes, packages)
