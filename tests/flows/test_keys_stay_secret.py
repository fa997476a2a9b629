"""Known keys through every flow, and no trace of them anywhere but in the ring."""

import gzip
import logging
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet
from pyspark.sql import functions as F

from jobs.engine.session import REQUEST_LOGGER
from jobs.privacy.keyring import Key, open_keyring
from jobs.privacy.pseudonyms import key_relation, keyed_digest, with_keys
from jobs.settings import load_settings
from jobs.steps import FLOWS
from tests.conftest import PROJECT, skip_or_fail
from tests.flows.planted_run import KNOWN, known_secret
from tests.flows.secret_search import SecretSearch, derive, spell

JARS = PROJECT / "docker/spark/jars"
SPARK_DEFAULTS = """\
spark.eventLog.enabled true
spark.eventLog.dir file://{work}/events
spark.eventLog.compress false
spark.shuffle.compress false
spark.shuffle.spill.compress false
spark.broadcast.compress false
spark.rdd.compress false
spark.driver.extraJavaOptions -Djava.io.tmpdir={work}/tmp
"""
SPARK_LOGGING = """\
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {work}/spark.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c: %m%n%ex
logger.connect.name = org.apache.spark.sql.connect
logger.connect.level = debug
logger.execution.name = org.apache.spark.sql.execution
logger.execution.level = debug
logger.storage.name = org.apache.spark.storage
logger.storage.level = debug
"""
SECRET = random.Random(1).randbytes(32)
FORMS = sorted(spell(SECRET[:12]))


def run_planted(work: Path, engine: str) -> dict[str, bytes]:
    """Run all flows below a folder; gives the secrets of the ring."""
    for folder in ("tmp", "events", "local", "conf", "cwd"):
        (work / folder).mkdir()
    (work / "conf" / "spark-defaults.conf").write_text(SPARK_DEFAULTS.format(work=work))
    (work / "conf" / "log4j2.properties").write_text(SPARK_LOGGING.format(work=work))
    settings = {"ENGINE": engine, "SPARK_JARS": str(JARS), "MEMORY_SHARE": "0.15"}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SOPHILUX_")},
        **{f"SOPHILUX_{name}": value for name, value in settings.items()},
        "PYTHONPATH": str(PROJECT),
        "TMPDIR": f"{work}/tmp",
        "SPARK_CONF_DIR": f"{work}/conf",
        "SPARK_LOCAL_DIRS": f"{work}/local",
        "SPARK_CONNECT_LOG_LEVEL": "DEBUG",
        "RUST_LOG": "debug",
    }
    command = [sys.executable, "-m", "tests.flows.planted_run", str(work)]
    with (work / "stdout.log").open("wb") as out, (work / "stderr.log").open("wb") as err:
        done = subprocess.run(command, env=environment, cwd=work / "cwd", stdout=out, stderr=err, check=False)
    assert done.returncode == 0, (work / "stderr.log").read_text(errors="replace")[-4000:]
    ring = open_keyring(load_settings(str(work / "shop")))
    return {entry.purpose: ring.find(entry.purpose).secret for entry in ring.entries()}


def check_nothing_is_found(work: Path, secrets: dict[str, bytes]) -> None:
    ring = work / "shop.keys" / "keyring.json"
    found = SecretSearch(secrets).search_folder(work, without=(ring,))
    assert not found, {file: sorted(what)[:3] for file, what in found.items()}
    assert set(SecretSearch(secrets).search_file(ring)), "the search finds them where they are"


def check_all_was_looked_at(work: Path, secrets: dict[str, bytes]) -> None:
    """The run did what it claims: known keys were used, plans printed, scratch kept, tables and packages written."""
    assert {purpose: secrets[purpose] for purpose in KNOWN} == {purpose: known_secret(purpose) for purpose in KNOWN}
    printed = (work / "stdout.log").read_text(errors="replace")
    assert printed.count("Parsed Logical Plan") > 20
    assert "_subject_inner" in printed
    assert "Traceback" in printed
    assert all(list((work / "shop").glob(f"{table.replace('.', '/')}/_delta_log/*.json"))
               for table in ("lake.clicks", "vault.customers", "ledger.exports", "ledger.step_runs"))  # fmt: skip
    assert list((work / "shop" / "exports").glob("*/*/manifest.json*"))
    assert len(list((work / "kept").iterdir())) > 100
    steps = {row["step"] for row in parquet.read_table(work / "shop" / "ledger" / "step_runs").to_pylist()}
    assert steps == {step.name for flow in FLOWS for step in flow.steps}


@pytest.mark.slow
def test_no_trace_of_a_key_is_left_on_sail(tmp_path):
    secrets = run_planted(tmp_path, "sail")
    check_all_was_looked_at(tmp_path, secrets)
    assert (tmp_path / "stderr.log").read_text(errors="replace").count(" DEBUG ") > 100
    check_nothing_is_found(tmp_path, secrets)


@pytest.mark.slow
@pytest.mark.parity
@pytest.mark.timeout(1800)
def test_no_trace_of_a_key_is_left_on_spark(tmp_path):
    if shutil.which("java") is None:
        skip_or_fail("parity", "Java is missing; install a JRE 17")
    if not list(JARS.glob("delta-spark*.jar")):
        skip_or_fail("parity", "the Delta jars are missing; run 'make jars'")
    secrets = run_planted(tmp_path, "spark")
    check_all_was_looked_at(tmp_path, secrets)
    (events,) = (tmp_path / "events").rglob("events_1_*")
    assert "SparkListenerSQLExecutionStart" in events.read_text()
    assert " DEBUG org.apache.spark.sql.connect" in (tmp_path / "spark.log").read_text(errors="replace")
    check_nothing_is_found(tmp_path, secrets)


@pytest.mark.parametrize("is_filtered", [True, False])
def test_requests_are_kept_out_of_pysparks_debug_log(lake, caplog, monkeypatch, is_filtered):
    """Without our filter the log holds the key, so the filter is what keeps it out."""
    logger = logging.getLogger(REQUEST_LOGGER)
    if not is_filtered:
        monkeypatch.setattr(logger, "filters", [])
    caplog.set_level(logging.DEBUG, logger=REQUEST_LOGGER)
    monkeypatch.setattr(logger, "disabled", False)
    keyed = lake.session.range(3).transform(with_keys, key_relation(lake.session, it=Key("it", "0a1b2c3d", SECRET)))
    with caplog.at_level(logging.DEBUG):
        logger.addHandler(caplog.handler)
        try:
            assert keyed.select(keyed_digest(F.col("id").cast("string"), "it")).toArrow().num_rows == 3
        finally:
            logger.removeHandler(caplog.handler)
    found = SecretSearch({"it": SECRET}).search_bytes(caplog.text.encode())
    assert bool(found) is not is_filtered


def test_keys_stay_inside_the_request_and_become_no_file_of_the_server(lake):
    frame = key_relation(lake.session, **{f"key{n}": Key("it", "0a1b2c3d", SECRET) for n in range(20)})
    plan = frame._plan.to_proto(lake.session.client)
    assert "local_relation {" in str(plan)
    assert "cached_local_relation" not in str(plan)
    assert int(lake.session.conf.get("spark.sql.session.localRelationCacheThreshold")) == 1 << 20


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_a_planted_key_in_every_form(tmp_path, form):
    for kind, derived in derive(SECRET).items():
        (tmp_path / f"{kind}.log").write_bytes(b"before" + spell(derived)[form] + b"after")
    found = SecretSearch({"subject": SECRET}).search_folder(tmp_path)
    assert set(found) == {"key.log", "ipad.log", "opad.log"}


@pytest.mark.parametrize("start", [0, 3, 9])
def test_the_search_finds_a_part_of_a_key(tmp_path, start):
    (tmp_path / "log").write_bytes(SECRET[start : start + 22])
    assert SecretSearch({"subject": SECRET}).search_folder(tmp_path)


def test_the_search_looks_into_packed_files_and_at_names(tmp_path):
    text = b"key=" + SECRET.hex().encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    (tmp_path / "b.csv.zst").write_bytes(zstandard.compress(text))
    table = pa.table({"n": range(1000), "secret": [SECRET] * 1000, "text": ["x"] * 999 + [SECRET.hex()]})
    parquet.write_table(table, tmp_path / "c.parquet", compression="zstd")
    parquet.write_table(table.drop_columns("secret"), tmp_path / "d.parquet", compression="zstd", use_dictionary=False)
    (tmp_path / SECRET.hex()).mkdir()
    (tmp_path / "long").write_bytes(b" " * ((8 << 20) - 10) + SECRET + b" " * 100)
    found = SecretSearch({"subject": SECRET}).search_folder(tmp_path)
    assert set(found) == {"a.gz", "b.csv.zst", "c.parquet", "d.parquet", SECRET.hex(), "long"}


def test_the_search_finds_nothing_where_nothing_is(tmp_path):
    (tmp_path / "noise").write_bytes(random.Random(2).randbytes(1 << 20))
    assert SecretSearch({"subject": SECRET}).search_folder(tmp_path) == {}
