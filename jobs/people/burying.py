"""Tombstones for people: everything by which a row of theirs could come back."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from jobs.lake import Lake
from jobs.people.identifiers import list_ad_ids
from jobs.people.person import Person, unite
from jobs.privacy import tombstones

ATTRIBUTES: Final = {
    tombstones.SUBJECT: "subject_ids",
    tombstones.PERSON: "person_ids",
    tombstones.ORDER: "order_ids",
    tombstones.RETURN: "return_ids",
    tombstones.PARCEL: "parcel_ids",
}


def bury(lake: Lake, people: Collection[Person], *, at: datetime) -> None:
    """Write the tombstones of some people, before anything of them is removed; a second time changes nothing.

    Args:
        lake: the lake.
        people: of :func:`jobs.people.finding.find_people`.
        at: when they are erased, UTC.
    """
    names = {kind: unite(people, attribute) for kind, attribute in ATTRIBUTES.items()}
    tombstones.set_tombstones(lake, {**names, tombstones.AD_ID: list_ad_ids(lake, people)}, at=at)
