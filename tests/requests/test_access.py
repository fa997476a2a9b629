"""Promise 14: a person gets all that is held about them, and nothing about anybody else."""

import csv
import io
import json
import re
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.people.finding import find_asked
from jobs.privacy.emails import InvalidAddressError, normalise_email_text
from jobs.privacy.subject_ids import find_subject_key, make_subject_id, subject_digest
from jobs.requests.access.archive import Answer, pack, to_json
from jobs.requests.access.collecting import collect
from jobs.requests.access.recipients import find_recipients
from jobs.requests.access.wording import heading_of, title_of
from tests.samples.reading import read_lines, read_table

pytestmark = pytest.mark.slow

MADE_AT = datetime(2026, 3, 10, tzinfo=UTC)
NAMES_OF_THINGS = {
    "address": re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE),
    "account": re.compile(r"\bC\d{7}\b"),
    "order": re.compile(r"\bO\d{8}\b"),
    "pseudonym": re.compile(r"\b[0-9a-f]{32}\b"),
}


def normal(address):
    try:
        return normalise_email_text(address)
    except InvalidAddressError:
        return None


class Shop:
    """The generated shop read from its own drops in plain Python: who is who, and what is whose."""

    def __init__(self, lake):
        root = Path(lake.settings.sources)
        self.accounts = {row["customer_id"]: row for row in read_table(root, "customers")}
        self.orders, self.returns = read_table(root, "orders"), read_table(root, "returns")
        self.lines = read_table(root, "order_lines")
        self.held = defaultdict(set)
        for row in [*self.accounts.values(), *read_table(root, "customer_emails")]:
            self.held[normalise_email_text(row["email"])].add(row["customer_id"])
        self.visitors = defaultdict(set)
        for event in (_read_json(line) for _, line in read_lines(root / "clickstream")):
            if isinstance(event, dict) and event.get("visitor") and isinstance(event.get("email"), str):
                self.visitors[event["visitor"]].add(normal(event["email"]))
        self.circles = {name: {name} for name in self.accounts}
        for names in self.held.values():
            joined = set().union(*(self.circles[name] for name in names))
            for name in joined:
                self.circles[name] = joined

    def addresses(self, account):
        return {address for address, names in self.held.items() if names & self.circles[account]}

    def cookies(self, account):
        """Cookies that came with one of the human's addresses and nobody else's."""
        own = self.addresses(account)
        return {cookie for cookie, addresses in self.visitors.items() if addresses <= own}

    def orders_of(self, account):
        wanted = self.addresses(account)
        return {row["order_id"] for row in self.orders if normal(row["email"] or "") in wanted}


@pytest.fixture(scope="module")
def shop(demo):
    return Shop(demo[0])


@pytest.fixture(scope="module")
def chosen(shop):
    """Accounts with the most orders, one that shares an address with another, one without any order, one closed."""
    by_orders = sorted(shop.accounts, key=lambda name: (-len(shop.orders_of(name)), name))
    tied = next(name for name in sorted(shop.accounts) if len(shop.circles[name]) > 1)
    closed = next(name for name in sorted(shop.accounts) if shop.accounts[name]["closed_at"])
    return [*by_orders[:4], by_orders[-1], tied, closed]


@pytest.fixture(scope="module")
def files(demo, chosen, shop):
    """The ZIP of each, as text by name."""
    lake, found = demo[0], {}
    for account in chosen:
        (person,) = find_asked(lake, addresses=[shop.accounts[account]["email"]])
        content = pack(Answer(MADE_AT, collect(lake, person), find_recipients(lake, person)))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found[account] = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    return found


def table(files, title):
    text = files.get(f"tables/{title}.csv", "")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_account_orders_lines_and_returns_are_those_of_the_shops_database(files, shop):
    seen = 0
    for account, own in files.items():
        orders = shop.orders_of(account)
        seen += len(orders)
        assert {row["Account number"] for row in table(own, "account")} == shop.circles[account]
        assert {row["Order number"] for row in table(own, "orders")} == orders
        assert len(table(own, "what-you-ordered")) == sum(line["order_id"] in orders for line in shop.lines)
        assert len(table(own, "returns")) == sum(row["order_id"] in orders for row in shop.returns)
        addresses = {normalise_email_text(row["E-mail address"]) for row in table(own, "e-mail-addresses")}
        assert addresses == shop.addresses(account)
    assert seen > 10


def test_every_row_of_every_table_with_a_pseudonym_is_there(demo, files, shop):
    lake = demo[0]
    key = find_subject_key(lake)
    tables = [c for c in lake.contracts.values() if c.has_subject and c.zone != "ledger" and lake.exists(c.name)]
    rows = {contract.name: lake.read_records(contract.name) for contract in tables}
    assert len(rows) > 12
    for account, own in files.items():
        subjects = {make_subject_id(address, key) for address in shop.addresses(account)}
        subjects |= {subject_digest(lake)(f"visitor:{cookie}") for cookie in shop.cookies(account)}
        orders = shop.orders_of(account)
        for name, all_rows in rows.items():
            mine = [r for r in all_rows if r["subject_id"] in subjects or (r.get("order_id") or "-") in orders]
            told = json.loads(own.get(f"data/{_slug(name)}.json", '{"rows": []}'))["rows"]
            keys = [lake.contracts[name].column(column) for column in lake.contracts[name].key]
            wanted = sorted([str(to_json(row[column.name])) for column in keys] for row in mine)
            assert sorted([str(row[heading_of(column)]) for column in keys] for row in told) == wanted, name


def test_every_line_of_the_clickstream_with_the_address_is_there(demo, files, shop):
    lines = defaultdict(set)
    for _, line in read_lines(Path(demo[0].settings.sources) / "clickstream"):
        event = _read_json(line)
        if isinstance(event, dict) and isinstance(event.get("email"), str):
            lines[normal(event["email"])].add(line.decode())
    count = 0
    for account, own in files.items():
        wanted = set().union(*(lines[address] for address in shop.addresses(account)))
        count += len(wanted)
        told = {row["As it came in"] for row in table(own, "clickstream-as-they-came-in")}
        assert wanted <= told
    assert count > 50


def test_nothing_of_anybody_else_is_in_it(demo, files, shop):
    lake = demo[0]
    key = find_subject_key(lake)
    everybody = {make_subject_id(address, key): address for address in shop.held}
    for account, own in files.items():
        text = "\n".join(own.values())
        found = {kind: set(pattern.findall(text)) for kind, pattern in NAMES_OF_THINGS.items()}
        assert {normalise_email_text(address) for address in found["address"]} <= shop.addresses(account)
        assert found["account"] <= shop.circles[account]
        assert found["order"] <= shop.orders_of(account)
        assert {everybody[name] for name in found["pseudonym"] & set(everybody)} <= shop.addresses(account)
        mine = [shop.accounts[name] for name in shop.circles[account]]
        for field in ("full_name", "phone", "street"):
            others = {row[field] for row in shop.accounts.values()} - {row[field] for row in mine}
            told = {row[heading] for row in table(own, "delivery-addresses-and-phone-numbers") for heading in row}
            assert not others & {value.lstrip("'") for value in told}


def test_it_tells_who_received_what(demo, files):
    lake = demo[0]
    partners = {row["partner"] for row in lake.read_records("ledger.exports")}
    told = {account: json.loads(own["data/who-received-data.json"]) for account, own in files.items()}
    assert all({one["partner"] for one in recipients} == partners for recipients in told.values())
    received = [package["told"] for recipients in told.values() for one in recipients for package in one["packages"]]
    assert any("your identifier with country and interest" in one for one in received)
    assert any(one == [] for one in received)


def _slug(name):
    return "-".join(re.findall(r"[a-z0-9]+", title_of(name).text.lower()))


def _read_json(line):
    try:
        return json.loads(line)
    except ValueError:
        return None
