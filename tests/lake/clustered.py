"""A table about people as an engine writes it, and what of its files is read."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs
from pyarrow import parquet as pq
from pyspark.sql import functions as F

from jobs.lake.editing import edit_rows
from jobs.lake.parquet.rewriting import drop_found

TABLE = "lake.sessions"
DAYS = ("2026-03-02", "2026-03-03")
ROWS_A_DAY = 60_000
PEOPLE = 5_000


def fill(lake):
    """Two days of sessions in no order, written as a step writes them."""
    session = lake.session
    number, moment = F.col("id"), F.timestamp_seconds(F.lit(1_772_452_800))
    person = F.pmod(F.xxhash64(number), F.lit(PEOPLE))
    columns = {
        "day": F.date_add(F.lit(DAYS[0]).cast("date"), F.pmod(number, F.lit(2)).cast("int")),
        "session_id": number,
        "subject_id": F.concat(F.lit("s"), F.lpad(person.cast("string"), 31, "0")),
        "subject_bucket": F.pmod(person, F.lit(256)).cast("int"),
        "started_at": moment,
        "ended_at": moment,
        "clicks": F.pmod(number, F.lit(7)).cast("bigint"),
        "products_viewed": F.lit(1).cast("bigint"),
        "flag": F.lit(None).cast("string"),
    }
    types = {column.name: column.type for column in lake.contracts[TABLE].columns}
    rows = session.range(2 * ROWS_A_DAY).select(*(columns[name].cast(types[name]).alias(name) for name in types))
    lake.replace(TABLE, rows, partitions=DAYS)


def drop_people(lake, people, **options):
    """Edit the rows of these people away."""
    wanted = pa.array(people, pa.string())
    return edit_rows(
        lake,
        TABLE,
        columns=["subject_id"],
        find=lambda rows: pc.is_in(rows["subject_id"], wanted),
        edit=drop_found,
        **options,
    )


def name_person(number):
    return f"s{number:031}"


def list_groups(lake):
    """By day, the footers of its row groups in the order of their files: (file, number, rows, lowest, highest)."""
    groups = {day: [] for day in DAYS}
    for file in sorted(lake.list_files(TABLE), key=lambda file: (file.buckets, file.path)):
        metadata = pq.read_metadata(Path(lake.location(TABLE), file.path))
        place = metadata.schema.names.index("subject_bucket")
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            bounds = group.column(place).statistics
            groups[file.partition].append((file.path, number, group.num_rows, bounds.min, bounds.max))
    return groups


def check_clustered(lake, group_rows):
    """Row groups follow each other in ranges that have a bucket in common at most, and none is larger than told."""
    for day, groups in list_groups(lake).items():
        assert sum(rows for _, _, rows, _, _ in groups) == ROWS_A_DAY, day
        assert len(groups) >= ROWS_A_DAY / group_rows
        assert all(rows <= group_rows for _, _, rows, _, _ in groups), groups
        assert all(one[4] <= other[3] for one, other in pairwise(groups)), groups
        for path in {path for path, *_ in groups}:
            rows = pq.ParquetFile(Path(lake.location(TABLE), path)).read(["subject_bucket", "subject_id"])
            assert rows.equals(rows.sort_by([("subject_bucket", "ascending"), ("subject_id", "ascending")]))


class Watched:
    """The file system, noting which bytes of which file are read."""

    def __init__(self):
        self._system = fs.LocalFileSystem()
        self.reads = []

    def __getattr__(self, name):
        return getattr(self._system, name)

    def open_input_file(self, path):
        return pa.PythonFile(_Noting(path, self.reads), mode="r")


class _Noting:
    def __init__(self, path, reads):
        self._file = Path(path).open("rb")  # noqa: SIM115
        self._path, self._reads = path, reads

    def read(self, size=-1):
        start = self._file.tell()
        data = self._file.read(size)
        self._reads.append((self._path, start, start + len(data)))
        return data

    def __getattr__(self, name):
        return getattr(self._file, name)
