import gzip

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.errors import UsageError
from jobs.evaluation.logs import find_files, read_log

ROWS = [("1", "a", 10.0), ("1", "007", 20.0), ("2", "a", 30.5)]


def text(separator=",", header=("SessionId", "ItemId", "Time")):
    lines = [separator.join(header)] + [separator.join(str(value) for value in row) for row in ROWS]
    return "\n".join(lines) + "\n"


def write(folder, name, content):
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


def rows_of(path, **columns):
    found = read_log(path, columns)
    return list(zip(*(found[name] for name in ("session", "item", "time")), strict=True))


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("name", ["log.csv", "log.txt.gz", "log.tsv"])
def test_text_is_read_with_any_usual_separator_and_gzip(tmp_path, separator, name):
    assert rows_of(write(tmp_path, name, text(separator))) == ROWS


def test_parquet_is_read_and_whole_numbers_keep_their_form(tmp_path):
    table = pa.table({"order_id": [1, 1, 2], "sku": [7.0, 8.0, 7.0], "date": pa.array([10, 20, 30], pa.timestamp("s"))})
    parquet.write_table(table, tmp_path / "log.parquet")
    assert rows_of(tmp_path / "log.parquet") == [("1", "7", 10.0), ("1", "8", 20.0), ("2", "7", 30.0)]


@pytest.mark.parametrize(
    "header",
    [("session_id", "item_id", "timestamp"), ("InvoiceNo", "StockCode", "InvoiceDate"), ("basket", "product", "day")],
)
def test_usual_names_are_known_whatever_their_case(tmp_path, header):
    assert rows_of(write(tmp_path, "log.csv", text(header=header))) == ROWS


def test_other_names_are_told(tmp_path):
    path = write(tmp_path, "log.csv", text(header=("visit_key", "thing", "moment")))
    assert rows_of(path, session="visit_key", item="thing", time="moment") == ROWS
    with pytest.raises(UsageError, match=r"needs a column for items .* it has visit_key, thing, moment"):
        read_log(path)
    with pytest.raises(UsageError, match=r"has no column visit; it has visit_key, thing, moment"):
        read_log(path, {"session": "visit", "item": "thing"})


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1396861200", 1396861200.0),
        ("1396861200123", 1396861200.123),
        ("1396861200123456", 1396861200.123456),
        ("2014-04-07T09:00:00Z", 1396861200.0),
        ("2014-04-07 09:00:00", 1396861200.0),
        ("2014-04-07", 1396828800.0),
    ],
)
def test_times_are_numbers_of_any_unit_or_written_out(tmp_path, written, seconds):
    path = write(tmp_path, "log.csv", f"session,item,time\n1,a,{written}\n")
    assert read_log(path)["time"].tolist() == [pytest.approx(seconds, abs=1e-5)]


def test_what_is_no_time_is_told_without_the_value(tmp_path):
    path = write(tmp_path, "log.csv", "session,item,time\n1,a,yesterday\n")
    with pytest.raises(UsageError, match="neither a number nor a time") as told:
        read_log(path)
    assert "yesterday" not in str(told.value)


def test_lines_that_are_no_purchases_are_left_out(tmp_path):
    lines = ["InvoiceNo,StockCode,Quantity,UnitPrice", "1,a,2,1.5", "1,b,-1,1.5", "2,a,1,0", "C3,a,1,1.0", "4,,1,1.0"]
    found = read_log(write(tmp_path, "log.csv", "\n".join(lines) + "\n"))
    assert found[["session", "item"]].to_numpy().tolist() == [["1", "a"]]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["train.csv", "test.csv"], ("train.csv", "test.csv")),
        (
            ["shop_train_full.txt.gz", "shop_train_tr.txt.gz", "shop_test.txt.gz"],
            ("shop_train_full.txt.gz", "shop_test.txt.gz"),
        ),
        (["Train.parquet", "TEST.parquet", "README.md"], ("Train.parquet", "TEST.parquet")),
        (["clicks.csv"], ("clicks.csv", None)),
    ],
)
def test_files_are_found_by_their_names(tmp_path, names, chosen):
    for name in names:
        (tmp_path / name).touch()
    files = find_files(tmp_path)
    assert (files.train.name, files.test and files.test.name) == chosen


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"], ["train.csv"] * 0 + ["notes.md"]])
def test_it_is_told_when_it_is_not_clear_which_file_is_meant(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="must be a file or hold one file, or two that are named train and test"):
        find_files(tmp_path)


def test_two_files_of_one_side_are_told(tmp_path):
    for name in ("a_train.csv", "b_train.csv", "test.csv"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="Several files are named train"):
        find_files(tmp_path)


@pytest.mark.parametrize("name", ["log.csv", "log.parquet", "log.csv.gz"])
def test_a_damaged_file_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8b damaged \xff")
    with pytest.raises(UsageError):
        read_log(tmp_path / name)
