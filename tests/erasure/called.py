"""What the people of the small lake are called, also by partners, before one of them is erased."""

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

from jobs.erasure.needles import list_identifiers
from jobs.people.finding import find_people
from jobs.people.identifiers import list_ad_ids
from jobs.privacy.keyring import open_keyring
from jobs.privacy.keyring.keys import pair_purpose, partner_purpose

from . import small

PARTNER = partner_purpose("adnet-eu", "2024Q1")
PAIR = pair_purpose("publisher", "2024-01-01")


@dataclass(frozen=True)
class Traces:
    """What somebody is called, before the erasure."""

    email: str
    name: str
    phone: str
    street: str
    account: str
    order: str
    subject: str
    ad_id: str
    point: str

    def hash(self, algorithm=hashes.SHA256):
        """An unkeyed hash of the address, as advertising platforms take it."""
        digest = hashes.Hash(algorithm())
        digest.update(self.email.lower().encode())
        return digest.finalize()

    def all(self):
        return set(vars(self).values()) | {self.hash().hex()}


def make_keys(lake):
    """Keys of two partners, by which the people have identifiers."""
    ring = open_keyring(lake.settings)
    ring.key(PARTNER)
    ring.key(PAIR)


def trace(lake, who):
    """What somebody of the small lake is called, and the needles that find it."""
    (person,) = find_people(lake, subject_ids=[small.subject(lake, who)])
    identifiers = list_identifiers(lake, [person])
    points = identifiers.list_forms().hashed - list_ad_ids(lake, [person])
    known = {*small.values_of(who), *person.emails, *person.addresses, *person.phones}
    point = next(value for value in sorted(points - known) if value.endswith("="))
    ad_id = next(value for value in sorted(list_ad_ids(lake, [person])) if value.startswith("sx1-"))
    named = small.EMAILS, small.NAMES, small.PHONES, small.STREETS, small.ACCOUNTS
    first = small.ORDERS[who][0]
    return Traces(*(each[who] for each in named), first, small.subject(lake, who), ad_id, point), identifiers
