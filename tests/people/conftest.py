"""The demo's shop, and who its people are according to the source drops alone."""

import gzip
import json
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zstandard


@dataclass
class Truth:
    """What one human is called, told from the shop's database and files with rules written anew here."""

    customers: set = field(default_factory=set)
    addresses: set = field(default_factory=set)
    orders: set = field(default_factory=set)
    returns: set = field(default_factory=set)
    parcels: set = field(default_factory=set)


def plain(address):
    """The normal form of the sample's addresses."""
    local, _, domain = address.strip().lower().partition("@")
    if domain in ("gmail.com", "googlemail.com"):
        return local.partition("+")[0].replace(".", "") + "@gmail.com"
    return f"{local}@{domain}"


def select(lake, query):
    with sqlite3.connect(Path(lake.settings.sources, "shop.db")) as database:
        return database.execute(query).fetchall()


def read_events(lake):
    """Every line of the clickstream that is an event."""
    for path in sorted(Path(lake.settings.sources, "clickstream").rglob("*.jsonl*")):
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        elif path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        for line in data.decode("utf-8", "replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def draw_groups(lake):
    """The accounts of each human, by account."""
    holders = defaultdict(set)
    written = "select customer_id, email from customers union select customer_id, email from customer_emails"
    for customer, email in select(lake, written):
        holders[plain(email)].add(customer)
    group_of = {customer: {customer} for held in holders.values() for customer in held}
    for held in holders.values():
        merged = set().union(*(group_of[customer] for customer in held))
        group_of |= dict.fromkeys(merged, merged)
    return group_of, holders


def tell_people(lake):
    """Humans of the shop by each of their account numbers."""
    group_of, holders = draw_groups(lake)
    humans = {}
    for group in {min(group): group for group in group_of.values()}.values():
        addresses = {address for address, held in holders.items() if held & group}
        humans |= dict.fromkeys(group, Truth(set(group), addresses))
    for order, customer in select(lake, "select order_id, customer_id from orders where customer_id is not null"):
        humans[customer].orders.add(order)
    by_order = {order: human for human in humans.values() for order in human.orders}
    for name, order, customer in select(lake, "select return_id, order_id, customer_id from returns"):
        human = humans.get(customer) or by_order.get(order)
        if human:
            human.returns.add(name)
    for row in lake.read("lake.parcels").select("parcel_id", "order_id").collect():
        if row.order_id in by_order:
            by_order[row.order_id].parcels.add(row.parcel_id)
    return humans


@pytest.fixture(scope="session")
def truths(demo):
    return tell_people(demo[0])


@pytest.fixture(scope="session")
def doubled(truths):
    """Humans with two accounts, each once, those with orders first."""
    once = {min(human.customers): human for human in truths.values() if len(human.customers) > 1}
    return sorted(once.values(), key=lambda human: (-len(human.orders), min(human.customers)))
