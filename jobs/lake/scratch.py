"""Rows computed once and read several times, outside any table, gone when the work is done.

Neither engine's cache does this on both, so the rows lie as Parquet in ``home/.scratch``; what a crash leaves there
is removed by the retention step.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jobs.lake import storage
from jobs.settings import is_remote

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FOLDER = ".scratch"
LOCK = "scratch."


@dataclass(frozen=True)
class Scratch:
    """Materialised rows at a location; reading ``frame`` costs no recomputation."""

    frame: "DataFrame"
    rows: int
    location: str = ""


@contextmanager
def materialise(rows: "DataFrame", home: str, by: str = "") -> Iterator[Scratch]:
    """Write rows below ``home/.scratch`` for the length of the context.

    Args:
        rows: what to keep.
        home: the lake's home.
        by: column of few whole numbers, none of them null: who asks for some of them reads nothing else.
    """
    token = secrets.token_hex(8)
    folder = storage.join(home, FOLDER, token)
    with storage.use_lock(home, f"{LOCK}{token}"):
        yield from _write(rows, folder, [by] if by else [])


def remove_dead(home: str, *, older_than: timedelta) -> list[str]:
    """Remove what processes that died left in ``home/.scratch``; returns the locations.

    Args:
        home: the lake's home.
        older_than: on an object store, where nobody can tell who is alive, only what is older.
    """
    from pyarrow import fs

    system, root = storage.filesystem(storage.join(home, FOLDER))
    removed = []
    for info in system.get_file_info(fs.FileSelector(root, allow_not_found=True)):
        is_young = info.mtime is not None and info.mtime > datetime.now(UTC) - older_than
        if storage.is_in_use(home, f"{LOCK}{info.base_name}") or (is_remote(home) and is_young):
            continue
        location = storage.join(home, FOLDER, info.base_name)
        storage.remove_folder(location)
        removed.append(location)
    return removed


def _write(rows: "DataFrame", folder: str, by: list[str]) -> "Iterator[Scratch]":
    from pyarrow import dataset, fs

    try:
        rows.write.mode("overwrite").option("compression", "snappy").partitionBy(*by).parquet(folder)
        system, path = storage.filesystem(folder)
        if system.get_file_info(path).type == fs.FileType.NotFound:
            yield Scratch(rows.sparkSession.createDataFrame([], rows.schema).alias(folder), 0, folder)
            return
        # A column that rows are kept by may begin with an underscore, which elsewhere hides a folder.
        hidden = [".", "_SUCCESS"]
        count = dataset.dataset(path, filesystem=system, format="parquet", ignore_prefixes=hidden).count_rows()
        yield Scratch(rows.sparkSession.read.schema(rows.schema).parquet(folder), count, folder)
    finally:
        storage.remove_folder(folder)
