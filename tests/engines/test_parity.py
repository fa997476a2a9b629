"""Two engines, one truth: the demo's flows on Sail and on Apache Spark leave the same rows in every table.

So do the steps that meet people who were erased, in a small shop of its own (:mod:`tests.engines.forgetting`).
"""

import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.engine import Engine
from jobs.lake import Contracts, Lake
from jobs.privacy.emails import PROFILES
from jobs.privacy.severing import PREFIX
from jobs.settings import load_settings
from tests.conform.suppression.test_erased_purchases import LANDED
from tests.conftest import run_all_flows
from tests.engines import forgetting
from tests.engines.local_spark import local_spark_jars
from tests.privacy.emails.written import normalise_all, spell_out, text_or_none

pytestmark = [pytest.mark.parity, pytest.mark.slow, pytest.mark.timeout(3000)]

OWN_TO_A_RUN = {
    "applied_at",
    "at",
    "bytes",
    "charged_at",
    "exported_at",
    "finished_at",
    "received_at",
    "release_id",
    "request_id",
    "released_at",
    "restated_at",
    "run_id",
    "seal",
    "seconds",
}
NOISY = {"ledger.chart_utility", "marts.ad_effectiveness", "marts.bestsellers"}
"""Drawn anew by each engine; ``ledger.privacy_charges`` has a keyed digest of the exact numbers, which are the same."""
COUNT_THEIR_OWN = {"marts.bestsellers", "report.site", "retention.optimize"}
"""Steps that count noisy numbers above a threshold, or rows of small files, of which each engine makes its own."""
OF_ONE_LAKE = {"ledger.retention_plans"}
"""A plan is named by a hash over its lake and the files in it."""
SIGNIFICANT_DIGITS = 12
LEFT_OUT = NOISY | OF_ONE_LAKE
TABLES = sorted(table for table in Contracts.load() if not table.startswith("exports.") and table not in LEFT_OUT)


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    """A local Spark; it ends with this module, for what it holds of memory other modules need."""
    options = {"engine": "spark", "spark_jars": str(local_spark_jars()), "memory_share": 0.15}
    settings = load_settings(str(tmp_path_factory.mktemp("engine") / "shop"))
    with Engine(settings.model_copy(update=options)) as engine:
        yield engine


@pytest.fixture(scope="module")
def twins(demo, spark, tmp_path_factory):
    """The same drops and keys through both engines: (Sail's lake, Spark's lake)."""
    sail, _ = demo
    settings = sail.settings.model_copy(
        update={
            "home": str(tmp_path_factory.mktemp("spark") / "shop"),
            "engine": "spark",
            "sources_root": sail.settings.sources,
            "keyring_file": str(sail.settings.keyring),
        }
    )
    on_spark = Lake(settings, spark, sail.contracts)
    run_all_flows(on_spark)
    return sail, on_spark


@pytest.fixture(scope="module")
def forgetful(engine, contracts, spark, tmp_path_factory):
    """The shop of which somebody was erased, after both engines conformed it again, and what each step counted."""
    sail = Lake(load_settings(str(tmp_path_factory.mktemp("forgetful") / "shop")), engine, contracts)
    forgetting.build(sail)
    home = str(tmp_path_factory.mktemp("forgetful-spark") / "shop")
    for suffix in ("", ".keys"):
        shutil.copytree(f"{sail.home}{suffix}", f"{home}{suffix}")
    on_spark = Lake(load_settings(home).model_copy(update={"engine": "spark"}), spark, contracts)
    spark.session.conf.set("spark.sql.shuffle.partitions", "4")
    counted = forgetting.conform_again(on_spark)
    spark.session.conf.unset("spark.sql.shuffle.partitions")
    return {"Sail": (sail, forgetting.conform_again(sail)), "Spark": (on_spark, counted)}


def comparable(value):
    if isinstance(value, float):
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    return str(value.normalize()) if isinstance(value, Decimal) else value


def rows_of(lake, table):
    names = [name for name in lake.contracts[table].column_names if name not in OWN_TO_A_RUN]
    rows = lake.read(table).select(*names).toArrow().to_pylist()
    rows = [row for row in rows if row.get("step") not in COUNT_THEIR_OWN]
    return Counter(tuple(comparable(value) for value in row.values()) for row in rows)


@pytest.mark.parametrize("table", TABLES)
def test_both_engines_leave_the_same_rows(twins, table):
    sail, spark = (rows_of(lake, table) for lake in twins)
    only_sail, only_spark = sail - spark, spark - sail
    assert not only_sail, (
        f"{sum(only_sail.values())} rows on Sail only, such as {list(only_sail)[:2]} against {list(only_spark)[:2]}"
    )
    assert not only_spark


def test_both_engines_hand_over_the_same_bytes(twins):
    """Manifests too: the twins share their keys, and a signature depends on nothing else."""
    handed_over = []
    for lake in twins:
        folder = Path(lake.home) / "exports"
        files = [path for path in folder.rglob("*") if path.is_file()]
        handed_over.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    sail, spark = handed_over
    assert any(name.endswith("manifest.json") for name in sail)
    assert sorted(sail) == sorted(spark)
    assert [name for name in sail if sail[name] != spark[name]] == []


def test_both_engines_normalise_addresses_as_the_text_rule_does(twins):
    written = spell_out()
    expected = [tuple(text_or_none(profile, address) for profile in PROFILES.values()) for address in written]
    for lake in twins:
        assert normalise_all(lake, written) == expected


def test_both_engines_tell_the_rows_of_erased_people_apart(forgetful):
    on_sail, on_spark = ({step: vars(report) for step, report in counted.items()} for _, counted in forgetful.values())
    assert on_spark == on_sail
    assert all(report["forgotten"] > 0 for report in on_sail.values())


def stored(lake, table):
    """The rows of a table as they lie there, read without an engine."""
    own = OWN_TO_A_RUN & set(lake.contracts[table].column_names)
    return Counter(repr({**row, **dict.fromkeys(own)}) for row in lake.read_records(table))


def test_both_engines_leave_the_same_rows_where_people_were_erased(forgetful):
    sail, spark = (lake for lake, _ in forgetful.values())
    tables = [name for name in sail.contracts if sail.exists(name) and not name.startswith("ledger.")]
    assert sum(sail.count(table) for table in tables) > 30
    assert [table for table in tables if stored(sail, table) != stored(spark, table)] == []


def test_both_engines_bury_what_erased_people_turn_out_to_be_called(forgetful):
    sail, spark = (
        {(row["kind"], row["digest"]) for row in lake.read_records("ledger.tombstones")}
        for lake, _ in forgetful.values()
    )
    assert spark == sail
    assert {kind for kind, _ in sail} >= {"subject", "person", "order", "return", "parcel"}


@pytest.mark.parametrize("name", ["Sail", "Spark"])
def test_only_what_is_on_hold_or_of_a_new_account_is_an_erased_persons(forgetful, name):
    lake, _ = forgetful[name]
    orders = [row["order_id"] for row in lake.read_records("lake.orders")]
    kept = {order_id for order_id in orders if not order_id.startswith(PREFIX)}
    on_hold, welcome, others = {"o1"}, {"o10"}, {"o2", "o12"}
    assert kept == on_hold | welcome | others
    assert len(orders) - len(kept) == len(["o3", "o7", "o8"])
    raw = [lake.read_records(f"{zone}.{table}") for zone in ("landing", "quarantine") for table in LANDED]
    text = json.dumps(raw, default=str)
    assert not [each for each in ("third@", "Elsewhere", "TRK7", '"o7"', '"o8"', '"o11"') if each in text]
    late = forgetting.LATE_CLICKS
    landed = [
        row["raw"] for row in lake.read_records("landing.clickstream") if row["pull_day"] == forgetting.NEXT.first
    ]
    assert sorted(landed) == sorted([late[1], late[4], late[6]])
    assert [row["raw"] for row in lake.read_records("quarantine.clicks")] == ["garbage of nobody"]
