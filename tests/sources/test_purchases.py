import logging
import sqlite3
import traceback
from datetime import date
from pathlib import Path

import pytest
from adbc_driver_postgresql import dbapi
from pydantic import SecretStr

from jobs.errors import SourceError
from jobs.lake import Days, Lake
from jobs.settings import Settings
from jobs.sources import purchases
from tests.sources.conftest import AGREED, FIRST, LAST, NOON, TABLES
from tests.sources.landed import landed

DAYS = Days(date(2024, 1, 31), date(2024, 2, 1))
PASSWORD = "planted-Pa55word"


@pytest.fixture
def open_shop(tmp_path, engine, contracts, monkeypatch):
    """A lake of its own for a database URI; failing connections are tried again at once."""
    monkeypatch.setattr(purchases._stage_tables.retry, "wait", lambda _: 0)

    def build(uri, name="shop"):
        settings = Settings(home=str(tmp_path / name), purchases_uri=SecretStr(uri))
        return Lake(settings, engine, contracts)

    return build


def all_rows(lake):
    return {table: landed(lake, f"landing.{table}") for table in TABLES}


def error_texts(error):
    """All that a log or a person could see of an error, its causes and contexts included."""
    seen = []
    while error is not None:
        seen += [str(error), repr(error), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(seen)


def expected_customers():
    anna = {"customer_id": "c1", "email": "A@b.co", "full_name": "Ännä O'Neil", "phone": None}
    anna |= {"birth_date": "1990-02-28", "street": '1 "Old" Rd\n2nd', "postcode": "01234", "ads_opt_out": "true"}
    anna |= {"consented_at": AGREED}
    return [
        anna | {"pull_day": date(2024, 1, 31), "row_no": 1, "closed_at": None, "updated_at": FIRST},
        {"pull_day": date(2024, 1, 31), "row_no": 2, "customer_id": "c2", "ads_opt_out": "false"}
        | {"personalisation_opt_out": None, "consented_at": None, "closed_at": NOON, "updated_at": NOON},
        anna | {"pull_day": date(2024, 2, 1), "row_no": 1, "updated_at": LAST},
    ]


def assert_customers(lake):
    rows = landed(lake, "landing.customers")
    assert [{name: row[name] for name in want} for row, want in zip(rows, expected_customers(), strict=True)] == (
        expected_customers()
    )


def test_sqlite_rows_of_the_window_land_as_text(open_shop, sqlite_shop):
    lake = open_shop(f"sqlite:///{sqlite_shop}")
    report = purchases.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.warnings) == (11, 11, [])
    assert_customers(lake)


@pytest.mark.slow
def test_postgresql_rows_of_the_window_land_as_text(open_shop, postgres_shop):
    lake = open_shop(postgres_shop)
    report = purchases.run(lake, DAYS)
    assert (report.rows_in, report.rows_out, report.warnings) == (11, 11, [])
    assert_customers(lake)
    assert landed(lake, "landing.order_lines", "line_no", "quantity", "unit_price") == [
        {"line_no": "1", "quantity": "2", "unit_price": "12.50"},
        {"line_no": None, "quantity": "-1", "unit_price": "0.00"},
    ]


@pytest.mark.slow
def test_sqlite_equals_postgresql(open_shop, sqlite_shop, postgres_shop):
    both = [open_shop(f"sqlite:///{sqlite_shop}", "lite"), open_shop(postgres_shop, "pg")]
    for lake in both:
        purchases.run(lake, DAYS)
    in_order = [
        {t: sorted([{k: v for k, v in row.items() if k != "row_no"} for row in rows], key=str) for t, rows in r.items()}
        for r in map(all_rows, both)
    ]
    assert in_order[0] == in_order[1]


def test_a_day_has_the_same_rows_alone_and_in_a_range(open_shop, sqlite_shop):
    whole, single = (open_shop(f"sqlite:///{sqlite_shop}", name) for name in ("whole", "single"))
    purchases.run(whole, DAYS)
    purchases.run(whole, DAYS)
    for day in DAYS:
        purchases.run(single, Days.single(day))
    assert all_rows(whole) == all_rows(single)


def test_a_column_that_is_null_for_long_and_then_text_lands_whole(open_shop, sqlite_shop):
    with sqlite3.connect(sqlite_shop) as connection:
        rows = [(f"o{n:05}", None, None, None, "paid" if n > 39_990 else None, None, None, NOON) for n in range(40_000)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("UPDATE orders SET email = CAST(x'ff41' AS TEXT) WHERE order_id = 'o39999'")
    lake = open_shop(f"sqlite:///{sqlite_shop}")
    purchases.run(lake, DAYS)
    orders = landed(lake, "landing.orders", "row_no", "order_id", "email", "status")
    assert [row["row_no"] for row in orders] == list(range(1, 40_002))
    assert orders[-1] == {"row_no": 40_001, "order_id": "o39999", "email": r"\xffA", "status": "paid"}
    assert sum(row["status"] is None for row in orders) == 39_991


def test_missing_tables_columns_and_times_are_warnings(open_shop, sqlite_shop):
    with sqlite3.connect(sqlite_shop) as connection:
        for change in (
            "DROP TABLE returns",
            "ALTER TABLE customers DROP COLUMN ads_opt_out",
            "UPDATE products SET updated_at = NULL WHERE product_id = 'P2'",
            "UPDATE orders SET updated_at = '2024-01-31Tlate'",
        ):
            connection.execute(change)
    lake = open_shop(f"sqlite:///{sqlite_shop}")
    assert purchases.run(lake, DAYS).warnings == [
        "customers has no ads_opt_out; landed as null",
        "products: 1 rows without updated_at belong to no day and are never pulled",
        "the database has no table returns; the range is empty",
    ]
    assert landed(lake, "landing.returns") == []
    assert landed(lake, "landing.orders", "updated_at") == [{"updated_at": "2024-01-31Tlate"}]


def test_a_database_that_keeps_no_consents_lands_with_a_warning(open_shop, sqlite_shop):
    with sqlite3.connect(sqlite_shop) as connection:
        connection.execute("ALTER TABLE customers DROP COLUMN consented_at")
    lake = open_shop(f"sqlite:///{sqlite_shop}")
    report = purchases.run(lake, DAYS)
    assert (report.rows_out, report.warnings) == (11, ["customers has no consented_at; landed as null"])
    assert landed(lake, "landing.customers", "consented_at") == [{"consented_at": None}] * 3


def test_a_missing_file_empties_the_range_with_a_warning_and_is_not_made(open_shop, sqlite_shop):
    lake = open_shop(f"sqlite:///{sqlite_shop}")
    purchases.run(lake, DAYS)
    sqlite_shop.unlink()
    report = purchases.run(lake, DAYS)
    assert (report.rows_out, report.warnings) == (0, ["there is no database file; the range is empty"])
    assert not sqlite_shop.exists()


def test_a_file_that_is_no_database_is_an_error_in_one_line(open_shop, tmp_path):
    (tmp_path / "shop.db").write_bytes(b"no database " * 100)
    with pytest.raises(SourceError, match="cannot be read") as caught:
        purchases.run(open_shop(f"sqlite:///{tmp_path}/shop.db"), DAYS)
    assert "\n" not in str(caught.value)


def staged_folders(lake):
    return {path.name for table in TABLES for path in Path(lake.location(f"landing.{table}")).glob("w-*")}


def published_folders(lake):
    return {file.path.partition("/")[0] for table in TABLES for file in lake.list_files(f"landing.{table}")}


def fill_large(uri):
    with dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO returns SELECT 'r' || n, null, 'planted-customer', repeat('x', 100), 'DE', 'P1', 1, 1, "
            "'late', null, timestamptz '2024-03-01 00:00:00+00' FROM generate_series(1, 100000) AS n"
        )


@pytest.mark.slow
def test_a_connection_lost_half_way_publishes_nothing_and_a_later_run_works(
    open_shop, postgres_shop, breaking_proxy, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    days = Days(date(2024, 1, 31), date(2024, 3, 1))
    purchases.run(open_shop(postgres_shop), days)
    before = all_rows(open_shop(postgres_shop))
    fill_large(postgres_shop)
    proxy = breaking_proxy(3_000_000, purchases.ATTEMPTS)
    lake = open_shop(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{proxy.port}/postgres")
    with pytest.raises(SourceError) as caught:
        purchases.run(lake, days)
    assert proxy.broken == purchases.ATTEMPTS
    assert all_rows(lake) == before
    assert staged_folders(lake) == published_folders(lake)
    assert "\n" not in str(caught.value)
    printed = "".join(capfd.readouterr())
    for planted in (PASSWORD, "planted-customer", str(proxy.port)):
        assert planted not in error_texts(caught.value) + caplog.text + printed
    assert purchases.run(lake, days).rows_out == 100_000 + sum(map(len, before.values()))


@pytest.mark.slow
def test_a_connection_lost_once_is_tried_again(open_shop, postgres_shop, breaking_proxy):
    proxy = breaking_proxy(2_000, 1)
    lake = open_shop(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{proxy.port}/postgres")
    assert purchases.run(lake, DAYS).rows_out == 11
    assert proxy.broken == 1


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://bob:{PASSWORD}@127.0.0.1:1/shop",
        f"postgresql://bob:{PASSWORD}/x@127.0.0.1:1/shop",
        f"postgresql://bob:%zz{PASSWORD}@127.0.0.1:1/shop",
        f"postgresql://127.0.0.1:1/shop?{PASSWORD}=1",
        f"mysql://bob:{PASSWORD}@127.0.0.1/shop",
        f"{PASSWORD}",
    ],
)
def test_no_credential_is_in_any_output(open_shop, uri, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceError) as caught:
        purchases.run(open_shop(uri), DAYS)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in error_texts(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert caught.value.__cause__ is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "words"),
    [("postgres:@/nowhere?", "no such database"), (f"bob:{PASSWORD}@/postgres?", "sign-in was refused")],
)
def test_a_refusal_says_why_in_our_words(open_shop, postgres_shop, part, words):
    with pytest.raises(SourceError, match=words):
        purchases.run(open_shop(postgres_shop.replace("postgres:@/postgres?", part)), DAYS)


def test_airflow_connections_are_found_by_name(open_shop, sqlite_shop, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", f'{{"conn_type": "sqlite", "host": "{sqlite_shop}"}}')
    assert purchases.run(open_shop("airflow://shop_db"), DAYS).rows_out == 11


@pytest.mark.slow
def test_airflow_connections_to_postgresql_keep_their_parts(open_shop, postgres_shop, breaking_proxy, monkeypatch):
    port = breaking_proxy(0, 0).port
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_PG", f"postgres://postgres:p%2F%40w@127.0.0.1:{port}/postgres?sslmode=prefer")
    assert purchases.run(open_shop("airflow://shop_pg"), DAYS).rows_out == 11


def test_an_unknown_airflow_connection_is_named(open_shop):
    with pytest.raises(SourceError, match="Airflow has no connection 'nope'"):
        purchases.run(open_shop("airflow://nope"), DAYS)
