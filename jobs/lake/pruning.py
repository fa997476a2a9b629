"""Which files and row groups can hold rows of some buckets, told by statistics and without reading a row.

``None`` among the buckets stands for rows without one, which are about nobody that is known. The log does not tell
how many of those a file holds, so with ``None`` every file is opened and its row groups tell.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from jobs.lake import commits
from jobs.lake.contracts import SUBJECT_BUCKET
from jobs.lake.rewriting import MayHold

if TYPE_CHECKING:
    from pyarrow import parquet as pq

Buckets = Collection[int | None]


def may_hold(file: commits.TableFile, buckets: Buckets | None, partitions: Collection[str] | None) -> bool:
    """Whether a file can hold rows of these buckets and partitions; none stands for all."""
    if partitions is not None and file.partition not in partitions:
        return False
    if buckets is None or file.buckets is None or None in buckets:
        return True
    return any(file.buckets[0] <= bucket <= file.buckets[1] for bucket in buckets if bucket is not None)


def look_by_bucket(buckets: Buckets) -> MayHold:
    """Tells of a row group whether it can hold rows of these buckets."""
    wanted = sorted(bucket for bucket in buckets if bucket is not None)

    def may_hold_rows(group: "pq.RowGroupMetaData") -> bool:
        for chunk in _chunks(group):
            if chunk.path_in_schema != SUBJECT_BUCKET or not chunk.is_stats_set:
                continue
            bounds = chunk.statistics
            if None in buckets and (not bounds.has_null_count or bounds.null_count):
                return True
            if bounds.has_min_max:
                return any(bounds.min <= bucket <= bounds.max for bucket in wanted)
        return True

    return may_hold_rows


def _chunks(group: "pq.RowGroupMetaData") -> "Iterator[pq.ColumnChunkMetaData]":
    return (group.column(place) for place in range(group.num_columns))
