"""Logs of a shop from files: sessions, baskets or users with their items and times, whatever the columns are called."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

SESSION, USER, ITEM, TIME = "session", "user", "item", "time"
NAMES: Final = {
    SESSION: (
        "session", "sessionid", "basket", "basketid", "invoice", "invoiceno", "order", "orderid", "visit", "visitid",
        "transaction", "transactionid", "cart", "cartid", "sid",
    ),
    USER: ("user", "userid", "customer", "customerid", "visitor", "visitorid", "subjectid", "member", "uid", "person"),
    ITEM: (
        "item", "itemid", "product", "productid", "stockcode", "sku", "article", "articleid", "movie", "movieid",
        "book", "bookid", "asin", "iid",
    ),
    TIME: (
        "time", "timestamp", "ts", "datetime", "date", "day", "eventtime", "eventdate", "invoicedate", "orderdate",
        "createdat", "orderedat",
    ),
}  # fmt: skip
"""What columns are called, without case and punctuation, in order of preference."""
AMOUNTS: Final = ("quantity", "unitprice", "price")
ENDING: Final = re.compile(r"\.(?:csv|tsv|txt|parquet)(?:\.gz)?$", re.IGNORECASE)
SIDES: Final = {"train": "train", "test": "test"}
SEPARATORS: Final = "\t;|,"
UNITS: Final = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Numbers above the first are of so many to the second: nano-, micro-, milliseconds."""


@dataclass(frozen=True)
class Files:
    """Where a log is: in two files, or in one that has yet to be split."""

    train: Path
    test: Path | None


def find_files(dataset: Path) -> Files:
    """The files of a data set: a file, or a folder with one file or with one for training and one for tests.

    Raises:
        UsageError: there is none, or it is not clear which one is meant.
    """
    if dataset.is_file():
        return Files(dataset, None)
    found = sorted(path for path in dataset.glob("*") if ENDING.search(path.name)) if dataset.is_dir() else []
    sides = {side: [path for path in found if side in _words(path)] for side in SIDES}
    if sides["train"] and sides["test"]:
        return Files(_choose(sides["train"], "train"), _choose(sides["test"], "test"))
    if len(found) == 1:
        return Files(found[0], None)
    message = (
        f"{dataset} must be a file or hold one file, or two that are named train and test (csv, tsv, txt or parquet, "
        f"also .gz); it holds {', '.join(path.name for path in found) or 'none'}."
    )
    raise UsageError(message)


def read_log(path: Path, columns: Mapping[str, str] | None = None) -> "pd.DataFrame":
    """One row per event, in the file's order.

    Args:
        path: CSV (any usual separator, also gzip) or Parquet, with a header.
        columns: names of the columns ``session``, ``user``, ``item``, ``time`` where they are not the usual ones.

    Returns:
        ``session`` and ``user`` (text) where there are such columns, ``item`` (text), ``time`` (seconds since 1970,
        where there is such a column). Rows without an item, of no or negative quantity or price, and of cancelled
        invoices (``C…``) are left out.

    Raises:
        UsageError: the file cannot be read, or a column is missing or has values that are no times.
    """
    from pyarrow import ArrowException

    try:
        return _tidy(_load(path, columns or {}), path)
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {str(error).splitlines()[0]}."
        raise UsageError(message) from None


def _words(path: Path) -> list[str]:
    return re.split(r"[^a-z]+", ENDING.sub("", path.name).lower())


def _choose(paths: list[Path], side: str) -> Path:
    """The one file of a side; of several the one that says ``full``."""
    full = [path for path in paths if "full" in _words(path)] or paths
    if len(full) == 1:
        return full[0]
    message = f"Several files are named {side}: {', '.join(path.name for path in full)}; keep one of them."
    raise UsageError(message)


def _load(path: Path, columns: Mapping[str, str]) -> "pd.DataFrame":
    import pyarrow as pa
    from pyarrow import csv, parquet

    if path.name.lower().endswith(".parquet"):
        chosen = _match_columns(parquet.read_schema(path).names, columns, path)
        table = parquet.read_table(path, columns=list(chosen), partitioning=None)
        frame = table.to_pandas(types_mapper=None)
    else:
        with pa.input_stream(str(path), compression="detect") as head:
            first = head.read(1 << 16).split(b"\n", 1)[0].decode("utf-8-sig").strip()
        separator = max(SEPARATORS, key=first.count)
        names = [name.strip().strip('"') for name in first.split(separator)]
        chosen = _match_columns(names, columns, path)
        with pa.input_stream(str(path), compression="detect") as lines:
            table = csv.read_csv(
                lines,
                parse_options=csv.ParseOptions(delimiter=separator),
                read_options=csv.ReadOptions(column_names=names, skip_rows=1),
                convert_options=csv.ConvertOptions(
                    include_columns=list(chosen),
                    column_types=dict.fromkeys(chosen, pa.string()),
                    strings_can_be_null=True,
                ),
            )
        frame = table.to_pandas()
    return frame.rename(columns=chosen)


def _match_columns(names: list[str], columns: Mapping[str, str], path: Path) -> dict[str, str]:
    """Column of the file -> our name for it."""
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(names)}
    chosen = {}
    for ours, usual in NAMES.items():
        asked = columns.get(ours)
        if asked and asked not in names:
            message = f"{path} has no column {asked}; it has {', '.join(names)}."
            raise UsageError(message)
        found = asked or next((plain[name] for name in usual if name in plain), None)
        if found:
            chosen[found] = ours
    if ITEM not in chosen.values() or not {SESSION, USER} & set(chosen.values()):
        message = (
            f"{path} needs a column for items and one for sessions, baskets or users; it has {', '.join(names)}. "
            "Name them with --columns, such as --columns session=visit,item=sku,time=at."
        )
        raise UsageError(message)
    return chosen | {plain[name]: name for name in AMOUNTS if name in plain and plain[name] not in chosen}


def _tidy(frame: "pd.DataFrame", path: Path) -> "pd.DataFrame":
    import pandas as pd

    keep = frame[ITEM].notna()
    for amount in AMOUNTS:
        if amount in frame:
            keep &= ~(pd.to_numeric(frame[amount], errors="coerce") <= 0)
    for name in (SESSION, USER, ITEM):
        if name in frame:
            frame[name] = _to_text(frame[name])
    if SESSION in frame:
        keep &= frame[SESSION].notna() & ~frame[SESSION].str.match(r"[Cc]\d+$", na=False)
    elif USER in frame:
        keep &= frame[USER].notna()
    if TIME in frame:
        frame[TIME] = _to_seconds(frame[TIME], path)
        keep &= frame[TIME].notna()
    return frame.loc[keep, [name for name in (SESSION, USER, ITEM, TIME) if name in frame]].reset_index(drop=True)


def _to_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Identifiers as text; whole numbers without a point."""
    whole = values.astype("Int64") if values.dtype.kind == "f" and (values.dropna() % 1 == 0).all() else values
    return whole.astype("string")


def _to_seconds(values: "pd.Series[Any]", path: Path) -> "pd.Series[Any]":
    import pandas as pd

    if values.dtype.kind == "M" or isinstance(values.dtype, pd.DatetimeTZDtype):
        return (pd.to_datetime(values, utc=True) - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    numbers = pd.to_numeric(values, errors="coerce")
    given = values.notna().sum()
    if numbers.notna().sum() < given:
        times = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601")
        if times.notna().sum() < given:
            message = f"{path}: the column for times holds what is neither a number nor a time like 2024-01-31 12:00."
            raise UsageError(message)
        return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    for above, unit in UNITS:
        if numbers.max() > above:
            return numbers / unit
    return numbers.astype(float)
