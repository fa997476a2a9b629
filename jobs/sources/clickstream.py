"""Clickstream files into ``landing.clickstream``, line by line, before anything is understood.

Files lie in one folder per drop day, ``<location>/YYYY-MM-DD/``, also in folders inside it, and end in ``.jsonl``,
``.jsonl.gz`` or ``.jsonl.zst``. What a line is, and what a defect, is said in :mod:`jobs.sources.lines`.
"""

from collections.abc import Iterator

import pyarrow as pa

from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.sources.drops import Drop, DropLocation, has_extension, land_drops, name_days, shorten
from jobs.sources.lines import LineReader

CLICKSTREAM = "landing.clickstream"
SETTING = "SOPHILUX_CLICKSTREAM_URL"
EXTENSIONS = (".jsonl", ".ndjson")


def find_drops(location: DropLocation, days: Days) -> tuple[list[Drop], list[str]]:
    """Files of a range of days, and a warning for what is missing or was left out."""
    if not location.exists():
        return [], [f"{SETTING}: there is no such location; the range is empty"]
    present = set(location.list_folders())
    drops: list[Drop] = []
    strangers: list[str] = []
    for day in (day for day in days if str(day) in present):
        for source, size in location.list_files(str(day), deep=True):
            if has_extension(source, EXTENSIONS):
                drops.append(Drop(day, source, size))
            else:
                strangers.append(f"{source}: left out, its name does not end in .jsonl, .jsonl.gz or .jsonl.zst")
    warnings = shorten(strangers)
    filled = {drop.day for drop in drops}
    if bare := [day for day in days if day not in filled]:
        warnings.append(f"no files for {name_days(bare)}")
    return drops, warnings


def read_clicks(drop: Drop, lines: LineReader) -> Iterator[pa.RecordBatch]:
    """Lines of one file in the columns of ``landing.clickstream``."""
    for block in (block.drop_blank() for block in lines):
        pull_days = pa.repeat(pa.scalar(drop.day, pa.date32()), len(block))
        sources = pa.repeat(drop.source, len(block))
        yield pa.record_batch(
            [pull_days, sources, block.numbers, block.raw, block.defects],
            names=["pull_day", "source", "line_no", "raw", "defect"],
        )


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild a range of ``landing.clickstream`` from the files of its days."""
    location = DropLocation(lake.settings.clickstream, SETTING)
    drops, warnings = find_drops(location, days)
    report = land_drops(lake, CLICKSTREAM, location, drops, days, read_clicks)
    report.warnings = warnings + report.warnings
    return report
