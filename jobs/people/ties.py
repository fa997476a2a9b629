"""Which accounts and addresses belong together: what the vault knows, and what landing has besides."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.people.addresses import normalise
from jobs.people.circles import draw_circles
from jobs.people.values import read_texts

IDENTITIES: Final = "vault.identities"
LINKED: Final = "vault.linked_purchases"
LANDED: Final = ("landing.customers", "landing.customer_emails")
MOST_ACCOUNTS: Final = 5
"""Accounts that one human may have; more of them tied together are more likely a family or an office."""
Digest = Callable[[str], str]


@dataclass(frozen=True)
class Tie:
    """An account and one of its addresses."""

    customer_id: str
    person_id: str
    subject_id: str
    address: str


class LargeCircleError(UsageError):
    """Addresses tie more accounts together than one human has."""


def person_id_of(digest: Digest, customer_id: str) -> str:
    """The pseudonym of an account."""
    return digest(f"customer:{customer_id}")


def read_ties(lake: Lake, digest: Digest, links: Collection[Tie] = ()) -> list[Tie]:
    """Every account with every address it has or had, and with those of ``links`` that it alone uses and nobody has.

    Args:
        lake: the lake.
        digest: gives pseudonyms.
        links: of :func:`read_links`.
    """
    columns = (C.CUSTOMER_ID, C.PERSON_ID, C.SUBJECT_ID, C.EMAIL_NORMALISED, C.EMAIL)
    ties: set[Tie] = set()
    written: set[tuple[str, str]] = set()
    for rows in scan_rows(lake, IDENTITIES, columns=columns):
        lists = [rows[name].to_pylist() for name in columns]
        ties.update(Tie(*values[:4]) for values in zip(*lists, strict=True))
        written.update(zip(lists[0], lists[4], strict=True))
    for customer_id, email in _read_landed(lake) - written:
        address = normalise(email)
        if address is not None:
            ties.add(Tie(customer_id, person_id_of(digest, customer_id), digest(address), address))
    held = {tie.subject_id for tie in ties} | find_disputed(links)
    return [*ties, *(link for link in links if link.subject_id not in held)]


def read_links(lake: Lake) -> set[Tie]:
    """Accounts with addresses that they ordered or sent back something under, but do not have."""
    columns = (C.CUSTOMER_ID, C.PERSON_ID, C.SUBJECT_ID, C.EMAIL_NORMALISED)
    links: set[Tie] = set()
    for rows in scan_rows(lake, LINKED, columns=columns):
        lists = [rows[name].to_pylist() for name in columns]
        links.update(Tie(*values) for values in zip(*lists, strict=True) if values[2] is not None)
    return links


def find_disputed(links: Iterable[Tie]) -> set[str]:
    """Pseudonyms of the addresses that several accounts used."""
    users = Counter(link.subject_id for link in links)
    return {subject_id for subject_id, count in users.items() if count > 1}


def _read_landed(lake: Lake) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for table in LANDED:
        for rows in scan_rows(lake, table, columns=(C.CUSTOMER_ID, C.EMAIL)):
            pairs = zip(read_texts(rows[C.CUSTOMER_ID]), read_texts(rows[C.EMAIL]), strict=True)
            found.update((customer, email) for customer, email in pairs if customer and email)
    return found


def gather_circles(
    ties: Collection[Tie], asked: Iterable[str], *, whole_circles: bool
) -> list[tuple[frozenset[str], list[Tie]]]:
    """The addresses and accounts of everybody who has one of the addresses asked for.

    Args:
        ties: of :func:`read_ties`.
        asked: ``subject_id`` of addresses.
        whole_circles: take circles of any size.

    Returns:
        For each human the pseudonyms asked for and the ties; addresses without an account are humans of their own.

    Raises:
        LargeCircleError: addresses tie more than :data:`MOST_ACCOUNTS` accounts together.
    """
    circles = draw_circles((tie.subject_id, tie.person_id) for tie in ties)
    of_circle: dict[str, list[Tie]] = defaultdict(list)
    circle_of: dict[str, str] = {}
    for tie in ties:
        circle_of[tie.subject_id] = circles[tie.person_id]
        of_circle[circles[tie.person_id]].append(tie)
    humans: dict[str, set[str]] = defaultdict(set)
    for subject_id in asked:
        humans[circle_of.get(subject_id, subject_id)].add(subject_id)
    for circle in humans:
        accounts = len({tie.person_id for tie in of_circle.get(circle, ())})
        if accounts > MOST_ACCOUNTS and not whole_circles:
            message = (
                f"Shared addresses tie {accounts:,} accounts together, more than the {MOST_ACCOUNTS} that one person "
                "has; it may be a family or an office. Ask for the whole circle if all of them are meant."
            )
            raise LargeCircleError(message)
    return [(frozenset(subjects), of_circle.get(circle, [])) for circle, subjects in humans.items()]
