"""A shop's database with awkward values, the same in SQLite and PostgreSQL; and a network that breaks."""

import socket
import sqlite3
import threading
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from adbc_driver_postgresql import dbapi

PG_TYPES = {
    "birth_date": "date",
    "ads_opt_out": "boolean",
    "personalisation_opt_out": "boolean",
    "is_primary": "boolean",
    "is_merchandise": "boolean",
    "unit_price": "numeric(12,2)",
    "quantity": "integer",
    "line_no": "integer",
}
TABLES = {
    "customers": (
        "customer_id, email, full_name, phone, birth_date, country, street, city, postcode, ads_opt_out, "
        "personalisation_opt_out, consented_at, closed_at, created_at, updated_at"
    ),
    "customer_emails": "customer_id, email, is_primary, updated_at",
    "products": "product_id, name, category_path, unit_price, is_merchandise, updated_at",
    "orders": "order_id, customer_id, email, country, status, ordered_at, cancelled_at, updated_at",
    "order_lines": "order_id, line_no, product_id, quantity, unit_price, updated_at",
    "returns": (
        "return_id, order_id, customer_id, email, country, product_id, quantity, unit_price, reason, returned_at, "
        "updated_at"
    ),
}
BEFORE, FIRST, NOON, LAST, AFTER = (
    "2024-01-30 23:59:59",
    "2024-01-31 00:00:00",
    "2024-01-31 12:00:00",
    "2024-02-01 23:59:59",
    "2024-02-02 00:00:00",
)
AGREED = "2023-06-01 08:30:00"
ANNA = ("c1", "A@b.co", "Ännä O'Neil", None, "1990-02-28", "DE", '1 "Old" Rd\n2nd', "Köln", "01234", True, False)
ROWS = {
    "customers": [(*ANNA, AGREED, None, BEFORE, at) for at in (BEFORE, FIRST, LAST, AFTER)]
    + [("c2", *[None] * 8, False, None, None, NOON, BEFORE, NOON)],
    "customer_emails": [("c1", "x@y.z", True, NOON), ("c1", "a@y.z", False, NOON)],
    "products": [("P1", "Mug", "Home/Mugs", "12.50", True, NOON), ("P2", "Fee", None, None, False, NOON)],
    "orders": [("o1", "c1", "A@b.co", "DE", "paid", FIRST, None, NOON)],
    "order_lines": [("o1", 1, "P1", 2, "12.50", NOON), ("o1", None, "P1", -1, "0.00", NOON)],
    "returns": [("r1", None, None, None, None, "P1", 1, "12.50", "broken", LAST, LAST)],
}


def moment(text):
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def sqlite_shop(tmp_path):
    """Path of a SQLite database with all tables filled."""
    path = tmp_path / "shop #1.db"
    with sqlite3.connect(path) as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
            marks = ", ".join("?" * len(columns.split(", ")))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", ROWS[table])
    connection.close()
    return path


@pytest.fixture(scope="session")
def postgres_shop(postgres_uri):
    """URI of a PostgreSQL database with all tables filled, which shows times in another zone."""
    with dbapi.connect(postgres_uri, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER DATABASE postgres SET timezone TO 'Asia/Shanghai'")
        for table, columns in TABLES.items():
            names = columns.split(", ")
            types = [PG_TYPES.get(name, "timestamptz" if name.endswith("_at") else "text") for name in names]
            cursor.execute(f"CREATE TABLE {table} ({', '.join(map(' '.join, zip(names, types, strict=True)))})")
            for row in ROWS[table]:
                cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(map(literal, row, types))})")
    return postgres_uri


def literal(value, type_):
    if value is None:
        return "NULL"
    text = f"{value}+00" if type_ == "timestamptz" else str(value)
    return "'" + text.replace("'", "''") + f"'::{type_}"


class BreakingProxy:
    """Passes a database's bytes on over TCP; a few connections that pass more than a limit are hung up on."""

    def __init__(self, socket_path, limit, breaks):
        self.broken = 0
        self._target, self._limit, self._breaks = socket_path, limit, breaks
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            database = socket.socket(socket.AF_UNIX)
            database.connect(self._target)
            threading.Thread(target=self._pass_on, args=(client, database, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(database, client, True), daemon=True).start()

    def _pass_on(self, source, target, is_answer):
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if is_answer and passed > self._limit and self.broken < self._breaks:
                    self.broken += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def breaking_proxy(postgres_uri):
    """Starts proxies in front of PostgreSQL; call it with the bytes to pass and how often to break."""
    folder = postgres_uri.partition("host=")[2]
    proxies = []

    def start(limit, breaks):
        proxies.append(BreakingProxy(f"{folder}/.s.PGSQL.5432", limit, breaks))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.close()
