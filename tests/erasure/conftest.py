"""The demo's shop at another place, partners who acknowledged their packages, and one of its people."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.erasure.outcomes import ErasureRequest
from jobs.exports import register
from jobs.exports.acknowledgements import acknowledge
from jobs.lake import Lake
from jobs.people.finding import find_people
from jobs.people.identifiers import list_ad_ids
from jobs.settings import load_settings

from . import small


def copy_shop(lake, folder):
    home = str(folder / "shop")
    for suffix in ("", ".sources", ".keys"):
        shutil.copytree(f"{lake.home}{suffix}", f"{home}{suffix}")
    return Lake(load_settings(home), lake.engine, lake.contracts)


def acknowledge_all(lake):
    """Every partner applies what it was sent; gives the days by partner."""
    waiting = [row for row in lake.read_records(register.REGISTER) if row["state"] == register.SENT]
    for row in waiting:
        if row["kind"] != "pair":
            acknowledge(lake, row["partner"], row["day"])
    return {row["partner"]: row["day"] for row in waiting}


def ask(*subject_ids, name="request-1", addresses=()):
    return ErasureRequest(name, frozenset(subject_ids), frozenset(addresses))


def choose_person(lake):
    """Somebody with two accounts, several addresses, orders, and a place in partners' books."""
    held = {}
    for row in lake.read("lake.subjects").where("circle_id is not null").select("subject_id", "circle_id").collect():
        held.setdefault(row.circle_id, row.subject_id)
    people = find_people(lake, subject_ids=sorted(held.values()))
    told = {row["ad_id"] for row in lake.read_records("ledger.audience_members")}

    def rank(person):
        return bool(person.order_ids), len(told & list_ad_ids(lake, [person])), len(person.subject_ids)

    return max(people, key=rank)


def list_values(person):
    """What the person alone is called, as written."""
    shared = person.shared
    numbers = person.customer_ids | person.order_ids | person.return_ids
    parcels = {parcel.partition("/")[2] for parcel in person.parcel_ids}
    known = person.emails | person.addresses | person.subject_ids | person.person_ids | numbers | parcels
    return known | ((person.phones | person.names | person.streets) - shared)


def add_line(lake, table, row):
    """One more row in a partition of a table of lines."""
    contract = lake.contracts[table]
    kept = [each for each in lake.read_records(table) if each["pull_day"] == row["pull_day"]]
    rows = pa.Table.from_pylist([*kept, row], contract.arrow_schema())
    frame = lake.session.createDataFrame(rows, contract.engine_schema())
    lake.replace(table, frame, partitions=[str(row["pull_day"])])


def plant(lake, person, day):
    """Traces of the person where only a mishap leaves them; gives the places."""
    email, phone = sorted(person.emails)[0], sorted(person.phones - person.shared)[0]
    line = {"pull_day": day, "source": "f", "position": "0123", "reason": "no JSON"}
    add_line(lake, "quarantine.clicks", {**line, "raw": f"<<broken {email.upper()}\\u0000"})
    add_line(lake, "quarantine.orders", {**line, "raw": f"call {phone}, please", "position": "0124"})
    staged = Path(lake.location("vault.customers"), "w-0123456789abcdef", "part-0.parquet")
    scratch = Path(lake.home, ".scratch", "0123456789abcdef", "part-0.parquet")
    page = Path(lake.home, "quality", "vault.customers.html")
    draft = Path(lake.home, "exports", "adnet-eu", f".{day}.0123456789abcdef", "additions-0000.parquet")
    for path in (staged, scratch, draft):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(Path(lake.location("vault.identities")).rglob("*.parquet")), path)
    page.parent.mkdir(exist_ok=True)
    page.write_text(f"<p>{email}</p>")


@pytest.fixture(scope="package")
def shop(demo, tmp_path_factory):
    """The demo's shop with acknowledged packages; read it, do not write to it."""
    lake = copy_shop(demo[0], tmp_path_factory.mktemp("erasure"))
    acknowledge_all(lake)
    return lake


@pytest.fixture(scope="package")
def person(shop):
    return choose_person(shop)


@pytest.fixture
def own_shop(shop, tmp_path):
    """The same, to write to."""
    return copy_shop(shop, tmp_path)


@pytest.fixture(scope="session")
def now():
    return datetime.now(UTC)


@pytest.fixture(scope="package")
def template(tmp_path_factory, engine, contracts):
    """The lake of ada and ben; read it, do not write to it."""
    return small.build(load_settings(str(tmp_path_factory.mktemp("small") / "shop")), engine, contracts)


@pytest.fixture
def lake(template, tmp_path):
    """The same, to write to."""
    return small.copy_to(template, tmp_path)
