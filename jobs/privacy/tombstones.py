"""What erased people were called, kept as digests, so that nothing brings them back.

A tombstone is the digest of a pseudonym or number under a key that is used for nothing else. Without the key it tells
nothing; with it, one can only ask whether something that is there belongs to somebody who was erased.

A person who opens a new account is welcome: the tombstones of the address are lifted, and what happened from then on is
taken in; what happened before stays away.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.privacy.keyring import TOMBSTONE, Key, open_keyring
from jobs.privacy.pseudonyms import key_relation, keyed_digest, with_keys
from jobs.privacy.subject_ids import digest_under

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

TABLE: Final = "ledger.tombstones"
KINDS: Final = ("subject", "person", "order", "return", "parcel", "ad_id")
SUBJECT, PERSON, ORDER, RETURN, PARCEL, AD_ID = KINDS
NOTHING_WAITS: Final = {C.ADS_OPT_OUT_AT: None, C.PERSONALISATION_OPT_OUT_AT: None}
Names = Mapping[str, Collection[str]]
"""What people are called, by kind."""
Returns = Mapping[str, Mapping[str, datetime]]
"""What people are called who come back, by kind, each with the time from which on it is taken in."""
Row = dict[str, Any]


def tombstone_digest(lake: Lake) -> Callable[[str], str]:
    """Digests under the tombstones' key.

    Raises:
        KeyRingError: the ring has no such key although there are tombstones.
    """
    return digest_under(_find_key(lake))


def tombstone_keys(lake: Lake) -> "DataFrame":
    """The key relation of tombstones and of severed rows, with the name ``tombstone``.

    Raises:
        KeyRingError: as :func:`tombstone_digest`.
    """
    return key_relation(lake.session, **{TOMBSTONE: _find_key(lake)})


def set_tombstones(lake: Lake, names: Names, *, at: datetime) -> None:
    """Keep people away from now on; a second time changes nothing.

    Args:
        lake: the lake.
        names: what they are called.
        at: when they are erased, UTC.
    """
    digest = tombstone_digest(lake)
    rows = [
        {C.DAY: at.date(), C.KIND: kind, C.DIGEST: digest(f"{kind}:{name}"), C.ERASED_AT: at, C.LIFTED_AT: None}
        for kind, values in names.items()
        for name in values
    ]

    def choose(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
        held = {(row[C.KIND], row[C.DIGEST]) for row in kept if row[C.LIFTED_AT] is None}
        return [row for row in rows if (row[C.KIND], row[C.DIGEST]) not in held]

    if rows:
        lake.extend(TABLE, [str(at.date())], choose)


def lift_tombstones(lake: Lake, names: Returns, *, keep: Callable[[Sequence[Row]], None] = lambda _: None) -> None:
    """Welcome people who opened a new account.

    Args:
        lake: the lake.
        names: what they are called, by kind, each with the time from which on it is taken in.
        keep: is given the tombstones as they are, before what waits on them is dropped; called again where somebody
            changed them meanwhile.
    """
    digest = tombstone_digest(lake)
    times = {(kind, digest(f"{kind}:{name}")): at for kind, values in names.items() for name, at in values.items()}

    def choose(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = [(row, times.get((row[C.KIND], row[C.DIGEST]))) for row in kept]
        lifted = [(row, at) for row, at in found if at and row[C.ERASED_AT] < at and not row[C.LIFTED_AT]]
        keep([row for row, _ in lifted])
        return [{**row, **NOTHING_WAITS, C.LIFTED_AT: at} for row, at in lifted]

    days = {str(row[C.DAY]) for row in find_tombstones(lake, {kind: [*values] for kind, values in names.items()})}
    for day in sorted(days):
        lake.extend(TABLE, [day], choose)


def find_tombstones(lake: Lake, names: Names) -> list[dict[str, Any]]:
    """The tombstones of what a few people are called, without an engine."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not has_tombstones(lake):
        return []
    digest = tombstone_digest(lake)
    wanted = pa.array([digest(f"{kind}:{name}") for kind, values in names.items() for name in values], pa.string())
    columns = lake.contracts[TABLE].column_names
    parts = (
        rows.filter(pc.is_in(rows[C.DIGEST], value_set=wanted)) for rows in scan_rows(lake, TABLE, columns=columns)
    )
    return [row for part in parts for row in part.to_pylist()]


def list_erased(lake: Lake, kind: str, names: Collection[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
    """Those of a few names that stand for somebody erased, and not welcome again at the time beside.

    Args:
        lake: the lake.
        kind: of the names.
        names: each with when happened what is about to be kept, in UTC.
    """
    stones = {row[C.DIGEST]: row for row in _order(find_tombstones(lake, {kind: {name for name, _ in names}}))}
    if not stones:
        return set()
    digest = tombstone_digest(lake)
    of_names = {(name, at): stones.get(digest(f"{kind}:{name}")) for name, at in names}
    return {key for key, stone in of_names.items() if stone and _is_away(stone, key[1])}


def has_tombstones(lake: Lake) -> bool:
    """True once somebody was erased."""
    return lake.count(TABLE) > 0


def find_erased(lake: Lake, values: "DataFrame", kind: str) -> "DataFrame":
    """Which of some values stand for somebody erased.

    Args:
        lake: the lake.
        values: one column.
        kind: what the values are.

    Returns:
        ``_erased``, one row per value, with ``_erased_at`` of the latest erasure and ``_lifted_at``: null while nothing
        is taken in.
    """
    (name,) = values.columns
    distinct = values.distinct()
    digest = keyed_digest(F.concat(F.lit(f"{kind}:"), F.col(name)), TOMBSTONE)
    digested = with_keys(distinct, tombstone_keys(lake)).select(F.col(name).alias("_erased"), digest.alias("_digest"))
    return digested.join(F.broadcast(_read(lake, kind)), "_digest", how="inner").drop("_digest")


def _read(lake: Lake, kind: str) -> "DataFrame":
    """The tombstones of a kind, one row per digest; of several that lies deepest which is not lifted."""
    rows = lake.read(TABLE).where(F.col(C.KIND) == kind).groupBy(F.col(C.DIGEST).alias("_digest"))
    is_lifted: Column = F.min(F.col(C.LIFTED_AT).isNotNull().cast("int")) == 1
    lifted_at = F.when(is_lifted, F.max(C.LIFTED_AT))
    return rows.agg(F.max(C.ERASED_AT).alias("_erased_at"), lifted_at.alias("_lifted_at"))


def _find_key(lake: Lake) -> Key:
    return open_keyring(lake.settings).key(TOMBSTONE, may_make=not has_tombstones(lake))


def _order(stones: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tombstones that are not lifted last, because of several of one name those count."""
    return sorted(stones, key=lambda row: (row[C.LIFTED_AT] is None, row[C.LIFTED_AT] and _in_utc(row[C.LIFTED_AT])))


def _is_away(stone: Mapping[str, Any], at: datetime) -> bool:
    return stone[C.LIFTED_AT] is None or _in_utc(at) < _in_utc(stone[C.LIFTED_AT])


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
