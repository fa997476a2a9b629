"""Everything that a person is called has a tombstone once they are buried."""

from datetime import UTC, datetime

from jobs.people.burying import ATTRIBUTES, bury
from jobs.people.person import Person
from jobs.privacy.tombstones import find_tombstones

AT = datetime(2024, 1, 31, 12, tzinfo=UTC)


def test_every_name_of_a_person_has_a_tombstone_and_no_other(lake):
    person = Person(**{attribute: frozenset({f"{kind}-1", f"{kind}-2"}) for kind, attribute in ATTRIBUTES.items()})
    bury(lake, [person], at=AT)
    for kind in ATTRIBUTES:
        assert len(find_tombstones(lake, {kind: [f"{kind}-1", f"{kind}-2", f"{kind}-3"]})) == 2
    assert lake.count("ledger.tombstones") == 2 * len(ATTRIBUTES)
