"""Files that other systems drop for us, under any location fsspec knows, and their way into a landing table.

A location may hold credentials, so messages name the setting and paths below the location only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow as pa
from fsspec.implementations.arrow import ArrowFSWrapper

from jobs.errors import SourceError
from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.sources.compression import read_chunks
from jobs.sources.lines import LineReader
from jobs.sources.progress import Advance, show_bytes

SHOWN_WARNINGS = 20
PACKINGS = (".gz", ".zst")


@dataclass(frozen=True)
class Drop:
    """One file: the day it was dropped, its path below the location, and its stored size in bytes."""

    day: date
    source: str
    size: int


class DropLocation:
    """A folder or URL with dropped files; ``setting`` names it in messages."""

    def __init__(self, url: str, setting: str) -> None:
        self.setting = setting
        try:
            self._system, root = _open_system(url)
        except (ValueError, ImportError, OSError) as error:
            kind = type(error).__name__
            failure = SourceError(f"{setting} is no location that can be opened ({kind}); give a folder or a URL.")
        else:
            self._root = root.rstrip("/")
            self._system.invalidate_cache()
            return
        raise failure

    def exists(self) -> bool:
        """True where the location is there."""
        return bool(self._call(lambda: self._system.isdir(self._root)))

    def list_folders(self) -> list[str]:
        """Names of the folders directly below the location, sorted."""
        entries = self._call(lambda: self._system.ls(self._root, detail=True))
        return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == "directory")

    def list_files(self, folder: str, *, deep: bool) -> list[tuple[str, int]]:
        """Paths below the location and sizes of a folder's files, sorted; hidden and marker files are left out.

        Args:
            folder: name of a folder below the location.
            deep: also the files of folders inside it.
        """
        path = f"{self._root}/{folder}"
        found = self._call(lambda: self._system.find(path, maxdepth=None if deep else 1, detail=True))
        files = [(name.removeprefix(self._root).strip("/"), entry["size"] or 0) for name, entry in found.items()]
        return sorted((name, size) for name, size in files if name.rpartition("/")[2][:1] not in {".", "_"})

    def open(self, drop: Drop) -> BinaryIO:
        """The file's stored bytes."""
        return cast("BinaryIO", self._system.open(f"{self._root}/{drop.source}", "rb"))

    def _call(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401
        try:
            return work()
        except OSError as error:
            failure = SourceError(f"{self.setting}: the location cannot be listed ({type(error).__name__}).")
        raise failure


RowReader = Callable[[Drop, LineReader], Iterator[pa.RecordBatch]]


def has_extension(source: str, extensions: Sequence[str]) -> bool:
    """True where a file's name ends in one of the extensions, packed or not."""
    plain = next((source.removesuffix(packing) for packing in PACKINGS if source.endswith(packing)), source)
    return plain.endswith(tuple(extensions))


def land_drops(
    lake: Lake, table: str, location: DropLocation, drops: Sequence[Drop], days: Days, read_rows: RowReader
) -> StepReport:
    """Replace the range's partitions of a landing table by the rows of files.

    Args:
        lake: where the table lies.
        table: the landing table.
        location: holds the files.
        drops: files of the range, ordered by day.
        days: the range; its days without files become empty partitions.
        read_rows: turns one file's lines into batches in the contract's columns.

    Returns:
        Counts, and a warning for each file that could not be read to its end.

    Raises:
        SourceError: a file could not be opened or read; nothing was published.
    """
    report = StepReport(rows_in=0, rows_out=0)
    broken: list[str] = []
    schema = lake.contracts[table].arrow_schema()
    with show_bytes(table, sum(drop.size for drop in drops)) as advance:
        batches = _count(_read_drops(location, drops, read_rows, advance, broken), report)
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        staged = lake.replace_batches(table, reader, partitions=[str(day) for day in days])
    report.rows_out = staged.rows
    report.warnings += shorten(broken)
    return report


def shorten(warnings: Sequence[str]) -> list[str]:
    """The first warnings of a kind, and how many more there are."""
    more = len(warnings) - SHOWN_WARNINGS
    return [*warnings[:SHOWN_WARNINGS], *([f"and {more} more like these"] if more > 0 else [])]


def name_days(days: Sequence[date]) -> str:
    """Days in a few words."""
    return str(days[0]) if len(days) == 1 else f"{len(days)} days, the first {days[0]}"


def _open_system(url: str) -> tuple[Any, str]:
    if url.startswith("s3://"):
        from pyarrow import fs

        system, root = fs.FileSystem.from_uri(url)
        return ArrowFSWrapper(system), root
    system, root = fsspec.core.url_to_fs(url)
    return system, root


def _count(batches: Iterable[pa.RecordBatch], report: StepReport) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        report.rows_in = (report.rows_in or 0) + batch.num_rows
        yield batch


def _read_drops(
    location: DropLocation, drops: Iterable[Drop], read_rows: RowReader, advance: Advance, broken: list[str]
) -> Iterator[pa.RecordBatch]:
    failure = None
    for drop in drops:
        try:
            with location.open(drop) as stream:
                lines = LineReader(read_chunks(stream, drop.source, advance))
                yield from read_rows(drop, lines)
        except OSError as error:
            failure = SourceError(f"{drop.source}: cannot be read ({type(error).__name__}); nothing was published.")
            break
        if lines.broken:
            broken.append(f"{drop.source}: {lines.broken}; the lines before that were kept")
    if failure:
        raise failure
