"""What is found of several humans so far, and whose each name is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from jobs.lake import columns as C
from jobs.people.ties import Tie
from jobs.privacy.subject_ids import bucket_of

Found = dict[str, set[str]]
"""What one human is called, by the name of an attribute of :class:`Person`."""
ATTRIBUTES: Final = {
    C.CUSTOMER_ID: "customer_ids",
    C.SUBJECT_ID: "subject_ids",
    C.ORDER_ID: "order_ids",
    C.RETURN_ID: "return_ids",
    C.PARCEL_ID: "parcel_ids",
    C.EMAIL: "emails",
    C.PHONE: "phones",
    C.FULL_NAME: "names",
    C.STREET: "streets",
}


class Humans:
    """What is found of each human so far, and whose each name is.

    Args:
        circles: for each human the pseudonyms asked for and their accounts' addresses.
        given: addresses that were asked for, by pseudonym.
    """

    def __init__(self, circles: Iterable[tuple[frozenset[str], list[Tie]]], given: Mapping[str, str]) -> None:
        self.everybody: list[Found] = []
        self._owner: dict[tuple[str, str], Found] = {}
        for asked, ties in circles:
            human: Found = defaultdict(set)
            self.everybody.append(human)
            for subject_id in asked:
                self.add(human, C.SUBJECT_ID, subject_id)
            human["addresses"].update(given[subject_id] for subject_id in asked if subject_id in given)
            for tie in ties:
                self.add(human, C.SUBJECT_ID, tie.subject_id)
                self.add(human, C.CUSTOMER_ID, tie.customer_id)
                human["person_ids"].add(tie.person_id)
                human["addresses"].add(tie.address)

    def add(self, human: Found, column: str, value: str) -> None:
        """Take a name of somebody; one that is somebody else's already stays theirs."""
        if self._owner.setdefault((column, value), human) is human:
            human[ATTRIBUTES[column]].add(value)

    def take_cookie(self, human: Found, visitor_id: str) -> None:
        """Take the pseudonym of a cookie that is somebody's alone; asked for by itself it is nobody else."""
        holder = self.owner(C.SUBJECT_ID, visitor_id)
        if holder is not None and holder is not human and holder[ATTRIBUTES[C.SUBJECT_ID]] == {visitor_id}:
            self.everybody = [each for each in self.everybody if each is not holder]
            self._owner[C.SUBJECT_ID, visitor_id] = human
        self.add(human, C.SUBJECT_ID, visitor_id)

    def owner(self, column: str, value: str | None) -> Found | None:
        """Whose a name is."""
        return self._owner.get((column, value)) if value is not None else None

    def names(self, attribute: str) -> frozenset[str]:
        """What all of them are called."""
        return frozenset().union(*(human[attribute] for human in self.everybody))

    @property
    def buckets(self) -> frozenset[int]:
        """Where rows with a person can be."""
        return frozenset(map(bucket_of, self.names("subject_ids") | self.names("places")))
