"""Read-only access to the shop's database through ADBC: rows stream as Arrow batches of text.

A driver's own messages may hold parts of the address, of a query or of rows, so none is ever passed on: what went
wrong is put into words of our own, and the driver's error is not chained to ours.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import pyarrow as pa
from adbc_driver_manager import Error as DriverError
from pydantic import SecretStr

from jobs.errors import SourceError
from jobs.lake import Days

SETTING = "SOPHILUX_PURCHASES_URI"
KINDS = "sqlite:///file, postgresql://… or airflow://connection_id"
CONNECTION_OPTIONS = {"connect_timeout": "15", "keepalives_idle": "30", "keepalives_interval": "10"}
SQLITE_BATCH_ROWS = "16384"
TRANSIENT_STATES = ("08", "40", "53", "55P03", "57P")
REASONS = {
    "28": "the sign-in was refused",
    "3D": "there is no such database",
    "42501": "reading is not permitted",
    "42703": "a column is missing",
    "42P01": "a table is missing",
}
TEXT_STATES = (
    (re.compile(r"authentication failed|no pg_hba|role .* does not exist|no password supplied"), "28"),
    (re.compile(r"database .* does not exist"), "3D"),
    (re.compile(r"invalid (integer|port|percent|URI|connection option)|missing \"=\"|not a database"), "bad"),
)
T = TypeVar("T")


class ConnectionLostError(SourceError):
    """The database could not be reached or went away; another attempt may succeed."""


@dataclass(frozen=True)
class Dialect:
    """How one kind of database says what we ask."""

    tables: str
    text: str
    window: str
    setup: tuple[str, ...]
    statement_options: Mapping[str, str]
    binds_days: bool


SQLITE = Dialect(
    tables="SELECT name FROM sqlite_master WHERE type IN ('table', 'view')",
    text="coalesce(CAST({column} AS TEXT), char(0))",
    window="{column} >= ? AND {column} < ?",
    setup=(),
    statement_options={"adbc.sqlite.query.batch_rows": SQLITE_BATCH_ROWS},
    binds_days=True,
)
POSTGRESQL = Dialect(
    tables="SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(oid)",
    text="CAST({column} AS TEXT)",
    window="{column} >= TIMESTAMPTZ '{first} 00:00:00+00' AND {column} < TIMESTAMPTZ '{after} 00:00:00+00'",
    setup=(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "SET LOCAL TIME ZONE 'UTC'",
        "SET LOCAL DateStyle TO 'ISO'",
        "SET LOCAL extra_float_digits TO 1",
    ),
    statement_options={},
    binds_days=False,
)


class Database:
    """One snapshot of a database."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:  # noqa: ANN401
        self._connection = connection
        self._dialect = dialect

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def tables(self) -> set[str]:
        """Names of the tables and views that are there."""
        return {name for (name,) in self._execute("the catalogue", self._dialect.tables)[0]}

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns."""
        sql = f'SELECT * FROM "{table}" LIMIT 0'  # noqa: S608 - our own names
        return [entry[0] for entry in self._execute(table, sql)[1]]

    def count_null(self, table: str, column: str) -> int:
        """Rows that hold nothing in a column."""
        sql = f'SELECT count(*) FROM "{table}" WHERE "{column}" IS NULL'  # noqa: S608 - our own names
        return int(self._execute(table, sql)[0][0][0])

    def read_window(self, table: str, columns: Sequence[str], by: str, days: Days) -> Iterator[pa.RecordBatch]:
        """Rows of a range of days as text, as a stream.

        Args:
            table: its name.
            columns: those to read, in this order; rows are ordered by ``by`` and then by all of them.
            by: column with the time of a row's latest change.
            days: range of that time, in UTC.

        Raises:
            ConnectionLostError: the connection broke off.
            SourceError: the table cannot be read.
        """
        first, after = days.first, days.last + timedelta(days=1)
        texts = ", ".join(f'{self._dialect.text.format(column=_name(c))} AS "{c}"' for c in columns)
        window = self._dialect.window.format(column=_name(by), first=first, after=after)
        order = ", ".join(_name(column) for column in [by, *(c for c in columns if c != by)])
        sql = f'SELECT {texts} FROM "{table}" AS t WHERE {window} ORDER BY {order}'  # noqa: S608 - our own names
        bound = (first, after) if self._dialect.binds_days else ()
        cursor = call(table, self._connection.cursor)
        try:
            batches = call(table, lambda: self._open(cursor, sql, bound))
            while (batch := call(table, lambda: next(batches, None))) is not None:
                yield batch
        finally:
            with suppress(DriverError, pa.ArrowException, OSError):
                cursor.close()

    def _open(self, cursor: Any, sql: str, bound: tuple[date, ...]) -> Any:  # noqa: ANN401
        if self._dialect.statement_options:
            cursor.adbc_statement.set_options(**self._dialect.statement_options)
        cursor.execute(sql, tuple(map(str, bound)) or None)
        return cursor.fetch_record_batch()

    def _execute(self, subject: str, sql: str) -> tuple[list[tuple[Any, ...]], Sequence[Any]]:
        """Rows and column descriptions of a query with few of them."""

        def work() -> tuple[list[tuple[Any, ...]], Sequence[Any]]:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall(), cursor.description

        return call(subject, work)


@contextmanager
def open_database(uri: SecretStr) -> Iterator[Database | None]:
    """A snapshot of the database at a URI; none where a SQLite file is not there.

    Args:
        uri: ``sqlite:///file``, ``postgresql://…`` or ``airflow://connection_id``.

    Raises:
        ConnectionLostError: the database cannot be reached.
        SourceError: the URI is of another kind, or the database refuses.
    """
    kind = _kind(uri)
    if kind == "airflow":
        uri = read_airflow_connection(uri.get_secret_value().partition("://")[2].strip("/"))
        kind = _kind(uri)
    if kind == "sqlite":
        path = Path(uri.get_secret_value().partition(":///")[2])
        if not path.is_file():
            yield None
            return
        database = call("the database", lambda: _connect_sqlite(path))
    elif kind in {"postgres", "postgresql"}:
        database = call("the database", lambda: _connect_postgresql(uri))
    else:
        message = f"{SETTING} must be {KINDS}; it is of another kind."
        raise SourceError(message)
    try:
        yield database
    finally:
        with suppress(DriverError, pa.ArrowException, OSError):
            database.close()


def read_airflow_connection(name: str) -> SecretStr:
    """The URI of a connection that Airflow knows by name, from its environment, secret backend or database.

    Raises:
        SourceError: Airflow has no such connection, or it is of another kind.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException

    found: Any = None
    with suppress(AirflowException):
        found = Connection.get(name)
    if found is None:
        message = f"Airflow has no connection {name!r}; add it, or set {SETTING}."
        raise SourceError(message)
    if found.conn_type == "sqlite":
        return SecretStr(f"sqlite:///{found.host or found.schema}")
    if found.conn_type not in {"postgres", "postgresql"}:
        message = f"Airflow's connection {name!r} must be of type postgres or sqlite, got {found.conn_type!r}."
        raise SourceError(message)
    person = f"{quote(found.login or '', safe='')}:{quote(found.password or '', safe='')}@" if found.login else ""
    place = f"{found.host or ''}{f':{found.port}' if found.port else ''}/{quote(found.schema or '', safe='')}"
    options = urlencode({key: value for key, value in found.extra_dejson.items() if isinstance(value, str)})
    return SecretStr(f"postgresql://{person}{place}{'?' if options else ''}{options}")


def call(subject: str, work: Callable[[], T]) -> T:
    """Do something with a driver; its error becomes one of ours, without its words.

    Raises:
        ConnectionLostError: another attempt may succeed.
        SourceError: it will not.
    """
    try:
        return work()
    except (DriverError, pa.ArrowException, OSError) as error:
        failure = _describe(subject, error)
    raise failure


def _describe(subject: str, error: Exception) -> SourceError:
    state = getattr(error, "sqlstate", None) or next((s for found, s in TEXT_STATES if found.search(str(error))), "")
    reason = next((words for prefix, words in REASONS.items() if state.startswith(prefix)), None)
    code = f" ({state})" if len(state) == 5 else ""
    if not state or state.startswith(TRANSIENT_STATES):
        message = f"purchases, {subject}: the connection failed or was lost{code}; nothing was published. Run it again."
        return ConnectionLostError(message)
    message = f"purchases, {subject}: {reason or 'it cannot be read'}{code}; nothing was published. Check {SETTING}."
    return SourceError(message)


def _kind(uri: SecretStr) -> str:
    return uri.get_secret_value().partition(":")[0].partition("+")[0].lower()


def _name(column: str) -> str:
    return f't."{column}"'


def _connect_sqlite(path: Path) -> Database:
    from adbc_driver_sqlite import dbapi

    return Database(dbapi.connect(f"file:{quote(str(path.absolute()))}?mode=ro"), SQLITE)


def _connect_postgresql(uri: SecretStr) -> Database:
    from adbc_driver_postgresql import dbapi

    address = "postgresql:" + uri.get_secret_value().partition(":")[2]
    options = urlencode({key: value for key, value in CONNECTION_OPTIONS.items() if f"{key}=" not in address})
    separator = "&" if "?" in address else "?"
    connection = dbapi.connect(f"{address}{separator}{options}")
    with connection.cursor() as cursor:
        for statement in POSTGRESQL.setup:
            cursor.execute(statement)
    return Database(connection, POSTGRESQL)
