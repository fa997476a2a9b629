import json
from datetime import date
from pathlib import Path

import pytest

from jobs.lake import Days
from jobs.sources import carrier_updates
from tests.sources.landed import PACKINGS, landed, write

TABLE = "landing.carrier_updates"
DAYS = Days(date(2024, 1, 30), date(2024, 1, 31))
HEADER = b"tracking_no,order_id,event,event_time,street\r\n"
UPDATE = {"tracking_no": "T1", "order_id": "O1", "event": "delivered", "event_time": "2024-01-30T10:00:00Z"}


@pytest.fixture
def drops(settings):
    return Path(settings.carriers)


@pytest.mark.parametrize("packing", PACKINGS)
def test_csv_and_json_lines_give_the_same_records(lake, drops, packing):
    csv_text = b"\xef\xbb\xbf" + HEADER + b"T1,O1,delivered,2024-01-30T10:00:00Z,\r\n"
    write(drops, "fast/2024-01-30.csv", csv_text, packing=packing)
    write(drops, "slow/2024-01-30-b.jsonl", json.dumps(UPDATE).encode(), packing=packing)
    report = carrier_updates.run(lake, Days.single(date(2024, 1, 30)))
    assert (report.rows_in, report.rows_out, report.warnings) == (2, 2, [])
    rows = landed(lake, TABLE)
    assert [json.loads(row["record"]) for row in rows] == [UPDATE, UPDATE]
    assert [(row["carrier"], row["source"], row["line_no"]) for row in rows] == [
        ("fast", f"fast/2024-01-30.csv{packing}", 2),
        ("slow", f"slow/2024-01-30-b.jsonl{packing}", 1),
    ]


def test_keeps_lines_that_cannot_be_understood_with_the_reason(lake, drops):
    write(drops, "fast/2024-01-30.csv", HEADER + b"T1,O1\n\nT2,O2,failed,t,gr\xf6\xdfe\n")
    write(drops, "slow/2024-01-30.jsonl", b"not json\n\xff\n")
    carrier_updates.run(lake, Days.single(date(2024, 1, 30)))
    assert landed(lake, TABLE, "line_no", "raw", "record", "defect") == [
        {"line_no": 2, "raw": "T1,O1", "record": None, "defect": "2 fields where the header has 5"},
        {"line_no": 4, "raw": r"T2,O2,failed,t,gr\xf6\xdfe", "record": None, "defect": "not UTF-8"},
        {"line_no": 1, "raw": "not json", "record": "not json", "defect": None},
        {"line_no": 2, "raw": r"\xff", "record": None, "defect": "not UTF-8"},
    ]


def test_a_second_run_leaves_the_same_rows_and_a_changed_file_replaces_its_day_only(lake, drops):
    for day in DAYS:
        write(drops, f"fast/{day}.jsonl", b"{}\n{}\n")
    carrier_updates.run(lake, DAYS)
    once = landed(lake, TABLE)
    carrier_updates.run(lake, DAYS)
    assert landed(lake, TABLE) == once
    write(drops, "fast/2024-01-31.jsonl", b'{"late": 1}\n')
    carrier_updates.run(lake, Days.single(DAYS.last))
    assert [row["raw"] for row in landed(lake, TABLE)] == ["{}", "{}", '{"late": 1}']


def test_missing_days_strange_names_and_broken_files_are_warnings(lake, drops):
    write(drops, "fast/readme.txt", b"x")
    write(drops, "fast/2024-13-45.csv", b"x")
    write(drops, "fast/2024-01-30.csv.gz", b"never packed")
    warnings = carrier_updates.run(lake, DAYS).warnings
    assert [warning.partition(",")[0] for warning in warnings] == [
        "fast/2024-13-45.csv: left out",
        "fast/readme.txt: left out",
        "no files for 2024-01-31",
        "fast/2024-01-30.csv.gz: cannot be decompressed; the lines before that were kept",
    ]
    assert [row["defect"] for row in landed(lake, TABLE)] == ["cannot be decompressed"]


def test_a_location_that_is_not_there_is_a_warning(lake):
    report = carrier_updates.run(lake, DAYS)
    assert (report.rows_out, len(report.warnings)) == (0, 1)
