"""Start and stop an engine; the only module that sets engine options.

Both engines are spoken to through Spark Connect, in UTC, with ANSI semantics off where they would differ.
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jobs.errors import UsageError
from jobs.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SESSION_OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "true",
    "spark.sql.shuffle.partitions": "4",
    # Smaller relations go inside the request; a larger one would be kept by the server as an artifact, on disk too.
    "spark.sql.session.localRelationCacheThreshold": str(1 << 20),
}
# Else PySpark walks the stack, and looks for IPython on the disk, at every call that makes a column or a frame, to tell
# the server its line: a third of the time of a small step. It reads this once a process, before the first such call.
WITHOUT_CALL_SITES = {"spark.python.sql.dataFrameDebugging.enabled": "false"}
SPARK_SESSION_OPTIONS = {
    # Its server logs cached plans at debug level with the data of their local relations, and so the keys.
    "spark.connect.session.planCache.enabled": "false",
}
LOCAL_SPARK_OPTIONS = {
    **WITHOUT_CALL_SITES,
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.connect.grpc.binding.address": "127.0.0.1",
}
SAIL_BATCH_ROWS = 32 * 1024
"""Four times the default, because a regular expression is compiled anew for every batch."""
IDLE_SECONDS = 366 * 24 * 3600
"""The embedded engine ends with its program; by default it would forget a session that asks nothing for 15 minutes."""
# PySpark's only switch for a Connect server on a free port; without it two local Sparks collide on 15002.
FREE_PORT_SWITCH = "SPARK_TESTING"
# Set while the process has a local Spark, which PySpark ends with whatever session is stopped next.
LOCAL_SPARK_MARK = "SPARK_LOCAL_REMOTE"
# Set while functions such as ``col`` are to speak Connect; PySpark takes it away with the local Spark.
CONNECT_MODE_MARK = "SPARK_CONNECT_MODE_ENABLED"
REQUEST_LOGGER = "pyspark.sql.connect.logging"
TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105


class Engine:
    """One engine of one process; the session is started on first use.

    Use it as a context manager, or call :meth:`stop`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: Any = None
        self._session: SparkSession | None = None

    @property
    def session(self) -> "SparkSession":
        """The running session, started when there is none yet (Sail 2 s, Spark 12 s)."""
        if self._session is None:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            starters = {"sail": self._start_sail, "spark": self._start_spark}
            self._session = starters[self._settings.engine]()
        return self._session

    def stop(self) -> None:
        """Stop the session and what was started for it; a second call does nothing."""
        if self._session is not None:
            with _leaving_other_engines_alone(ends_local_spark=self._runs_local_spark):
                self._session.stop()
            self._session = None
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _runs_local_spark(self) -> bool:
        return self._settings.engine == "spark" and not self._settings.spark_url

    def _start_sail(self) -> "SparkSession":
        from pyspark.sql import SparkSession

        os.environ.setdefault("RUST_LOG", "error")
        os.environ["SAIL_RUNTIME__MEMORY_POOL__TYPE"] = "fair"
        os.environ["SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE"] = str(self._settings.engine_memory)
        os.environ["SAIL_EXECUTION__BATCH_SIZE"] = str(SAIL_BATCH_ROWS)
        os.environ["SAIL_SPARK__SESSION_TIMEOUT_SECS"] = str(IDLE_SECONDS)
        from pysail.spark import SparkConnectServer

        self._server = SparkConnectServer(ip="127.0.0.1", port=0)
        self._server.start(background=True)
        _, port = self._server.listening_address
        # A local Spark of the same process leaves its token here; Sail would be sent it, and has no TLS to go with it.
        token = os.environ.pop(TOKEN, None)
        try:
            session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
        finally:
            if token:
                os.environ[TOKEN] = token
        # The server is of this process: no answer breaks off half-way, to be asked for again at twice the calls.
        session.client.disable_reattachable_execute()
        return _configure(session, WITHOUT_CALL_SITES)

    def _start_spark(self) -> "SparkSession":
        from pyspark.sql import SparkSession

        url = self._settings.spark_url
        if url:
            return _configure(SparkSession.builder.remote(url).create(), SPARK_SESSION_OPTIONS)
        jars = sorted(str(jar) for jar in Path(self._settings.spark_jars).glob("*.jar"))
        if not jars:
            message = (
                f"A local Spark needs the Delta jars in {self._settings.spark_jars}, which holds none; "
                "run 'make jars', or set SOPHILUX_SPARK_URL to a cluster."
            )
            raise UsageError(message)
        builder = SparkSession.builder.remote(f"local[{os.cpu_count() or 2}]").config("spark.jars", ",".join(jars))
        memory = f"{self._settings.engine_memory // 2**20}m"
        for key, value in {**LOCAL_SPARK_OPTIONS, "spark.driver.memory": memory}.items():
            builder = builder.config(key, value)
        os.environ[FREE_PORT_SWITCH] = "1"
        try:
            with warnings.catch_warnings(), active_session(None):
                # PySpark tries to set options of the start again on the running session, and warns for each.
                warnings.simplefilter("ignore", UserWarning)
                return _configure(builder.getOrCreate(), SPARK_SESSION_OPTIONS)
        finally:
            # Left behind, it would stop Sail from running Python functions in this process.
            del os.environ[FREE_PORT_SWITCH]


@contextmanager
def _leaving_other_engines_alone(*, ends_local_spark: bool) -> Iterator[None]:
    """Stop one session of a process that may hold both engines, and nothing that belongs to the other."""
    local_spark = None if ends_local_spark else os.environ.pop(LOCAL_SPARK_MARK, None)
    try:
        yield
    finally:
        os.environ[CONNECT_MODE_MARK] = "1"
        if local_spark is not None:
            os.environ[LOCAL_SPARK_MARK] = local_spark


@contextmanager
def active_session(session: "SparkSession | None") -> Iterator[None]:
    """Let libraries that ask PySpark for the session of this process be given this one, or none.

    A process may hold both engines, as tests do. Asked for a session, PySpark gives the first that was made: a local
    Spark would be the embedded engine under another name.
    """
    from pyspark.sql.connect.session import SparkSession as Connected

    held: Any = Connected
    default, active = held._default_session, getattr(held._active_session, "session", None)
    held._default_session = held._active_session.session = session
    try:
        yield
    finally:
        held._default_session = default or held._default_session
        held._active_session.session = active or held._active_session.session


def _is_above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _configure(session: "SparkSession", options: Mapping[str, str] | None = None) -> "SparkSession":
    # At debug level PySpark logs requests as a whole, and with them the relations that keys enter through.
    logging.getLogger(REQUEST_LOGGER).addFilter(_is_above_debug)
    for key, value in {**SESSION_OPTIONS, **(options or {})}.items():
        session.conf.set(key, value)
    return session
