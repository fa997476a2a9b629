"""Everything by which our tables know the people behind some addresses.

An address leads to its accounts, these to their other addresses, and those to further accounts; orders, returns and
parcels follow. No engine is needed, and of the large tables only what can hold the people's rows is read.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.contracts import SUBJECT_BUCKET
from jobs.lake.scanning import scan_rows
from jobs.people.addresses import find_addresses, normalise
from jobs.people.humans import ATTRIBUTES, Found, Humans
from jobs.people.linked import Cookies, read_cookies, replace_cookies, take_purchases
from jobs.people.person import Person
from jobs.people.raw_traces import read_traces
from jobs.people.reports import list_reports
from jobs.people.shared import find_shared
from jobs.people.text_matching import VISITOR
from jobs.people.ties import Digest, Tie, find_disputed, gather_circles, read_links, read_ties
from jobs.people.values import find_values, nobody, read_texts
from jobs.privacy.subject_ids import subject_digest

if TYPE_CHECKING:
    import pyarrow as pa

TRACES: Final = ("lake.clicks", "lake.impressions", "ledger.choices")
"""Tables that know an address that has neither account nor order."""


def find_people(
    lake: Lake,
    *,
    addresses: Sequence[str] = (),
    subject_ids: Sequence[str] = (),
    whole_circles: bool = False,
    deep: bool = False,
) -> list[Person]:
    """The people behind some addresses, each once, with all their other addresses and accounts.

    Args:
        lake: the lake.
        addresses: e-mail addresses as the people wrote them.
        subject_ids: pseudonyms of addresses.
        whole_circles: take more than five accounts that shared addresses tie together for one person.
        deep: read raw lines of landing and quarantine as well, which takes seconds per million of them; they tell
            cookies, parcels and phones that are in no table yet.

    Returns:
        One person per human; of an address that nothing is known about one with ``is_known`` false.

    Raises:
        UsageError: a text is no e-mail address.
        LargeCircleError: more than five accounts are tied together.
    """
    digest = subject_digest(lake)
    given = {digest(address): address for address in _normalise_all(addresses)}
    asked = [*given, *(subject_id for subject_id in subject_ids if subject_id not in given)]
    if not asked:
        return []
    links = read_links(lake)
    ties = read_ties(lake, digest, links)
    humans = Humans(gather_circles(ties, replace_cookies(lake, asked, ties), whole_circles=whole_circles), given)
    _take_landed(lake, humans, ties, digest, find_disputed(links))
    take_purchases(lake, humans, {tie.subject_id for tie in ties})
    _take_history(lake, humans)
    _take_purchases(lake, humans)
    cookies = read_cookies(lake, humans)
    if deep:
        cookies = _take_traces(lake, humans, digest, cookies)
    for visitor_id, (human, visitor) in cookies.own.items():
        humans.take_cookie(human, visitor_id)
        human["visitors"].update([visitor] if visitor else [])
    shared = find_shared(lake, humans.everybody)
    return [_make_person(lake, found, shared) for found in humans.everybody]


def find_asked(lake: Lake, *, addresses: Sequence[str] = (), subject_ids: Sequence[str] = ()) -> list[Person]:
    """Whoever requests are about: what is disclosed is what would be erased, so both look as far.

    Args:
        lake: the lake.
        addresses: as for :func:`find_people`.
        subject_ids: as there.

    Raises:
        UsageError: as there.
    """
    return find_people(lake, addresses=addresses, subject_ids=subject_ids, deep=True)


def _normalise_all(addresses: Iterable[str]) -> list[str]:
    normal = [normalise(address) for address in addresses]
    broken = normal.count(None)
    if broken:
        message = f"{broken} of {len(normal)} are no e-mail addresses (one @, a domain with a dot, no spaces)."
        raise UsageError(message)
    return [address for address in normal if address is not None]


def _take_landed(lake: Lake, humans: Humans, ties: Iterable[Tie], digest: Digest, disputed: Collection[str]) -> None:
    """Orders and returns as pulled; an address of an order that no account has is that of the account it names.

    Unless it is disputed, because other accounts used it as well.
    """
    held = {tie.address for tie in ties}
    for table, names in (
        ("landing.orders", (C.ORDER_ID, C.CUSTOMER_ID, C.EMAIL)),
        ("landing.returns", (C.RETURN_ID, C.ORDER_ID, C.CUSTOMER_ID, C.EMAIL)),
        ("landing.customers", (C.CUSTOMER_ID, C.EMAIL, C.PHONE, C.FULL_NAME, C.STREET)),
        ("landing.customer_emails", (C.CUSTOMER_ID, C.EMAIL)),
    ):
        for row in _select(lake, table, names, humans):
            address = normalise(row[C.EMAIL] or "")
            of_address = humans.owner(C.SUBJECT_ID, digest(address)) if address else None
            human = of_address or humans.owner(C.CUSTOMER_ID, row[C.CUSTOMER_ID])
            if human is None or (of_address is None and address in held):
                continue
            if of_address is None and address and digest(address) in disputed:
                human["places"].add(digest(address))
                row[C.EMAIL] = None
            elif address:
                humans.add(human, C.SUBJECT_ID, digest(address))
                human["addresses"].add(address)
            _take_row(humans, human, row)


def _take_history(lake: Lake, humans: Humans) -> None:
    history = (C.SUBJECT_ID, C.ORDER_ID, C.PHONE, C.FULL_NAME, C.STREET, C.REPORTS)
    for row in _select(lake, "vault.addresses", history, humans, by=(C.SUBJECT_ID,)):
        human = humans.owner(C.SUBJECT_ID, row[C.SUBJECT_ID])
        if human is not None:
            _take_row(humans, human, row)
            for report in list_reports(row[C.REPORTS]):
                _take_row(humans, human, report)
    for table, names in (
        ("vault.customers", (C.CUSTOMER_ID, C.SUBJECT_ID, C.EMAIL, C.PHONE, C.FULL_NAME)),
        ("vault.identities", (C.CUSTOMER_ID, C.EMAIL)),
    ):
        for row in _select(lake, table, names, humans, by=(C.CUSTOMER_ID,)):
            human = humans.owner(C.CUSTOMER_ID, row[C.CUSTOMER_ID])
            if human is not None:
                _take_row(humans, human, row)


def _take_purchases(lake: Lake, humans: Humans) -> None:
    for table, names in (
        ("lake.orders", (C.SUBJECT_ID, C.ORDER_ID)),
        ("lake.order_lines", (C.SUBJECT_ID, C.ORDER_ID)),
        ("lake.returns", (C.SUBJECT_ID, C.ORDER_ID, C.RETURN_ID)),
        ("lake.parcels", (C.SUBJECT_ID, C.ORDER_ID, C.PARCEL_ID)),
        ("lake.parcel_events", (C.SUBJECT_ID, C.ORDER_ID, C.PARCEL_ID)),
    ):
        by = (C.SUBJECT_ID,) if C.PARCEL_ID not in names and C.RETURN_ID not in names else (C.SUBJECT_ID, C.ORDER_ID)
        for row in _select(lake, table, names, humans, by=by):
            human = humans.owner(C.SUBJECT_ID, row[C.SUBJECT_ID]) or humans.owner(C.ORDER_ID, row[C.ORDER_ID])
            if human is not None:
                _take_row(humans, human, {name: row[name] for name in names if name != C.SUBJECT_ID})


def _take_traces(lake: Lake, humans: Humans, digest: Digest, known: Cookies) -> Cookies:
    """What raw lines tell; an address says whose a line is, and only where there is none an account or order does.

    Returns:
        The cookies that are somebody's alone by what is known and by what raw lines tell.
    """
    numbers = {id(human): number for number, human in enumerate(humans.everybody)}

    def find_owner(fields: Mapping[str, str]) -> int | None:
        address = normalise(fields.get(C.EMAIL, ""))
        named = (
            [(C.SUBJECT_ID, digest(address))] if address else [(n, fields.get(n)) for n in (C.CUSTOMER_ID, C.ORDER_ID)]
        )
        owners = [owner for name, value in named if (owner := humans.owner(name, value)) is not None]
        return numbers[id(owners[0])] if owners else None

    people = [_make_person(lake, human, frozenset()) for human in humans.everybody]
    visitors = {visitor: numbers[id(human)] for human, visitor in known.own.values() if visitor}
    own: dict[str, tuple[Found, str | None]] = {name: cookie for name, cookie in known.own.items() if not cookie[1]}
    for number, name, value in list(read_traces(lake, people, find_owner, visitors)):
        human = humans.everybody[number]
        if name != VISITOR:
            _take_row(humans, human, {name: value})
        elif (visitor_id := digest(f"visitor:{value}")) not in known.shared:
            own[visitor_id] = (human, value)
    return Cookies(own)


def _take_row(humans: Humans, human: Found, row: Mapping[str, Any]) -> None:
    for name in ATTRIBUTES.keys() & row.keys():
        if row[name]:
            humans.add(human, name, row[name]) if name.endswith("_id") else human[ATTRIBUTES[name]].add(row[name])


def _select(
    lake: Lake, table: str, names: Sequence[str], humans: Humans, *, by: Sequence[str] = ()
) -> Iterator[dict[str, str | None]]:
    """Rows that name one of the people in a column of ``by``, or in any that can name one."""
    named = {name: humans.names(ATTRIBUTES[name]) for name in by or names if name in ATTRIBUTES and _names(name)}
    addresses = humans.names("addresses") if C.EMAIL in names and not by else frozenset()
    has_buckets = SUBJECT_BUCKET in lake.contracts[table].column_names and C.SUBJECT_ID in by
    buckets = {None, *humans.buckets} if has_buckets else None
    for rows in scan_rows(lake, table, columns=names, buckets=buckets):
        found = rows.filter(_mark(rows, named, addresses))
        lists = {name: read_texts(found[name]) for name in names}
        yield from ({name: lists[name][place] for name in names} for place in range(found.num_rows))


def _names(column: str) -> bool:
    return column in (C.SUBJECT_ID, C.CUSTOMER_ID, C.ORDER_ID)


def _mark(rows: "pa.Table", named: Mapping[str, frozenset[str]], addresses: frozenset[str]) -> "pa.ChunkedArray":
    import pyarrow.compute as pc

    found = nobody(rows)
    for name, values in named.items():
        if values:
            found = pc.or_(found, find_values(rows[name], values))
    if addresses:
        found = pc.or_(found, pc.fill_null(find_addresses(rows[C.EMAIL], addresses), fill_value=False))
    return found


def _make_person(lake: Lake, found: Found, shared: frozenset[str]) -> Person:
    others = ("person_ids", "addresses", "visitors", "places")
    names: dict[str, Any] = {name: frozenset(found[name]) for name in (*ATTRIBUTES.values(), *others)}
    own = shared & (names["phones"] | names["names"] | names["streets"])
    person = replace(Person(), **names, shared=own)
    is_known = bool(person.person_ids or person.order_ids or person.return_ids or person.parcel_ids or person.names)
    return replace(person, is_known=is_known or _has_traces(lake, person))


def _has_traces(lake: Lake, person: Person) -> bool:
    for table in TRACES:
        for rows in scan_rows(lake, table, columns=(C.SUBJECT_ID,), buckets=person.buckets):
            if any(find_values(rows[C.SUBJECT_ID], person.subject_ids).to_pylist()):
                return True
    return False
