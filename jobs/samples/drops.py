"""The one place that writes source drops: the shop's database, JSON Lines and CSV files, and the list of partners.

A file appears under its name when it is whole. The same input gives the same bytes.
"""

import csv
import gzip
import io
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Final

import pyarrow as pa
import yaml
import zstandard

from jobs.errors import UsageError
from jobs.lake import columns as C
from jobs.privacy.budget.allowances import DEFAULT_FILE
from jobs.settings import Settings, is_remote

Progress = Callable[[str], None] | None

DATABASE: Final = "shop.db"
PLANTED: Final = "planted.json"
BATCH_ROWS: Final = 50_000
PARTNERS: Final = (
    {"name": "adnet-eu", "countries": ["DE", "FR", "GB", "NL", "SE"], "minimum_segment": 5, "attribution_days": 1},
    {"name": "worldads", "countries": ["all"], "epoch": "month", "minimum_segment": 10, "format": "csv"},
)
"""Small minimums and windows, because sample shops are small and short."""
KEYED_PARTNERS: Final = (
    {"name": "loyalty", "kind": "shared-key", "countries": ["all"], "minimum_segment": 5, "profile": "google"},
    {
        "name": "searchads",
        "kind": "platform",
        "countries": ["DE", "FR"],
        "minimum_segment": 5,
        "platform": "google",
        "accept_reversible": True,
        "reason": "Customer match in the shop's own search campaigns takes nothing else.",
    },
)
"""Partners that match addresses of their own."""
INVENTED_RHO: Final = 10_000.0
INVENTED_WINDOWS: Final = {
    "day": 32.0, "week": 32.0, "month": 64.0, "year": 64.0, "trailing7": 32.0, "trailing30": 32.0,
}  # fmt: skip
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "customers": {
        C.CUSTOMER_ID: "TEXT",
        C.EMAIL: "TEXT",
        C.FULL_NAME: "TEXT",
        C.PHONE: "TEXT",
        C.BIRTH_DATE: "TEXT",
        C.COUNTRY: "TEXT",
        C.STREET: "TEXT",
        C.CITY: "TEXT",
        C.POSTCODE: "TEXT",
        C.ADS_OPT_OUT: "INTEGER",
        C.PERSONALISATION_OPT_OUT: "INTEGER",
        C.CONSENTED_AT: "TEXT",
        C.CLOSED_AT: "TEXT",
        C.CREATED_AT: "TEXT",
        C.UPDATED_AT: "TEXT",
    },
    "customer_emails": {C.CUSTOMER_ID: "TEXT", C.EMAIL: "TEXT", C.IS_PRIMARY: "INTEGER", C.UPDATED_AT: "TEXT"},
    "products": {
        C.PRODUCT_ID: "TEXT",
        C.NAME: "TEXT",
        C.CATEGORY_PATH: "TEXT",
        C.UNIT_PRICE: "REAL",
        C.IS_MERCHANDISE: "INTEGER",
        C.UPDATED_AT: "TEXT",
    },
    "orders": {
        C.ORDER_ID: "TEXT",
        C.CUSTOMER_ID: "TEXT",
        C.EMAIL: "TEXT",
        C.COUNTRY: "TEXT",
        C.STATUS: "TEXT",
        C.CURRENCY: "TEXT",
        C.IS_TEST: "INTEGER",
        C.ORDERED_AT: "TEXT",
        C.CANCELLED_AT: "TEXT",
        C.UPDATED_AT: "TEXT",
    },
    "order_lines": {
        C.ORDER_ID: "TEXT",
        C.LINE_NO: "INTEGER",
        C.PRODUCT_ID: "TEXT",
        C.QUANTITY: "INTEGER",
        C.UNIT_PRICE: "REAL",
        C.UPDATED_AT: "TEXT",
    },
    "returns": {
        C.RETURN_ID: "TEXT",
        C.ORDER_ID: "TEXT",
        C.CUSTOMER_ID: "TEXT",
        C.EMAIL: "TEXT",
        C.COUNTRY: "TEXT",
        C.PRODUCT_ID: "TEXT",
        C.QUANTITY: "INTEGER",
        C.UNIT_PRICE: "REAL",
        C.CURRENCY: "TEXT",
        C.REASON: "TEXT",
        C.RETURNED_AT: "TEXT",
        C.UPDATED_AT: "TEXT",
    },
}
CARRIER_FIELDS: Final = (
    "tracking_no",
    C.ORDER_ID,
    "event",
    C.EVENT_TIME,
    C.FULL_NAME,
    C.PHONE,
    C.STREET,
    C.CITY,
    C.POSTCODE,
    C.COUNTRY,
)


def local_root(settings: Settings) -> Path:
    """The folder of source drops, made where it is missing.

    Raises:
        UsageError: the sources lie on an object store.
    """
    if is_remote(settings.sources):
        message = "Sample drops are written to a folder of this machine; set SOPHILUX_SOURCES_ROOT to one."
        raise UsageError(message)
    root = Path(settings.sources)
    root.mkdir(parents=True, exist_ok=True)
    return root


def clear_generated(root: Path) -> None:
    """Remove the clicks, parcels and impressions of an earlier generated shop; drops of other origin stay."""
    if (root / PLANTED).exists():
        for folder in ("clickstream", "carriers", "impressions"):
            shutil.rmtree(root / folder, ignore_errors=True)
        (root / PLANTED).unlink()


def write_database(root: Path, tables: Mapping[str, pa.Table]) -> dict[str, int]:
    """Replace the shop's database; a table that is not given is there and empty.

    Args:
        root: folder of the drops.
        tables: Arrow tables by name, with columns of ``TABLES`` in any order; those that are missing are null.

    Returns:
        Rows written per given table.
    """
    with _replaced(root / DATABASE) as part, closing(sqlite3.connect(part)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        for name, columns in TABLES.items():
            _fill_table(database, name, columns, tables.get(name))
        database.commit()
    return {name: table.num_rows for name, table in tables.items()}


def write_file(path: Path, chunks: Iterable["bytes | pa.Buffer"]) -> None:
    """Replace a file by the chunks; ``.gz`` and ``.zst`` at the end of its name compress it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _replaced(path) as part, part.open("wb") as file, _compressed(path.suffix, file) as out:
        for chunk in chunks:
            out.write(chunk)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Replace a CSV file; None is written as an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_file(path, [text.getvalue().encode()])


def write_budgets(root: Path) -> None:
    """Replace the file of privacy budgets by one that leaves the charts of a small shop of invented people readable."""
    document = yaml.safe_load(DEFAULT_FILE.read_text(encoding="utf-8"))
    document["datasets"]["purchases"]["rho"] = INVENTED_RHO
    for kind, rho in INVENTED_WINDOWS.items():
        document["bestsellers"]["windows"][kind]["rho"] = rho
    head = (
        "# The people of a generated shop are invented and need no protection; one of real people takes the default.\n"
    )
    write_file(root / "budgets.yaml", [(head + yaml.safe_dump(document, sort_keys=False)).encode()])


def write_partners(root: Path, *, policy_valid_from: date | None = None, keyed: bool = False) -> None:
    """Replace the file that declares the ad partners.

    Args:
        root: folder of the drops.
        policy_valid_from: from when on consent counts, where the shop knows of any.
        keyed: also declare the partners that match addresses.
    """
    rules = {"eligibility": {"policy_valid_from": policy_valid_from}} if policy_valid_from else {}
    document = {**rules, "partners": [*PARTNERS, *(KEYED_PARTNERS if keyed else ())]}
    write_file(root / "partners.yaml", [yaml.safe_dump(document, sort_keys=False).encode()])


def text_times(seconds: pa.Array) -> pa.Array:
    """Seconds since 1970 as the database's text, ``YYYY-MM-DD HH:MM:SS``; null stays null."""
    return pa.array(seconds, pa.int64()).cast(pa.timestamp("s")).cast(pa.string())


def _fill_table(database: sqlite3.Connection, name: str, columns: Mapping[str, str], rows: pa.Table | None) -> None:
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    database.execute(f"CREATE TABLE {name} ({declared})")
    if rows is not None:
        marks = ", ".join("?" * len(columns))
        for batch in _complete(rows, columns).to_batches(BATCH_ROWS):
            values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            database.executemany(f"INSERT INTO {name} VALUES ({marks})", values)  # noqa: S608
    database.execute(f"CREATE INDEX {name}_{C.UPDATED_AT} ON {name} ({C.UPDATED_AT})")


def _complete(rows: pa.Table, columns: Mapping[str, str]) -> pa.Table:
    for name in set(columns) - set(rows.column_names):
        rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows.select(list(columns))


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _compressed(suffix: str, file: IO[bytes]) -> Iterator[IO[bytes]]:
    if suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=file, mtime=0) as out:
            yield out  # type: ignore[misc]
    elif suffix == ".zst":
        with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as out:
            yield out
    else:
        yield file
