"""Under which identifiers partners know people, in every way and under every key that is alive.

The partners themselves do not matter: whatever was made for one is made again here. What was made under a destroyed key
nobody can tell any more, nor does it stand for anybody.
"""

from collections.abc import Collection, Iterator

from jobs.lake import Lake
from jobs.people.person import Person, unite
from jobs.privacy.emails import PROFILES, InvalidAddressError, Profile
from jobs.privacy.identifiers import as_shared, identify_under
from jobs.privacy.keyring import open_keyring
from jobs.privacy.keyring.keys import PARTNER, SHARED


def list_ad_ids(lake: Lake, people: Collection[Person]) -> frozenset[str]:
    """All identifiers that packages may know the people by."""
    return frozenset((*_list_keyed(lake, people), *_list_unkeyed(people)))


def _list_keyed(lake: Lake, people: Collection[Person]) -> Iterator[str]:
    ring = open_keyring(lake.settings)
    for purpose in {entry.purpose for entry in ring.entries() if entry.destroyed_at is None}:
        kind = purpose.partition("/")[0]
        if kind not in (PARTNER, SHARED):
            continue
        key = ring.find(purpose)
        if key is not None and kind == PARTNER:
            yield from map(identify_under(key), unite(people, "subject_ids"))
        elif key is not None:
            identify = identify_under(as_shared(key))
            yield from (identify(form) for profile in PROFILES.values() for form in _normalise(people, profile))


def _list_unkeyed(people: Collection[Person]) -> Iterator[str]:
    for profile in PROFILES.values():
        if profile.encoding is not None:
            yield from map(profile.digest_text, _normalise(people, profile))


def _normalise(people: Collection[Person], profile: Profile) -> Iterator[str]:
    for address in unite(people, "addresses") | unite(people, "emails"):
        try:
            yield profile.normalise_text(address)
        except InvalidAddressError:
            continue
