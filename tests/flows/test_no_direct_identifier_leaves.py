"""Every step of every flow: no direct identifier leaves the vault undeclared, and a step that is made to leak fails.

The proof needs no data: it is read from the plans of the frames that steps write, before anything is computed.
"""

import ast
import importlib
from datetime import date, timedelta

import pytest
from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.connect.dataframe import DataFrame

from jobs.errors import ContractError
from jobs.exports.packages import export_partner
from jobs.exports.partners import PLATFORM, SHARED_KEY, load_partners
from jobs.lake import Days, Lake
from jobs.lake.contracts import PERSONAL_ZONES
from jobs.lake.lineage import Risk, read_record
from jobs.privacy import declarations
from jobs.privacy.declarations import UNKEYED_DIGEST, declare
from jobs.privacy.emails import PROFILES
from jobs.privacy.export_rules import ExportRules
from jobs.runner import run_step
from jobs.samples.generated import write_shop
from jobs.settings import load_settings
from jobs.steps import FLOWS, STEPS
from tests.conform.landed import land
from tests.conftest import PROJECT

pytestmark = [pytest.mark.slow]

FIRST_DAY = date(2026, 3, 2)
DAYS = Days(FIRST_DAY, FIRST_DAY + timedelta(days=3))
RETURN = {
    "return_id": "r1",
    "product_id": "P1",
    "quantity": "1",
    "unit_price": "5.00",
    "reason": "too small",
    "returned_at": f"{FIRST_DAY} 10:00:00",
    "updated_at": f"{FIRST_DAY} 10:00:00",
}
"""In a shop of a few days nobody has had the time to send anything back."""
WITHOUT_FRAMES = {
    "ledger.choices",
    "ledger.privacy_charges",
    "ledger.exports",
    "ledger.key_events",
    "ledger.request_events",
    "ledger.requests",
    "ledger.retention_plans",
    "ledger.retention_runs",
    "ledger.step_runs",
}


@pytest.fixture(scope="module")
def brought():
    """Columns of frames that came to the program while the flows ran, with their traces."""
    return []


@pytest.fixture(scope="module")
def shop(tmp_path_factory, engine, contracts, brought):
    """A small shop through every flow; whatever a step brings to the program is noted.

    Not what a gate asks in SQL about staged rows, whose own lineage was checked when they were staged.
    """
    settings = load_settings(str(tmp_path_factory.mktemp("leaks") / "shop"))
    write_shop(settings, first_day=FIRST_DAY, days=4, customers=60, events=900, seed=3)
    lake = Lake(settings, engine, contracts)
    gate = importlib.import_module("jobs.quality.gate")
    computed, run_suite = DataFrame._to_table, gate.run_suite
    gates = []

    def note(rows):
        if not gates:
            brought.extend(lake.tracer.trace(rows).items())
        return computed(rows)

    def run_unseen(*arguments, **options):
        gates.append(arguments)
        try:
            return run_suite(*arguments, **options)
        finally:
            gates.pop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DataFrame, "_to_table", note)
        patch.setattr(gate, "run_suite", run_unseen)
        for flow in FLOWS:
            for step in flow.steps:
                run_step(lake, step, DAYS)
        land(lake, "returns", RETURN, days=Days.single(FIRST_DAY))
        run_step(lake, STEPS["conform.returns"], DAYS)
    return lake


def lineage(lake, table):
    """What each column of a table was made from, as its commits tell."""
    return {column: {str(trace) for trace in traces} for column, traces in read_record(lake.history(table)).items()}


def published(lake):
    """Tables outside the personal zones that steps write frames to."""
    written = {table for step in STEPS.values() for table in step.writes} - WITHOUT_FRAMES
    return sorted(table for table in written if lake.contracts[table].zone not in PERSONAL_ZONES and lake.exists(table))


def test_every_table_outside_the_personal_zones_has_its_lineage(shop):
    tables = published(shop)
    assert {"lake.clicks", "lake.subjects", "lake.orders", "marts.bestsellers", "marts.recently_viewed"} < set(tables)
    for table in tables:
        known = lineage(shop, table)
        assert set(known) == set(shop.contracts[table].column_names), table
        print(table, *(f"  {name} <- {', '.join(sorted(of)) or '-'}" for name, of in known.items()), sep="\n")


def test_what_comes_of_direct_identifiers_is_declared_everywhere(shop):
    names = {what.name for what in declarations.DECLARATIONS}
    for table in published(shop):
        for column, traces in read_record(shop.history(table)).items():
            for trace in traces:
                assert set(trace.via) <= names, (table, column)
                assert trace.risk is Risk.NONE, (table, column)


def test_the_lineage_of_a_pseudonym_and_of_a_coarse_age(shop):
    subjects = lineage(shop, "lake.subjects")
    assert subjects["subject_id"] == {"vault.identities.subject_id"}
    assert subjects["adult_from"] == {"vault.customers.birth_date via coarsened to month"}
    assert subjects["country"] == {"vault.customers.country via known country"}
    assert lineage(shop, "vault.identities")["subject_id"] == {
        "landing.customers.email via keyed digest",
        "landing.customer_emails.email via keyed digest",
    }


def test_the_lineage_of_what_clients_and_carriers_send(shop):
    clicks = lineage(shop, "lake.clicks")
    line = "landing.clickstream.raw"
    assert clicks["subject_id"] == {f"{line}.email via keyed digest", f"{line}.visitor via keyed digest"}
    assert clicks["search_text"] == {f"{line}.search via masked text"}
    assert clicks["product_id"] == {f"{line}.product via code of a thing"}
    assert clicks["device"] == {f"{line}.user_agent via one of a list"}
    events = lineage(shop, "lake.parcel_events")
    assert events["parcel_id"] == {
        "landing.carrier_updates.carrier",
        "landing.carrier_updates.record.tracking_no via code of a thing",
    }


def test_marts_are_made_from_the_lake_alone(shop):
    for table in (name for name in published(shop) if name.startswith("marts.")):
        sources = {source for traces in lineage(shop, table).values() for source in traces}
        assert sources, table
        assert not [source for source in sources if source.startswith(tuple(f"{zone}." for zone in PERSONAL_ZONES))]


def test_no_step_brings_a_direct_identifier_to_the_program(shop, brought):
    assert len(brought) > 100
    leaks = [(name, str(trace)) for name, traces in brought for trace in traces if trace.risk is Risk.DIRECT]
    assert leaks == []


def join_through(rows):
    """Orders beside the accounts' addresses, one of which is taken for a country."""
    return rows.withColumn("country", F.coalesce("country", "email"))


def widest(rows):
    by_day = Window.partitionBy("country")
    return rows.withColumn("status", F.max("email").over(by_day))


def in_sql(rows):
    return rows.withColumn("status", F.expr("concat(status, lower(email))"))


def in_a_struct(rows):
    packed = F.to_json(F.struct("order_id", F.struct("email").alias("who")))
    return rows.withColumn("status", packed)


def after(function, change):
    """The function with its result changed."""
    return lambda *args, **options: change(function(*args, **options))


LEAKS = {
    "searches unmasked": ("conform.clicks", "mask_text", lambda _: lambda text: text, "lake.clicks", "search_text", "landing.clickstream.raw.search"),
    "a hash instead of a keyed digest": (
        "conform.clicks", "keyed_digest", lambda _: lambda text, _: F.sha2(text, 256), "lake.clicks", "subject_id", "landing.clickstream.raw.email",
    ),
    "any product": ("conform.clicks", "keep_code", lambda _: lambda text: text, "lake.clicks", "product_id", "landing.clickstream.raw.product"),
    "a birthday": ("conform.customers", "adult_from", lambda _: lambda day: day, "lake.subjects", "adult_from", "vault.customers.birth_date"),
    "an age in days": (
        "conform.customers", "adult_from", lambda _: lambda day: F.add_months(day, 216), "lake.subjects", "adult_from", "vault.customers.birth_date",
    ),
    "what somebody wrote for a country": (
        "conform.customers", "read_country", lambda _: lambda text: text, "lake.subjects", "country", "vault.customers.country",
    ),
    "an address through a join": (
        "conform.orders", "find_subjects", lambda f: after(f, join_through), "lake.orders", "country", "landing.orders.email",
    ),
    "an address through a window": (
        "conform.orders", "find_subjects", lambda f: after(f, widest), "lake.orders", "status", "landing.orders.email",
    ),
    "an address in SQL": ("conform.orders", "find_subjects", lambda f: after(f, in_sql), "lake.orders", "status", "landing.orders.email"),
    "an address in JSON": (
        "conform.orders", "find_subjects", lambda f: after(f, in_a_struct), "lake.orders", "status", "landing.orders.email",
    ),
    "a reason unmasked": ("conform.returns", "mask_text", lambda _: lambda text: text, "lake.returns", "reason", "landing.returns.reason"),
    "any order number of a carrier": (
        "conform.carrier_updates", "keep_identifier", lambda _: lambda text: text, "lake.parcel_events", "order_id", "landing.carrier_updates.record.order_id",
    ),
}  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
def test_a_step_made_to_leak_fails(shop, monkeypatch, leak):
    step, function, change, table, column, source = LEAKS[leak]
    module = importlib.import_module(f"jobs.{step}")
    before = shop.history(table)[0]
    monkeypatch.setattr(module, function, change(getattr(module, function)))
    with pytest.raises(ContractError) as error:
        run_step(shop, STEPS[step], DAYS)
    first, *lines = str(error.value).splitlines()
    assert first.startswith(f"{table}: direct identifiers would reach it without a declared pseudonymisation;")
    assert any(line.startswith(f"- {column} is made from ") and source in line for line in lines)
    assert "@" not in str(error.value)
    assert shop.history(table)[0] == before


def partner_of(shop, kind):
    return next(partner for partner in load_partners(shop.settings.partners) if partner.kind == kind)


def test_an_address_in_a_package_fails_it(shop, monkeypatch):
    monkeypatch.setattr("jobs.exports.identities.ad_id", lambda text, *_: text)
    with pytest.raises(
        ContractError, match=r"^exports\.additions: direct identifiers .*\n- ad_id is made from vault\."
    ):
        export_partner(shop, partner_of(shop, SHARED_KEY), DAYS.last, rules=ExportRules())


def test_an_unkeyed_digest_goes_to_platforms_alone(shop, monkeypatch):
    pair = PROFILES["pair"]
    monkeypatch.setattr("jobs.exports.identities.ad_id", lambda text, *_: declare(UNKEYED_DIGEST, pair.digest(text)))
    with pytest.raises(ContractError, match=r"- ad_id is made from .*vault\.identities\.email via unkeyed digest"):
        export_partner(shop, partner_of(shop, SHARED_KEY), DAYS.last, rules=ExportRules())
    assert export_partner(shop, partner_of(shop, PLATFORM), DAYS.last, rules=ExportRules())["identifiers"][
        "is_reversible"
    ]


def test_the_key_itself_is_no_column_of_a_table(shop, monkeypatch):
    module = importlib.import_module("jobs.conform.clicks")
    monkeypatch.setattr(module, "keyed_digest", lambda _, name: F.hex(F.col(f"_{name}_inner")))
    with pytest.raises(ContractError, match=r"- subject_id is made from driver\._subject_inner"):
        run_step(shop, STEPS["conform.clicks"], DAYS)


def calls(name):
    """Where a function or method is called, as (module, its first argument)."""
    for path in sorted((PROJECT / "jobs").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == name:
                first = node.args[0] if node.args else None
                yield path.relative_to(PROJECT / "jobs").as_posix(), getattr(first, "id", None)


def test_every_place_that_declares_is_known():
    """A new line here is a new way out of the vault: read it as such."""
    assert sorted(calls("declare")) == [
        ("conform/clicks.py", "LISTED"),
        ("exports/identities.py", "UNKEYED_DIGEST"),
        ("exports/impressions.py", "CALENDAR"),
        ("exports/members.py", "UNKEYED_DIGEST"),
        ("marts/periods.py", "CALENDAR"),
        ("privacy/minimisation/ages.py", "ADULT_MONTH"),
        ("privacy/minimisation/countries.py", "COUNTRY"),
        ("privacy/minimisation/masks.py", "MASKED"),
        ("privacy/minimisation/readings.py", "CODE"),
        ("privacy/minimisation/readings.py", "CODE"),
        ("privacy/minimisation/readings.py", "CODE"),
        ("privacy/minimisation/readings.py", "CODE"),
        ("privacy/minimisation/readings.py", "LISTED"),
        ("privacy/minimisation/readings.py", "MEASURE"),
        ("privacy/minimisation/readings.py", "TIME"),
        ("privacy/pseudonyms.py", "KEYED_DIGEST"),
    ]
    assert {module for module, _ in calls("mark")} == {"privacy/declarations.py"}


def test_every_declaration_is_used_and_told_apart():
    used = {argument for _, argument in calls("declare")}
    named = {name for name, value in vars(declarations).items() if isinstance(value, declarations.Declaration)}
    assert used == named
    assert len({what.name for what in declarations.DECLARATIONS}) == len(declarations.DECLARATIONS) == len(named)


def test_frames_are_written_by_the_lake_alone():
    written = {path.as_posix() for path in (PROJECT / "jobs").rglob("*.py") if ".write." in path.read_text()}
    assert {path.removeprefix(f"{PROJECT.as_posix()}/") for path in written} == {
        "jobs/lake/scratch.py",
        "jobs/lake/staging.py",
    }


def test_every_package_file_is_checked():
    assert [module for module, _ in calls("check") if module.startswith("lake/packages")] == ["lake/packages.py"]
