"""A lake with two people in a few tables: ada, who is erased, and ben, who stays. It costs little to copy and erase."""

import json
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce

import pyarrow as pa

from jobs.lake import Lake
from jobs.privacy.subject_ids import bucket_of, subject_digest
from jobs.settings import load_settings

MOST_ROWS = 2_000
DAY = date(2024, 3, 2)
THEN = datetime(2024, 3, 2, 9, 30, tzinfo=UTC)
EMAILS = {"ada": "Ada.Birkenfeld@shop.example", "ben": "ben.acker@shop.example"}
NAMES = {"ada": "Ada Birkenfeld", "ben": "Ben Acker"}
PHONES = {"ada": "+49 151 23456789", "ben": "+49 160 98765432"}
STREETS = {"ada": "Lindenweg 17", "ben": "Am Anger 4b"}
ACCOUNTS = {"ada": "C-100234", "ben": "C-100777"}
ORDERS = {"ada": ("O-4711-001", "O-4711-002"), "ben": ("O-4711-003",)}


def fill(lake, table, rows):
    contract = lake.contracts[table]
    values = pa.Table.from_pylist(rows, contract.arrow_schema())
    # A larger relation does not fit into a request.
    pieces = [values.slice(start, MOST_ROWS) for start in range(0, max(1, len(values)), MOST_ROWS)]
    frames = [lake.session.createDataFrame(piece, contract.engine_schema()) for piece in pieces]
    lake.replace(table, reduce(lambda one, other: one.unionByName(other), frames))


def subject(lake, who):
    return subject_digest(lake)(EMAILS[who].lower())


def build(settings, engine, contracts, *, orders=ORDERS):
    lake = Lake(settings, engine, contracts)
    digest = subject_digest(lake)
    people = {who: _describe(digest, who) for who in EMAILS}
    common = {"ads_opt_out": False, "personalisation_opt_out": False, "updated_at": THEN, "created_at": THEN}
    fill(lake, "vault.customers", [{**common, **person, "country": "DE"} for person in people.values()])
    ids = [{**p, "identity_id": f"i-{who}", "is_primary": True, "updated_at": THEN} for who, p in people.items()]
    fill(lake, "vault.identities", ids)
    versions = [
        {
            **person,
            "version_id": f"v-{who}",
            "source": "account",
            "street": STREETS[who],
            "city": "Ulm",
            "country": "DE",
        }
        | {"valid_from": THEN, "is_current": True, "reports": "[]", "postcode": "89073"}
        for who, person in people.items()
    ]
    fill(lake, "vault.addresses", versions)
    fill(lake, "lake.subjects", [{**common, **person, "country": "DE"} for person in people.values()])
    clicks = [
        {**people[who], "day": DAY, "event_id": 100 * n + k, "event_time": THEN, "session_id": n, "action": "view"}
        | {"product_id": "MUG", "pull_day": DAY}
        for k, who in enumerate(people)
        for n in range(3)
    ]
    fill(lake, "lake.clicks", clicks)
    _fill_orders(lake, people, orders)
    lines = [{"email": email, "url": "/p/MUG", "n": n} for n in range(3) for email in EMAILS.values()]
    landed = [{"pull_day": DAY, "source": "f", "line_no": n, "raw": json.dumps(line)} for n, line in enumerate(lines)]
    fill(lake, "landing.clickstream", landed)
    bad = [f"<broken {EMAILS['ada'].upper()}", f"call {PHONES['ada']}", f"{PHONES['ben']} is it", "nobody at all"]
    common = {"pull_day": DAY, "source": "f", "reason": "no JSON"}
    fill(lake, "quarantine.clicks", [{**common, "position": str(n), "raw": raw} for n, raw in enumerate(bad)])
    return lake


def _describe(digest, who):
    subject_id = digest(EMAILS[who].lower())
    return {
        "customer_id": ACCOUNTS[who],
        "person_id": digest(f"customer:{ACCOUNTS[who]}"),
        "subject_id": subject_id,
        "subject_bucket": bucket_of(subject_id),
        "email": EMAILS[who],
        "email_normalised": EMAILS[who].lower(),
        "full_name": NAMES[who],
        "phone": PHONES[who],
    }


def _fill_orders(lake, people, orders):
    placed = [
        {**people[who], "day": DAY, "order_id": order, "country": "DE", "status": "paid", "ordered_at": THEN}
        | {"updated_at": THEN, "pull_day": DAY}
        for who, listed in orders.items()
        for order in listed
    ]
    fill(lake, "lake.orders", placed)
    lines = [
        {**order, "line_id": n, "product_id": "MUG", "quantity": 2, "unit_price": Decimal("7.50")}
        for n, order in enumerate(placed)
    ]
    fill(lake, "lake.order_lines", lines)


def copy_to(lake, folder):
    home = str(folder / "shop")
    for suffix in ("", ".keys"):
        shutil.copytree(f"{lake.home}{suffix}", f"{home}{suffix}")
    return Lake(load_settings(home), lake.engine, lake.contracts)


def values_of(who):
    return {EMAILS[who], NAMES[who], STREETS[who], ACCOUNTS[who], *ORDERS[who], PHONES[who]}
