"""Which files and row groups can hold rows of some buckets, told by statistics and without reading a row.

``None`` among the buckets stands for rows without one, which are about nobody that is known. The log does not tell
how many of those a file holds, so with ``None`` every file is opened and its row groups tell.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from jobs.lake import commits
from jobs.lake.contracts import SUBJECT_BUCKET
from jobs.lake.parquet.rewriting import MayHold

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
        chunk = _find_chunk(group)
        if chunk is None or not chunk.is_stats_set:
            return True
        bounds = chunk.statistics
        if None in buckets and (not bounds.has_null_count or bounds.null_count):
            return True
        if not bounds.has_min_max:
            return True
        lowest, highest = bounds.min, bounds.max
        return any(lowest <= bucket <= highest for bucket in wanted)

    return may_hold_rows


def _find_chunk(group: "pq.RowGroupMetaData") -> "pq.ColumnChunkMetaData | None":
    chunks = (group.column(place) for place in range(group.num_columns))
    return next((chunk for chunk in chunks if chunk.path_in_schema == SUBJECT_BUCKET), None)
