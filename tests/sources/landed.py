"""What landing tables hold, read without an engine; and files of every packing."""

import gzip

import zstandard
from deltalake import DeltaTable

PACKINGS = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def landed(lake, table, *names):
    """Rows of a table in a fixed order; only the named columns where some are named."""
    rows = DeltaTable(lake.location(table)).to_pyarrow_table().to_pylist()
    return [{name: row[name] for name in names or row} for row in sorted(rows, key=row_place)]


def row_place(row):
    return row["pull_day"], row.get("source", ""), row.get("row_no") or row["line_no"]


def write(folder, name, content, *, packing=""):
    """A file below a folder; gives its path below the folder."""
    path = folder / f"{name}{packing}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PACKINGS[packing](content))
    return f"{name}{packing}"
