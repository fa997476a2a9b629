import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from jobs.samples import taobao
from jobs.settings import Settings
from tests.samples.reading import read_lines


def test_lines_lie_in_the_folder_of_their_utc_day(tmp_path: Path):
    rows = [(7, 11, 1, "pv", "2017-11-25 23:59:59"), (7, 12, 1, "fav", "2017-11-26 00:00:00")]
    behaviours = pd.DataFrame(rows, columns=["user_id", "item_id", "category_id", "behavior", "ts"])
    behaviours.assign(ts=pd.to_datetime(behaviours["ts"])).to_parquet(tmp_path / taobao.FILE)
    taobao.write_drops(tmp_path, Settings(home=str(tmp_path / "lake")))
    lines = [(day, json.loads(line)) for day, line in read_lines(tmp_path / "lake.sources" / "clickstream")]
    (first_day, first), (second_day, second) = lines
    assert (first_day, first["action"], first["product"]) == ("2017-11-25", "view", "11")
    assert (second_day, second["action"], second["time"]) == ("2017-11-26", "favourite", "2017-11-26T00:00:00Z")
    assert first["email"].lower() == second["email"].lower()
    assert first["email"] != second["email"]


@pytest.mark.real_data
def test_every_row_of_the_set_becomes_a_line(real_data: Path, tmp_path: Path):
    raw = pq.read_table(real_data / taobao.FILE).to_pylist()
    counts = taobao.write_drops(real_data, Settings(home=str(tmp_path / "lake")))
    lines = [(day, json.loads(line)) for day, line in read_lines(tmp_path / "lake.sources" / "clickstream")]
    assert counts == {"clicks": len(raw)} == {"clicks": len(lines)}
    written = Counter(
        (click["email"].lower().split("@")[0], click["product"], click["action"], day, click["time"])
        for day, click in lines
    )
    expected = Counter(
        (
            f"c{row['user_id']}",
            str(row["item_id"]),
            taobao.ACTIONS[row["behavior"]],
            f"{row['ts']:%Y-%m-%d}",
            f"{row['ts']:%Y-%m-%dT%H:%M:%SZ}",
        )
        for row in raw
    )
    assert written == expected
