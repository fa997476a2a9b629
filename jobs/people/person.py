"""One human: every account, address and number by which our tables know them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from jobs.privacy.subject_ids import bucket_of

Names = frozenset[str]
NOTHING: Names = frozenset()


@dataclass(frozen=True, repr=False)
class Person:
    """What a human is called; printing it shows counts only.

    Attributes:
        subject_ids: pseudonyms of all addresses, and of visitors that are this person's alone.
        person_ids: pseudonyms of all accounts.
        customer_ids: account numbers.
        order_ids: orders placed with any address or account.
        return_ids: returns of these.
        parcel_ids: parcels of the orders, as ``carrier/number``.
        visitors: cookies that came with this person's address and nobody else's.
        addresses: e-mail addresses in the normal form.
        emails: the same as they were written.
        phones: numbers as they were written.
        names: full names as they were written.
        streets: streets with house numbers as they were written.
        shared: of phones, names and streets those that stand for somebody else as well, and so tell nobody.
        places: pseudonyms under which some of their orders stand although others use them too; they tell where to
            look, and nobody.
        is_known: false where nothing is held but the address that was asked about.
    """

    subject_ids: Names = NOTHING
    person_ids: Names = NOTHING
    customer_ids: Names = NOTHING
    order_ids: Names = NOTHING
    return_ids: Names = NOTHING
    parcel_ids: Names = NOTHING
    visitors: Names = NOTHING
    addresses: Names = NOTHING
    emails: Names = NOTHING
    phones: Names = NOTHING
    names: Names = NOTHING
    streets: Names = NOTHING
    shared: Names = NOTHING
    places: Names = NOTHING
    is_known: bool = False

    @cached_property
    def buckets(self) -> frozenset[int]:
        """Buckets that rows of the person can be in."""
        return frozenset(bucket_of(subject_id) for subject_id in self.subject_ids | self.places)

    def to_json(self) -> str:
        """All of it as text, to be sealed; the same person gives the same text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
        return json.dumps(plain, ensure_ascii=False)

    def __or__(self, other: "Person") -> "Person":
        """What two descriptions of one human tell together."""
        return Person(**{field.name: getattr(self, field.name) | getattr(other, field.name) for field in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> "Person":
        """The person that :meth:`to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        names: dict[str, Any] = {name: frozenset(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**names)

    def __repr__(self) -> str:
        accounts, addresses, orders = len(self.person_ids), len(self.subject_ids), len(self.order_ids)
        return f"Person({accounts} accounts, {addresses} addresses, {orders} orders)"


def unite(people: Iterable[Person], name: str) -> Names:
    """What several people are called together, by the name of an attribute of :class:`Person`."""
    return NOTHING.union(*(getattr(person, name) for person in people))
