"""Two engines, one truth: the demo's flows on Sail and on Apache Spark leave the same rows in every table."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.engine import Engine
from jobs.lake import Contracts, Lake
from jobs.privacy.emails import PROFILES
from tests.conftest import run_all_flows
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
def twins(demo, tmp_path_factory):
    """The same drops and keys through both engines: (Sail's lake, Spark's lake).

    Spark ends with this module, for what it holds of memory other modules need.
    """
    jars = local_spark_jars()
    sail, _ = demo
    settings = sail.settings.model_copy(
        update={
            "home": str(tmp_path_factory.mktemp("spark") / "shop"),
            "engine": "spark",
            "spark_jars": str(jars),
            "sources_root": sail.settings.sources,
            "keyring_file": str(sail.settings.keyring),
            "memory_share": 0.15,
        }
    )
    with Engine(settings) as engine:
        spark = Lake(settings, engine, sail.contracts)
        run_all_flows(spark)
        yield sail, spark


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
