"""Two engines, one truth: the demo's flows on Sail and on Apache Spark leave the same rows in every table.

So do the steps that meet people who were erased, in a small shop of its own (:mod:`tests.engines.forgetting`). Spark
does its part in one process of its own (:mod:`tests.engines.spark_process`), in which no key leaves a trace.
"""

import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.lake import Contracts, Lake, clustering
from jobs.privacy.emails import PROFILES
from jobs.privacy.severing import PREFIX
from jobs.settings import load_settings
from tests.conform.suppression.test_erased_purchases import LANDED
from tests.engines import forgetting
from tests.engines.local_spark import local_spark_jars
from tests.flows.key_traces import check_all_was_looked_at, check_nothing_is_found, read_secrets, run_shown
from tests.lake.clustered import check_clustered
from tests.lake.sliced import EXPECTED
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
def forgotten(engine, contracts, tmp_path_factory):
    """The shop of which somebody was erased and to which everything came again, before any engine conforms it again."""
    lake = Lake(load_settings(str(tmp_path_factory.mktemp("forgetful") / "shop")), engine, contracts)
    forgetting.build(lake)
    return lake


@pytest.fixture(scope="module")
def work(demo, forgotten, tmp_path_factory):
    """Where a process of its own did everything on a local Spark: the demo from its drops, with its keys, and more."""
    folder = tmp_path_factory.mktemp("spark")
    for lake, name, suffixes in ((demo[0], "shop", (".sources", ".keys")), (forgotten, "forgetful", ("", ".keys"))):
        for suffix in suffixes:
            shutil.copytree(f"{lake.home}{suffix}", f"{folder / name}{suffix}")
    run_shown(
        folder, "tests.engines.spark_process", engine="spark", spark_jars=str(local_spark_jars()), memory_share="0.15"
    )
    return folder


@pytest.fixture(scope="module")
def answers(work):
    return json.loads((work / "answers.json").read_text())


@pytest.fixture(scope="module")
def twins(demo, work, engine, contracts):
    """The same drops and keys through both engines: (Sail's lake, Spark's lake)."""
    return demo[0], Lake(load_settings(str(work / "shop")), engine, contracts)


@pytest.fixture(scope="module")
def forgetful(forgotten, work, engine, contracts, answers):
    """The shop of which somebody was erased, after both engines conformed it again, and what each step counted."""
    on_spark = Lake(load_settings(str(work / "forgetful")), engine, contracts)
    counted = {step: vars(report) for step, report in forgetting.conform_again(forgotten).items()}
    return {"Sail": (forgotten, counted), "Spark": (on_spark, answers["counted"])}


def comparable(value):
    if isinstance(value, float):
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    return str(value.normalize()) if isinstance(value, Decimal) else value


def rows_of(lake, table):
    """The rows of a table as they lie there, read without an engine."""
    names = [name for name in lake.contracts[table].column_names if name not in OWN_TO_A_RUN]
    rows = [row for row in lake.read_records(table) if row.get("step") not in COUNT_THEIR_OWN]
    return Counter(tuple(comparable(row[name]) for name in names) for row in rows)


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


def test_both_engines_normalise_addresses_as_the_text_rule_does(demo, answers):
    written = spell_out()
    expected = [tuple(text_or_none(profile, address) for profile in PROFILES.values()) for address in written]
    assert normalise_all(demo[0], written) == expected
    assert [tuple(row) for row in answers["normalised"]] == expected


def test_rows_kept_by_a_column_are_read_by_it_on_spark(answers):
    assert answers["sliced"] == EXPECTED


def test_no_trace_of_a_key_is_left_on_spark(demo, work):
    known, used = (read_secrets(Path(home)) for home in (demo[0].home, work / "shop"))
    assert {purpose: used[purpose] for purpose in known} == known
    assert set(known) > {"subject", "signing", "budget"}
    check_all_was_looked_at(work)
    (events,) = (work / "events").rglob("events_1_*")
    assert "SparkListenerSQLExecutionStart" in events.read_text()
    assert " DEBUG org.apache.spark.sql.connect" in (work / "spark.log").read_text(errors="replace")
    check_nothing_is_found(work)


def test_what_spark_writes_is_clustered_too(work, engine, contracts):
    check_clustered(Lake(load_settings(str(work / "clustered")), engine, contracts), clustering.ROW_GROUP_ROWS)


def test_both_engines_tell_the_rows_of_erased_people_apart(forgetful):
    on_sail, on_spark = (counted for _, counted in forgetful.values())
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
