"""E-mail addresses for people of public data sets, who have none: made from the person's number by a fixed rule."""

import zlib
from collections.abc import Sequence
from typing import Final

DOMAINS: Final = ("example.com", "example.org", "example.net", "mail.example.com")


def address_of(person: str) -> str:
    """The person's address; the domain is always the same for the same person.

    | person | address |
    |---|---|
    | 17850 | c17850@example.net, or another reserved domain |
    """
    return f"c{person}@{DOMAINS[zlib.crc32(person.encode()) % len(DOMAINS)]}"


def spell_addresses(people: Sequence[str | None]) -> list[str | None]:
    """The people's addresses in changing letter case: as made, in capitals, and with a capital first letter."""
    spelled: list[str | None] = []
    for place, person in enumerate(people):
        address = None if person is None else address_of(person)
        spelled.append(address and (address, address.upper(), address.capitalize())[place % 3])
    return spelled
