"""Somebody with several accounts, orders and a place in partners' packages is erased from a whole shop."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet as pq

from jobs.erasure.outcomes import ERASED, UNKNOWN
from jobs.erasure.runs import erase
from jobs.erasure.verifying import verify
from jobs.exports import packages, register
from jobs.lake import Days, Lake
from jobs.people.finding import find_people
from jobs.people.identifiers import list_ad_ids
from jobs.privacy.rights.choice_ledger import Choice
from jobs.requests.choices import record_choices
from jobs.runner import run_step
from jobs.steps import STEPS
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY

from .bytes_below import find_below
from .conftest import acknowledge_all, ask, copy_shop, list_values, plant

pytestmark = [pytest.mark.slow]
LAST_DAY = DEMO_FIRST_DAY + timedelta(days=DEMO_DAYS - 1)
BOOKS = ("ledger/audience_", "vault/platform_")
SEVERED = ("lake.orders", "lake.order_lines", "lake.returns", "lake.parcels", "lake.parcel_events")
SOLD = ("period_id", "scope", "scope_value", "product_id", "units", "revenue", "returns")
"""Not buyers, nor places that follow from them: orders of an erased person can no longer be told from those of others."""
CHANGED = (*SEVERED, "ledger.requests", "ledger.exports")


@dataclass
class Erased:
    """A shop before and after."""

    lake: Lake
    person: Any
    values: set
    ad_ids: frozenset
    before: dict
    shapes: dict
    bestsellers: list
    outcome: Any
    certificate: dict


def rows_of(lake):
    tables = [name for name in lake.contracts if not name.startswith("exports.") and lake.exists(name)]
    return {name: lake.read_records(name) for name in tables}


def shapes_of(lake, tables):
    """What files of tables look like beside their rows."""
    shapes = {}
    for table in tables:
        for file in lake.list_files(table):
            footer = pq.read_metadata(Path(lake.location(table), file.path))
            chunks = [footer.row_group(0).column(place) for place in range(footer.num_columns)]
            codecs = [(c.path_in_schema, c.physical_type, c.compression) for c in chunks]
            schema = str(footer.schema).partition("\n")[2]
            shape = (schema, footer.created_by, repr(sorted((footer.metadata or {}).items())), repr(codecs))
            shapes.setdefault(table, set()).add(shape)
    return shapes


def charts_of(lake):
    days = Days(DEMO_FIRST_DAY, LAST_DAY)
    run_step(lake, STEPS["marts.bestsellers_exact"], days)
    rows = lake.read_records("marts.bestsellers_exact")
    return sorted(repr([row[name] for name in SOLD]) for row in rows)


@pytest.fixture(scope="module")
def erased(shop, person, tmp_path_factory, now):
    lake = copy_shop(shop, tmp_path_factory.mktemp("erased"))
    address = sorted(person.subject_ids)[0]
    record_choices(lake, [Choice(address, "ads", False, now)])
    plant(lake, person, DEMO_FIRST_DAY)
    (person,) = find_people(
        lake, subject_ids=sorted(person.subject_ids), deep=True
    )  # what was planted ties a cookie to them
    bestsellers = charts_of(lake)
    before, ad_ids = rows_of(lake), list_ad_ids(lake, [person])
    shapes = shapes_of(lake, [name for name in before if name.startswith(("landing", "vault", "lake"))])
    values = list_values(person)
    assert {found for _, found in find_below(lake.home, values)} == {value.lower() for value in values}
    done = erase(lake, [ask(address)])
    (outcome,) = done.outcomes
    return Erased(lake, person, values, ad_ids, before, shapes, bestsellers, outcome, done.certificates[0])


def is_about(row, erased):
    """Told by the row's text alone; cookies are short, so they are looked for as the field of a line."""
    if any(f'"visitor": "{visitor}"' in (row.get("raw") or "") for visitor in erased.person.visitors):
        return True
    text = json.dumps(row, default=str, ensure_ascii=False).lower().replace("\\\\", "\\")
    return any(value.lower() in text for value in erased.values | erased.ad_ids)


def test_a_search_of_every_byte_finds_nothing(erased):
    assert erased.outcome.state == ERASED
    assert find_below(erased.lake.home, erased.values) == set()


def test_only_the_partners_books_know_the_identifiers_that_they_hold(erased):
    places = {path for path, _ in find_below(erased.lake.home, erased.ad_ids)}
    assert places
    assert all(path.startswith(BOOKS) for path in places)
    assert erased.certificate["partners"]


def test_everybody_else_has_exactly_the_rows_they_had(erased):
    after = rows_of(erased.lake)
    compared = 0
    for table, rows in erased.before.items():
        if table in CHANGED or table.startswith(("ledger.erasure", "ledger.step_runs")):
            continue
        is_book = table.replace(".", "/").startswith(BOOKS)
        others = Counter(repr(row) for row in rows if is_book or not is_about(row, erased))
        assert Counter(map(repr, after[table])) == others, table
        compared += len(rows) - sum(others.values())
    assert compared > 100


def test_orders_keep_amounts_days_and_products_and_lose_the_person(erased):
    after = rows_of(erased.lake)
    for table in SEVERED:
        before = erased.before[table]
        others = Counter(repr(row) for row in before if not is_about(row, erased))
        assert Counter(map(repr, after[table])) >= others, table
        severed = list((Counter(map(repr, after[table])) - others).elements())
        own = [row for row in before if is_about(row, erased)]
        assert len(severed) == len(own), table
        kept = ("day", "product_id", "quantity", "unit_price", "country", "pull_day")
        rows = [row for row in after[table] if repr(row) in set(severed)]
        assert all(row["subject_id"] is None and row["subject_bucket"] is None for row in rows)
        assert all(row["order_id"] is None or row["order_id"].startswith("severed-") for row in rows)
        shown = [name for name in kept if name in before[0]]
        assert Counter(tuple(row[n] for n in shown) for row in rows) == Counter(tuple(r[n] for n in shown) for r in own)
    assert {row["order_id"] for row in after["lake.order_lines"]} <= {row["order_id"] for row in after["lake.orders"]}
    total = sum(row["quantity"] * row["unit_price"] for row in erased.before["lake.order_lines"])
    assert sum((row["quantity"] * row["unit_price"] for row in after["lake.order_lines"]), Decimal(0)) == total


def test_files_look_as_they_did(erased):
    after = shapes_of(erased.lake, erased.shapes)
    assert {table: found - erased.shapes[table] for table, found in after.items()} == {table: set() for table in after}


def test_the_certificate_tells_what_happened_and_names_nobody(erased):
    document = erased.certificate
    assert find_below(erased.lake.home, ["request-1"])
    text = json.dumps(document).lower()
    assert not [value for value in erased.values | erased.ad_ids if value.lower() in text]
    swept = {entry["table"]: entry for entry in document["tables"]}
    for table, rows in erased.before.items():
        if table in swept and table not in ("ledger.requests", "ledger.holds"):
            own = sum(is_about(row, erased) for row in rows)
            assert swept[table]["rows"] == own, table
    assert document["verification"]["findings"] == 0
    assert document["verification"]["searched"].keys() >= {"email", "name", "phone", "account", "pseudonym"}
    assert {each["package"].partition("/")[0] for each in document["packages"]} >= {"adnet-eu", "worldads"}


def test_what_was_signed_can_be_verified_again(erased):
    verdict = verify(erased.lake, erased.certificate)
    assert verdict.checked.is_clean
    assert verdict.checked.pending > 0
    assert verdict.returned == 0


def test_the_journal_forgets_who_it_was_about(erased):
    (run,) = erased.lake.read_records("ledger.erasure_runs")
    assert (run["state"], run["sealed"], run["request_ids"]) == ("done", None, "request-1")
    assert len(erased.lake.history("ledger.erasure_runs")) == 1


def test_what_best_sellers_of_a_later_run_sold_is_the_same(erased, tmp_path):
    lake = copy_shop(erased.lake, tmp_path)
    assert charts_of(lake) == erased.bestsellers


def test_the_next_package_tells_the_removal_and_then_nothing_knows_the_identifiers(erased, tmp_path):
    lake = copy_shop(erased.lake, tmp_path)
    entries = [row for row in lake.read_records(register.REGISTER) if row["withdrawn_at"] is not None]
    assert {row["partner"] for row in entries} >= {"adnet-eu", "worldads"}
    assert all(row["state"] == register.ACKNOWLEDGED for row in entries)
    packages.run(lake, Days.single(LAST_DAY + timedelta(days=1)))
    folder = Path(lake.home, "exports")
    told = {path for path, _ in find_below(folder, erased.ad_ids)}
    assert told
    assert all("removals" in path for path in told)
    assert verify(lake, erased.certificate).checked.is_clean
    acknowledge_all(lake)
    assert find_below(lake.home, erased.ad_ids) == set()
    assert verify(lake, erased.certificate).checked.pending == 0


def test_asking_again_finds_nothing_and_still_verifies(erased, tmp_path):
    lake = copy_shop(erased.lake, tmp_path)
    again = erase(lake, [ask(sorted(erased.person.subject_ids)[0], name="request-2"), ask("f" * 32, name="stranger")])
    assert [outcome.state for outcome in again.outcomes] == [UNKNOWN, UNKNOWN]
    assert sum(entry["rows"] for entry in again.certificates[0]["tables"]) == 0
    assert verify(lake, again.certificates[0]).checked.is_clean
    assert not find_people(lake, subject_ids=sorted(erased.person.subject_ids))[0].is_known
