"""Rows of every type, files of them, and edits."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from jobs.lake.parquet.rewriting import drop_found, edit_file

GROUP_ROWS = 100


def sample(rows=1_000, seed=1):
    draw = random.Random(seed)
    who = sorted(draw.randrange(50) for _ in range(rows))
    start = datetime(2024, 1, 1, tzinfo=UTC)
    point = pa.struct([("x", pa.int32()), ("names", pa.list_(pa.string()))])
    return pa.table(
        {
            "who": pa.array([f"s{n:02}" for n in who], pa.string()),
            "bucket": pa.array(who, pa.int32()),
            "at": pa.array([start + timedelta(seconds=n) for n in range(rows)], pa.timestamp("us", "UTC")),
            "amount": pa.array([Decimal(n).scaleb(-2) for n in range(rows)], pa.decimal128(12, 2)),
            "big": pa.array([Decimal(n).scaleb(-2) for n in range(rows)], pa.decimal128(30, 2)),
            "day": pa.array([date(2024, 1, 1 + n % 28) for n in range(rows)]),
            "note": pa.array([None if n % 3 else "red mug" for n in range(rows)]),
            "data": pa.array([bytes([n % 256]) for n in range(rows)]),
            "small": pa.array([n % 100 for n in range(rows)], pa.uint8()),
            "wide": pa.array(list(range(rows)), pa.uint32()),
            "score": pa.array([n / 7 for n in range(rows)]),
            "flag": pa.array([n % 2 == 0 for n in range(rows)]),
            "tags": pa.array([None if n % 5 == 0 else ["a", None, "b"][: n % 4] for n in range(rows)]),
            "facts": pa.array([[("k", n)] if n % 2 else [] for n in range(rows)], pa.map_(pa.string(), pa.int64())),
            "point": pa.array([None if n % 7 == 0 else {"x": n, "names": ["é"]} for n in range(rows)], point),
        },
        metadata={"owner": "the shop", "org.apache.spark.sql.parquet.row.metadata": '{"type":"struct"}'},
    )


def write(path, rows, **options):
    pq.write_table(rows, path, **{"row_group_size": GROUP_ROWS, "compression": "zstd"} | options)


def drop(source, target, subjects, **options):
    wanted = pa.array(sorted(subjects), pa.string())
    return edit_file(
        str(source),
        str(target),
        columns=["who"],
        find=lambda rows: pc.is_in(rows["who"], wanted),
        edit=drop_found,
        **options,
    )


def sever_who(rows, found):
    place = rows.schema.get_field_index("who")
    return rows.set_column(place, "who", pc.if_else(found, pa.scalar(None, pa.string()), rows["who"]))
