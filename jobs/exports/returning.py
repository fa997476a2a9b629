"""What identifiers that a partner reports back may stand for: whose they are, and under which keys they still count.

An identifier counts on the days of its epoch and of the overlap after it. Identifiers of a key that was destroyed are
known as such by the id of the key, which is public; whose they were nobody can tell any more.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.exports.identities import Identifiers, choose_identifiers, identify, keep_one_each
from jobs.exports.partners import OPAQUE, PAIR, Partner
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.privacy.epochs import epoch_of, not_after, previous, read_epoch
from jobs.privacy.identifiers import KEY_ID_DIGITS, SHAPE, VERSION
from jobs.privacy.keyring import KeyRing, open_keyring, partner_purpose
from jobs.privacy.keyring.keys import PARTNER

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


EVER: Final = (date(1970, 1, 1), date(9999, 12, 31))
"""For identifiers without an epoch."""


@dataclass(frozen=True)
class Returning:
    """Identifiers of one partner, made in one way, that may come back in a range of days.

    Attributes:
        partner: whose they are.
        identifiers: how they were made.
        first: first day on which they count.
        last: last day on which they count.
    """

    partner: Partner
    identifiers: Identifiers
    first: date
    last: date


def find_returning(ring: KeyRing, partners: Iterable[Partner], days: Sequence[date]) -> list[Returning]:
    """Under which keys each partner may report on some days; of partners without packages there are none.

    Raises:
        KeyRingError: the ring cannot be read, or the key that a partner shares with us is not in it.
    """
    found: list[Returning] = []
    for partner in partners:
        if partner.kind == OPAQUE:
            found += _find_epochs(ring, partner, days)
        elif partner.kind != PAIR:
            identifiers = choose_identifiers(ring, partner, days[0])
            found.append(Returning(partner, identifiers, *EVER))
    return found


def look_up(lake: Lake, returning: Sequence[Returning]) -> "DataFrame":
    """Everybody's identifiers: one row of ``partner``, ``ad_id`` and ``subject_id`` per identifier.

    The vault is read for partners only whose identifiers are made from addresses.
    """
    everybody = lake.read("lake.subjects").select(C.SUBJECT_ID, F.lit(None).cast("string").alias(C.REASON))
    parts = [_look_up_one(lake, everybody, each) for each in returning]
    nobody = everybody.where(F.lit(False)).select(
        F.lit("").alias(C.PARTNER), F.lit("").alias(C.AD_ID), F.col(C.SUBJECT_ID)
    )
    return reduce(lambda one, other: one.unionByName(other), parts, nobody)


def counts_on(day: "Column", returning: Sequence[Returning]) -> "Column":
    """True where an identifier is of a kind that counts for its partner on a day.

    Args:
        day: the day it was reported.
        returning: what may come back.
    """
    conditions = [
        (F.col(C.PARTNER) == each.partner.name) & _is_made_by(each.identifiers) & day.between(each.first, each.last)
        for each in returning
    ]
    return reduce(or_, conditions, F.lit(False))


def is_own(ring: KeyRing, partners: Iterable[Partner]) -> "Column":
    """True where an identifier bears the id of a key that its partner has or once had, also of a destroyed one."""
    names = {f"{PARTNER}/{partner.name}/": partner.name for partner in partners if partner.kind == OPAQUE}
    own = [
        f"{name} {entry.key_id}"
        for entry in ring.entries()
        for purpose, name in names.items()
        if entry.purpose.startswith(purpose)
    ]
    return F.concat_ws(" ", C.PARTNER, _key_id()).isin(*own) if own else F.lit(False)


def list_destroyed(ring: KeyRing, partners: Iterable[Partner], days: Days) -> list[str]:
    """Purposes of destroyed keys whose identifiers counted on some of the days."""
    overlaps = {f"{PARTNER}/{partner.name}": partner.overlap_days for partner in partners if partner.kind == OPAQUE}
    found = []
    for entry in ring.entries():
        owner, _, name = entry.purpose.rpartition("/")
        if entry.destroyed_at is not None and owner in overlaps:
            epoch = read_epoch(name)
            last = entry.not_after or not_after(epoch, overlaps[owner])
            found += [entry.purpose] if epoch.first <= days.last and days.first <= last else []
    return found


def open_ring(lake: Lake) -> KeyRing:
    """The lake's key ring."""
    return open_keyring(lake.settings)


def _find_epochs(ring: KeyRing, partner: Partner, days: Sequence[date]) -> Iterator[Returning]:
    current = {epoch_of(day, partner.epoch) for day in days}
    for epoch in sorted(current | {previous(epoch) for epoch in current}, key=lambda epoch: epoch.first):
        key = ring.find(partner_purpose(partner.name, epoch.name))
        if key is not None:
            last = key.not_after or not_after(epoch, partner.overlap_days)
            yield Returning(partner, Identifiers(epoch.name, key, None), epoch.first, last)


def _look_up_one(lake: Lake, everybody: "DataFrame", returning: Returning) -> "DataFrame":
    identified = identify(lake, everybody, returning.identifiers)
    one_each = identified.where(F.col(C.AD_ID).isNotNull()).transform(keep_one_each)
    return one_each.select(F.lit(returning.partner.name).alias(C.PARTNER), C.AD_ID, C.SUBJECT_ID)


def _is_made_by(identifiers: Identifiers) -> "Column":
    return F.lit(True) if identifiers.key_id is None else _key_id() == identifiers.key_id


def _key_id() -> "Column":
    start = len(VERSION) + 2
    return F.when(F.col(C.AD_ID).rlike(SHAPE), F.substring(F.col(C.AD_ID), start, KEY_ID_DIGITS)).otherwise("")
