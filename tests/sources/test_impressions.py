import json
from datetime import date
from pathlib import Path

import pytest

from jobs.lake import Days
from jobs.sources import impressions
from tests.sources.landed import PACKINGS, landed, write

TABLE = "landing.impressions"
DAY = date(2024, 1, 31)
HEADER = b"ad_id,campaign,shown_at,clicked\n"
SHOWN = {"ad_id": "sx1-1", "campaign": "spring", "shown_at": "2024-01-31T10:00:00Z", "clicked": "true"}
ROW = b"sx1-1,spring,2024-01-31T10:00:00Z,true\n"


@pytest.fixture
def drops(settings):
    return Path(settings.impressions)


@pytest.mark.parametrize("packing", PACKINGS)
def test_csv_and_json_lines_give_the_same_records(lake, drops, packing):
    write(drops, f"adnet/{DAY}.csv", HEADER + ROW, packing=packing)
    write(drops, f"worldads/{DAY}-b.jsonl", json.dumps(SHOWN).encode(), packing=packing)
    report = impressions.run(lake, Days.single(DAY))
    assert (report.rows_in, report.rows_out, report.warnings) == (2, 2, [])
    rows = landed(lake, TABLE)
    assert [json.loads(row["record"]) for row in rows] == [SHOWN, SHOWN]
    assert [(row["partner"], row["line_no"]) for row in rows] == [("adnet", 2), ("worldads", 1)]


def test_a_header_without_the_identifier_spoils_its_file_only(lake, drops):
    write(drops, f"adnet/{DAY}.csv", HEADER.replace(b"ad_id", b"id") + ROW)
    write(drops, f"worldads/{DAY}.csv", HEADER + ROW + b"too,few\n")
    impressions.run(lake, Days.single(DAY))
    assert [row["defect"] for row in landed(lake, TABLE)] == [
        "header lacks ad_id",
        "header lacks ad_id",
        None,
        "2 fields where the header has 4",
    ]


def test_a_second_run_leaves_the_same_rows(lake, drops):
    write(drops, f"adnet/{DAY}.csv", HEADER + ROW * 3)
    impressions.run(lake, Days.single(DAY))
    once = landed(lake, TABLE)
    impressions.run(lake, Days.single(DAY))
    assert landed(lake, TABLE) == once


@pytest.mark.parametrize("is_there", [True, False])
def test_no_folder_and_no_files_are_a_warning_and_an_empty_day(lake, drops, is_there):
    if is_there:
        (drops / "adnet").mkdir(parents=True)
    report = impressions.run(lake, Days.single(DAY))
    assert (report.rows_out, len(report.warnings)) == (0, 1)
    assert lake.count(TABLE) == 0
