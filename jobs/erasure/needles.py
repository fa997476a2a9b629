"""What to look for when nothing of some people may be left: everything they are called that tells them from others."""

import base64
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Final

from jobs.audit.identifiers import Identifiers
from jobs.audit.needles import Kind
from jobs.lake import Lake
from jobs.people.identifiers import list_ad_ids
from jobs.people.person import Person, unite
from jobs.privacy.emails import PROFILES, InvalidAddressError
from jobs.privacy.keyring import KeyRing, open_keyring
from jobs.privacy.keyring.keys import PAIR
from jobs.privacy.pair.commutative import derive_scalar, encrypt
from jobs.privacy.pair.keys import SHARED_PREFIX
from jobs.privacy.pair.match_keys import make_seed

IN_PACKAGES: Final = Kind.OTHER
"""The kind of identifiers that partners know people by."""
NUMBERS: Final = ("customer_ids", "order_ids", "return_ids", "visitors")
PSEUDONYMS: Final = ("subject_ids", "person_ids")


def list_identifiers(lake: Lake, people: Collection[Person]) -> Identifiers:
    """All that may stand nowhere.

    Names, phones and streets that somebody else has as well are left out, and so are such as stand in innocent text
    (see :mod:`jobs.audit.identifiers`).
    """
    identifiers = Identifiers()
    identifiers.add(IN_PACKAGES, list_ad_ids(lake, people))
    identifiers.add(IN_PACKAGES, _list_points(open_keyring(lake.settings), people))
    shared = unite(people, "shared")
    identifiers.add(Kind.EMAIL, unite(people, "addresses") | unite(people, "emails"))
    for kind, attribute in ((Kind.NAME, "names"), (Kind.PHONE, "phones"), (Kind.STREET, "streets")):
        identifiers.add(kind, unite(people, attribute) - shared)
    for attribute in NUMBERS:
        identifiers.add(Kind.ACCOUNT, unite(people, attribute))
    identifiers.add(Kind.ACCOUNT, (parcel.partition("/")[2] for parcel in unite(people, "parcel_ids")))
    for attribute in PSEUDONYMS:
        identifiers.add(Kind.PSEUDONYM, unite(people, attribute))
    return identifiers


def _list_points(ring: KeyRing, people: Collection[Person]) -> Iterator[str]:
    """Encrypted identifiers of PAIR lists."""
    digests = list(_list_pair_digests(people))
    own, shared = _list_pair_keys(ring) if digests else ([], {})
    for partner, secret in own:
        scalar = derive_scalar(secret)
        for salt in (b"", *shared.get(partner, ())):
            yield from (base64.b64encode(encrypt(make_seed(digest, salt), scalar)).decode() for digest in digests)


def _list_pair_keys(ring: KeyRing) -> tuple[list[tuple[str, bytes]], dict[str, list[bytes]]]:
    """Partner and secret of each of our keys that is alive, and the secrets that each partner shares with us."""
    own, shared = [], defaultdict(list)
    for entry in ring.entries():
        kind, _, rest = entry.purpose.partition("/")
        if kind == PAIR and entry.destroyed_at is None:
            partner, _, name = rest.partition("/")
            secret = ring.key(entry.purpose, may_make=False).secret
            shared[partner].append(secret) if name.startswith(SHARED_PREFIX) else own.append((partner, secret))
    return own, shared


def _list_pair_digests(people: Collection[Person]) -> Iterator[str]:
    profile = PROFILES["pair"]
    for address in unite(people, "emails") | unite(people, "addresses"):
        try:
            yield profile.digest_text(profile.normalise_text(address))
        except InvalidAddressError:
            continue
