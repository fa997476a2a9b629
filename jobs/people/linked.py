"""Ties of people to addresses that their accounts do not have, which the vault keeps longer than landing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.people.circles import draw_circles
from jobs.people.humans import Found, Humans
from jobs.people.ties import LINKED, Tie
from jobs.people.values import find_values

NUMBERS: Final = (C.ORDER_ID, C.RETURN_ID)
COLUMNS: Final = (C.CUSTOMER_ID, C.SUBJECT_ID, *NUMBERS)
VISITORS: Final = "vault.linked_visitors"
Link = Mapping[str, Any]


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


def replace_cookies(lake: Lake, asked: Iterable[str], ties: Iterable[Tie]) -> list[str]:
    """What is asked for, with an address in place of each cookie that is one person's alone.

    Args:
        lake: the lake.
        asked: pseudonyms of addresses or cookies.
        ties: of :func:`jobs.people.ties.read_ties`.
    """
    names, held = list(asked), {tie.subject_id: tie.person_id for tie in ties}
    links = _find_links(lake, C.VISITOR_ID, frozenset(names) - held.keys())
    circles = draw_circles((tie.subject_id, tie.person_id) for tie in ties) if links else {}
    address_of: dict[str, str] = {}
    for visitor_id, found in links.items():
        humans = {circles.get(held.get(link[C.SUBJECT_ID], ""), link[C.SUBJECT_ID]) for link in found}
        if len(humans) == 1 and _is_complete(found):
            address_of[visitor_id] = found[0][C.SUBJECT_ID]
    return list(dict.fromkeys(address_of.get(name, name) for name in names))


def read_cookies(lake: Lake, humans: Humans) -> Cookies:
    """Cookies that came with the people's addresses, as far as they are conformed.

    Args:
        lake: the lake.
        humans: with all their addresses.
    """
    cookies = Cookies()
    for visitor_id, links in _find_links(lake, C.SUBJECT_ID, humans.names("subject_ids"), humans.buckets).items():
        owners = [humans.owner(C.SUBJECT_ID, link[C.SUBJECT_ID]) for link in links]
        human = owners[0]
        if human is not None and _is_complete(links) and all(owner is human for owner in owners):
            cookies.own[visitor_id] = (human, links[0][C.VISITOR])
        else:
            cookies.shared.add(visitor_id)
    return cookies


def _find_links(
    lake: Lake, column: str, names: Collection[str], buckets: frozenset[int] | None = None
) -> dict[str, list[Link]]:
    """Links of a few cookies or addresses, by the pseudonym of the cookie."""
    found: dict[str, list[Link]] = defaultdict(list)
    columns = (C.SUBJECT_ID, C.VISITOR_ID, C.VISITOR, C.ADDRESSES)
    for rows in scan_rows(lake, VISITORS, columns=columns, buckets=buckets) if names else ():
        for row in rows.filter(find_values(rows[column], names)).to_pylist():
            found[row[C.VISITOR_ID]].append(row)
    return found


def _is_complete(links: Sequence[Link]) -> bool:
    """True where these are all addresses that a cookie ever came with."""
    return all(link[C.ADDRESSES] <= len(links) for link in links)
