"""Accounts that addresses in common tie together, also over several steps: most often one human with two accounts."""

from collections.abc import Iterable


def draw_circles(ties: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The circle of each account that is tied to another: the smallest ``person_id`` in it.

    Args:
        ties: addresses with their accounts, in any order.
    """
    parents: dict[str, str] = {}

    def find_root(person: str) -> str:
        while (parent := parents.setdefault(person, person)) != person:
            parents[person] = parents[parent]
            person = parents[person]
        return person

    first_holders: dict[str, str] = {}
    for subject, person in ties:
        one, other = find_root(first_holders.setdefault(subject, person)), find_root(person)
        parents[max(one, other)] = min(one, other)
    return {person: find_root(person) for person in parents}
