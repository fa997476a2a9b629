"""Files of records that others send us: each line as it came, and as one JSON object.

Files lie in one folder per sender, ``<location>/<sender>/YYYY-MM-DD*.csv`` or ``.jsonl``, plain, ``.gz`` or ``.zst``;
the date is the drop day. How CSV becomes records is said in :mod:`jobs.sources.csv_records`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

import pyarrow as pa
from pyarrow import compute as pc

from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.sources.csv_records import Line, read_records
from jobs.sources.drops import Drop, DropLocation, has_extension, land_drops, name_days, shorten
from jobs.sources.lines import LineReader

JSON_EXTENSIONS = (".jsonl", ".ndjson")
EXTENSIONS = (".csv", *JSON_EXTENSIONS)
BATCH_RECORDS = 20_000
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class RecordFiles:
    """Record files of one kind.

    Attributes:
        table: the landing table they go to.
        setting: names their location in messages.
        sender: column that holds the name of a file's folder.
        required: fields that the header of a CSV file must name.
    """

    table: str
    setting: str
    sender: str
    required: Sequence[str]

    def land(self, lake: Lake, url: str, days: Days) -> StepReport:
        """Rebuild a range of the landing table from the files of its days.

        Raises:
            SourceError: a file could not be opened or read; nothing was published.
        """
        location = DropLocation(url, self.setting)
        drops, warnings = self.find_drops(location, days)
        report = land_drops(lake, self.table, location, drops, days, self.read_lines)
        report.warnings = warnings + report.warnings
        return report

    def find_drops(self, location: DropLocation, days: Days) -> tuple[list[Drop], list[str]]:
        """Files of a range of days ordered by day, and a warning for what is missing or was left out."""
        if not location.exists():
            return [], [f"{self.setting}: there is no such location; the range is empty"]
        drops: list[Drop] = []
        strangers: list[str] = []
        for sender in location.list_folders():
            for source, size in location.list_files(sender, deep=False):
                day = _drop_day(source)
                if day is None or not has_extension(source, EXTENSIONS):
                    strangers.append(f"{source}: left out, its name is not YYYY-MM-DD*.csv or .jsonl, packed or not")
                elif day in days:
                    drops.append(Drop(day, source, size))
        warnings = shorten(strangers)
        filled = {drop.day for drop in drops}
        if bare := [day for day in days if day not in filled]:
            warnings.append(f"no files for {name_days(bare)}")
        return sorted(drops, key=lambda drop: (drop.day, drop.source)), warnings

    def read_lines(self, drop: Drop, lines: LineReader) -> Iterator[pa.RecordBatch]:
        """Lines of one file in the columns of the landing table."""
        is_json = has_extension(drop.source, JSON_EXTENSIONS)
        columns = _read_json(lines) if is_json else _read_csv(lines, self.required)
        names = ["pull_day", self.sender, "source", "line_no", "raw", "record", "defect"]
        sender = drop.source.partition("/")[0]
        for numbers, raw, records, defects in columns:
            pull_days = pa.repeat(pa.scalar(drop.day, pa.date32()), len(raw))
            whole = [pull_days, pa.repeat(sender, len(raw)), pa.repeat(drop.source, len(raw))]
            yield pa.record_batch([*whole, numbers, raw, records, defects], names=names)


def _drop_day(source: str) -> date | None:
    found = _DATED.match(source.rpartition("/")[2])
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None


def _read_json(lines: LineReader) -> Iterator[tuple[pa.Array, ...]]:
    for block in (block.drop_blank() for block in lines):
        records = pc.if_else(block.defects.is_null(), block.raw, pa.scalar(None, pa.string()))
        yield block.numbers, block.raw, records, block.defects


def _read_csv(lines: LineReader, required: Sequence[str]) -> Iterator[tuple[pa.Array, ...]]:
    records = read_records(_each_line(lines), required)
    while batch := list(islice(records, BATCH_RECORDS)):
        yield (
            pa.array([record.number for record in batch], pa.int64()),
            pa.array([record.raw for record in batch], pa.string()),
            pa.array([record.as_json for record in batch], pa.string()),
            pa.array([record.defect for record in batch], pa.string()),
        )


def _each_line(lines: LineReader) -> Iterator[Line]:
    for block in lines:
        columns = (block.numbers.to_pylist(), block.raw.to_pylist(), block.defects.to_pylist())
        yield from (Line(*values) for values in zip(*columns, strict=True))
