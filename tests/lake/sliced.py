"""Rows kept by a column, and read again a value of it after the other."""

from pyspark.sql import functions as F

ROWS, SLICES = 10, 3


def read_sliced(lake):
    """How many rows are kept, and those of each value as they are read alone."""
    rows = lake.session.range(ROWS).select("id", (F.col("id") % SLICES).cast("int").alias("_slice"))
    with lake.scratch(rows, by="_slice") as kept:
        parts = [kept.frame.where(F.col("_slice") == number) for number in range(SLICES)]
        return [kept.rows, *(sorted([row.id, row._slice] for row in part.collect()) for part in parts)]


EXPECTED = [ROWS, *([[place, number] for place in range(number, ROWS, SLICES)] for number in range(SLICES))]
