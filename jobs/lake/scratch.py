"""Rows computed once and read several times, outside any table, gone when the work is done.

Neither engine's cache does this on both, so the rows lie as Parquet in ``home/.scratch``; what a crash leaves there
is removed by the retention step.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.lake import storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FOLDER = ".scratch"


@dataclass(frozen=True)
class Scratch:
    """Materialised rows at a location; reading ``frame`` costs no recomputation."""

    frame: "DataFrame"
    rows: int
    location: str = ""


@contextmanager
def materialise(rows: "DataFrame", home: str) -> Iterator[Scratch]:
    """Write rows below ``home/.scratch`` for the length of the context."""
    from pyarrow import dataset, fs

    folder = storage.join(home, FOLDER, secrets.token_hex(8))
    try:
        rows.write.mode("overwrite").option("compression", "snappy").parquet(folder)
        system, path = storage.filesystem(folder)
        if system.get_file_info(path).type == fs.FileType.NotFound:
            yield Scratch(rows.sparkSession.createDataFrame([], rows.schema).alias(folder), 0, folder)
            return
        count = dataset.dataset(path, filesystem=system, format="parquet").count_rows()
        yield Scratch(rows.sparkSession.read.schema(rows.schema).parquet(folder), count, folder)
    finally:
        storage.remove_folder(folder)
