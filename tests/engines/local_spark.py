"""Where a local Spark finds its jars, or why it cannot run."""

import shutil
from pathlib import Path

from tests.conftest import PROJECT, skip_or_fail

JARS = PROJECT / "docker/spark/jars"


def local_spark_jars() -> Path:
    """The folder of the Delta jars; skips the test where Java or the jars are missing."""
    if shutil.which("java") is None:
        skip_or_fail("parity", "Java is missing; install a JRE 17")
    if not list(JARS.glob("delta-spark*.jar")):
        skip_or_fail("parity", "the Delta jars are missing; run 'make jars'")
    return JARS
