"""Starts a process that works with keys and shows all it can, and looks for the keys in everything it left."""

import os
import subprocess
import sys
from pathlib import Path

from pyarrow import parquet

from jobs.privacy.keyring import open_keyring
from jobs.settings import load_settings
from jobs.steps import FLOWS
from tests.conftest import PROJECT
from tests.flows.secret_search import SecretSearch

SPARK_DEFAULTS = """\
spark.eventLog.enabled true
spark.eventLog.dir file://{work}/events
spark.eventLog.compress false
spark.shuffle.compress false
spark.shuffle.spill.compress false
spark.broadcast.compress false
spark.rdd.compress false
spark.sql.ui.retainedExecutions 10
spark.ui.retainedJobs 10
spark.ui.retainedStages 10
spark.ui.retainedTasks 100
spark.driver.extraJavaOptions -Djava.io.tmpdir={work}/tmp {few_minutes}
"""
"""Nothing is packed, so that it can be searched; what ended is in the event log and need not stay in memory."""
FEW_MINUTES = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
"""A Java of minutes spends more on its second compiler than it gains; the first alone would get too little room."""
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


def run_shown(work: Path, module: str, **settings: str) -> None:
    """Run a module of :mod:`tests.flows.planted_run`'s kind below a folder, with these settings."""
    for folder in ("tmp", "events", "local", "conf", "cwd"):
        (work / folder).mkdir()
    (work / "conf" / "spark-defaults.conf").write_text(SPARK_DEFAULTS.format(work=work, few_minutes=FEW_MINUTES))
    (work / "conf" / "log4j2.properties").write_text(SPARK_LOGGING.format(work=work))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SOPHILUX_")},
        **{f"SOPHILUX_{name.upper()}": value for name, value in settings.items()},
        "PYTHONPATH": str(PROJECT),
        "TMPDIR": f"{work}/tmp",
        "SPARK_CONF_DIR": f"{work}/conf",
        "SPARK_LOCAL_DIRS": f"{work}/local",
        "SPARK_CONNECT_LOG_LEVEL": "DEBUG",
        "RUST_LOG": "debug",
    }
    command = [sys.executable, "-m", module, str(work)]
    with (work / "stdout.log").open("wb") as out, (work / "stderr.log").open("wb") as err:
        done = subprocess.run(command, env=environment, cwd=work / "cwd", stdout=out, stderr=err, check=False)
    assert done.returncode == 0, (work / "stderr.log").read_text(errors="replace")[-4000:]


def read_secrets(home: Path) -> dict[str, bytes]:
    """What the ring of a lake holds, by purpose."""
    ring = open_keyring(load_settings(str(home)))
    return {entry.purpose: ring.find(entry.purpose).secret for entry in ring.entries()}


def check_nothing_is_found(work: Path) -> None:
    """No trace of a key of any ring below the folder, but in the rings."""
    rings = tuple(work.glob("*.keys/keyring.json"))
    secrets = {
        f"{ring.parent.stem} {purpose}": secret
        for ring in rings
        for purpose, secret in read_secrets(ring.parent.with_suffix("")).items()
    }
    search = SecretSearch(secrets)
    found = search.search_folder(work, without=rings)
    assert not found, {file: sorted(what)[:3] for file, what in found.items()}
    assert rings
    assert all(search.search_file(ring) for ring in rings), "the search finds them where they are"


def check_all_was_looked_at(work: Path) -> None:
    """The run did what it claims: plans printed, scratch kept, tables and packages written."""
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
