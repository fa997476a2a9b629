"""Ties of people to addresses that their accounts do not have, which the vault keeps longer than landing."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.people.humans import Found, Humans
from jobs.people.ties import LINKED
from jobs.people.values import find_values

NUMBERS: Final = (C.ORDER_ID, C.RETURN_ID)
COLUMNS: Final = (C.CUSTOMER_ID, C.SUBJECT_ID, *NUMBERS)
VISITORS: Final = "vault.linked_visitors"


@dataclass(frozen=True)
class Cookies:
    """Cookies that came with people's addresses; printing it shows none.

    Attributes:
        own: pseudonym of each that is one person's alone, with the person and the cookie, if it is kept.
        shared: pseudonyms of those that came with somebody else's address as well.
    """

    own: dict[str, tuple[Found, str | None]] = field(default_factory=dict, repr=False)
    shared: set[str] = field(default_factory=set, repr=False)


def take_purchases(lake: Lake, humans: Humans, held: Collection[str]) -> None:
    """Orders and returns of people's accounts under other addresses.

    An address that is another account's says that the purchase is that one's. Under an address that several accounts
    used only the purchases are a person's, and not the address.

    Args:
        lake: the lake.
        humans: with all their accounts.
        held: pseudonyms of addresses that are somebody's.
    """
    accounts = humans.names("customer_ids")
    for rows in scan_rows(lake, LINKED, columns=COLUMNS) if accounts else ():
        for row in rows.filter(find_values(rows[C.CUSTOMER_ID], accounts)).to_pylist():
            human, subject = humans.owner(C.CUSTOMER_ID, row[C.CUSTOMER_ID]), row[C.SUBJECT_ID]
            if human is None or (subject in held and humans.owner(C.SUBJECT_ID, subject) is not human):
                continue
            for name in NUMBERS:
                if row[name]:
                    humans.add(human, name, row[name])
            if subject and humans.owner(C.SUBJECT_ID, subject) is not human:
                human["places"].add(subject)


def read_cookies(lake: Lake, humans: Humans) -> Cookies:
    """Cookies that came with the people's addresses, as far as they are conformed.

    Args:
        lake: the lake.
        humans: with all their addresses.
    """
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    subjects, columns = humans.names("subject_ids"), (C.SUBJECT_ID, C.VISITOR_ID, C.VISITOR, C.ADDRESSES)
    for rows in scan_rows(lake, VISITORS, columns=columns, buckets=humans.buckets):
        for row in rows.filter(find_values(rows[C.SUBJECT_ID], subjects)).to_pylist():
            found[row[C.VISITOR_ID]].append(row)
    cookies = Cookies()
    for visitor_id, links in found.items():
        owners = [humans.owner(C.SUBJECT_ID, link[C.SUBJECT_ID]) for link in links]
        human, is_alone = owners[0], len(links) >= max(link[C.ADDRESSES] for link in links)
        if is_alone and human is not None and all(owner is human for owner in owners):
            cookies.own[visitor_id] = (human, links[0][C.VISITOR])
        else:
            cookies.shared.add(visitor_id)
    return cookies
