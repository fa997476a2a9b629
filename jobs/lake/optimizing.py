"""Put a partition's rows into files of a useful size, each with buckets of its own; no row changes.

Pulls and late rows leave small files, and files whose buckets overlap. Then an erasure has to open them all. Here the
rows of such a partition are sorted by bucket and written into as few files as the size asks for, cut between buckets.
The commit takes the old files' place and fails when one of them is gone, so that nothing that was erased meanwhile
comes back. Only the rows of one new file are in memory at a time.
"""

import math
import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from jobs.errors import CommitConflictError, SophiluxError
from jobs.lake import clustering, commits, staging, storage
from jobs.lake.commits import TableFile
from jobs.lake.contracts import SUBJECT_BUCKET, Contract
from jobs.lake.evolution import fill_missing
from jobs.lake.lake import Lake
from jobs.lake.parquet import pruning
from jobs.lake.staging import Staged

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

TARGET_BYTES: Final = 64 * 1024**2
SMALL: Final = 0.25
"""Part of the target below which a file is small."""
BUCKETS: Final = 256
OVERLAP: Final = 1.5
"""Files that a person's rows are in on average, over which the files are not clustered any more."""
NO_BUCKET: Final = BUCKETS
"""Where rows without a bucket are counted: behind all others."""


@dataclass(frozen=True)
class Optimized:
    """What became of a table: rows that were moved, and its files before and after."""

    table: str
    partitions: int
    rows: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def optimize(lake: Lake, table: str, *, target_bytes: int = TARGET_BYTES) -> Optimized:
    """Write the partitions anew whose files are too many, too large, or not clustered.

    Args:
        lake: the lake.
        table: ``zone.name``.
        target_bytes: size of a file.

    Raises:
        CommitConflictError: other runs kept changing the same partition.
    """
    before = lake.list_files(table)
    chosen = find_unhealthy(lake.contracts[table], before, target_bytes)
    rows = sum(_optimize_partition(lake, table, partition, target_bytes) for partition in chosen)
    after = lake.list_files(table) if chosen else before
    sizes = [sum(file.size for file in files) for files in (before, after)]
    return Optimized(table, len(chosen), rows, len(before), len(after), *sizes)


def find_unhealthy(contract: Contract, files: Sequence[TableFile], target_bytes: int) -> list[str | None]:
    """Partitions whose files should be written anew."""
    by_partition: dict[str | None, list[TableFile]] = defaultdict(list)
    for file in files:
        by_partition[file.partition].append(file)
    has_buckets = SUBJECT_BUCKET in contract.column_names
    return [
        partition
        for partition, own in by_partition.items()
        if has_small(own, target_bytes) or (has_buckets and is_scattered(own, target_bytes))
    ]


def has_small(files: Sequence[TableFile], target_bytes: int) -> bool:
    """True where small files could be fewer."""
    small = sum(file.size < SMALL * target_bytes for file in files)
    return small > 1 and len(files) > _count_ideal(files, target_bytes)


def is_scattered(files: Sequence[TableFile], target_bytes: int) -> bool:
    """True where a person's rows are in too many files, or everybody's in one that is too large."""
    if len(files) == 1:
        widths = [_width(files[0])]
        return files[0].size > 2 * target_bytes and widths[0] > 1
    return sum(map(_width, files)) > OVERLAP * BUCKETS


def _optimize_partition(lake: Lake, table: str, partition: str | None, target_bytes: int) -> int:
    contract = lake.contracts[table]
    for _ in range(commits.ATTEMPTS):
        files = [file for file in lake.list_files(table) if file.partition == partition]
        if not find_unhealthy(contract, files, target_bytes):
            return 0
        with storage.table_lock(lake.home, table, exclusive=False):
            try:
                return _rewrite(lake, contract, partition, files, target_bytes)
            except CommitConflictError:
                continue
    message = f"{table}: other runs kept changing it; optimize it again later."
    raise CommitConflictError(message)


def _rewrite(
    lake: Lake, contract: Contract, partition: str | None, files: Sequence[TableFile], target_bytes: int
) -> int:
    location = lake.location(contract.name)
    folder = staging.new_folder(location)
    source = _Source(lake, contract, partition, files)
    try:
        for rows in source.split(_count_ideal(files, target_bytes)):
            _write(rows, contract, partition, folder)
        staged = Staged(contract, location, folder, staging.collect_files(contract, location, folder))
        _check_count(contract, files, staged)
        commits.swap(staged, files)
    except BaseException:
        storage.remove_folder(folder)
        raise
    return staged.rows


class _Source:
    """The rows of one partition's files."""

    def __init__(self, lake: Lake, contract: Contract, partition: str | None, files: Sequence[TableFile]) -> None:
        self._location = lake.location(contract.name)
        self._contract = contract
        self._partition = partition
        self._files = sorted(files, key=lambda file: file.path)
        self._has_buckets = SUBJECT_BUCKET in contract.column_names

    def split(self, pieces: int) -> "Iterator[pa.Table]":
        """The rows in about so many tables of equal size: by bucket where there are buckets, else as they lie."""
        if not self._has_buckets:
            yield from self._split_in_order(pieces)
            return
        for first, last in cut_buckets(self._count_buckets(), pieces):
            rows = [self._read_range(file, first, last) for file in self._files]
            yield clustering.sort_table(_concat(rows), self._contract)

    def _split_in_order(self, pieces: int) -> "Iterator[pa.Table]":
        limit = math.ceil(sum(file.rows for file in self._files) / pieces)
        waiting: list[pa.Table] = []
        for file in self._files:
            for rows in self._read_groups(file, None):
                waiting.append(rows)
                while sum(each.num_rows for each in waiting) >= limit:
                    both = _concat(waiting)
                    yield both.slice(0, limit)
                    waiting = [both.slice(limit)]
        if sum(each.num_rows for each in waiting):
            yield _concat(waiting)

    def _count_buckets(self) -> "np.ndarray":
        import numpy as np
        import pyarrow.compute as pc

        counts = np.zeros(BUCKETS + 1, dtype=np.int64)
        for file in self._files:
            for rows in self._read_groups(file, None, [SUBJECT_BUCKET]):
                numbers = pc.fill_null(rows[SUBJECT_BUCKET], NO_BUCKET).to_numpy()
                counts += np.bincount(numbers, minlength=BUCKETS + 1)
        return counts

    def _read_range(self, file: TableFile, first: int, last: int) -> "pa.Table":
        import pyarrow.compute as pc

        wanted: set[int | None] = {*range(first, min(last, BUCKETS - 1) + 1)} | ({None} if last == NO_BUCKET else set())
        empty = self._contract.arrow_schema().empty_table()
        if not pruning.may_hold(file, wanted, None):
            return empty
        found = [empty]
        for rows in self._read_groups(file, wanted):
            numbers = pc.fill_null(rows[SUBJECT_BUCKET], NO_BUCKET)
            found.append(rows.filter(pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))))
        return _concat(found)

    def _read_groups(
        self, file: TableFile, buckets: pruning.Buckets | None, columns: Sequence[str] | None = None
    ) -> "Iterator[pa.Table]":
        """Row groups that can hold rows of some buckets, in the contract's columns and types."""
        import pyarrow as pa
        from pyarrow import parquet as pq

        names = list(columns or self._contract.column_names)
        schema = pa.schema([self._contract.arrow_schema().field(name) for name in names])
        system, path = storage.filesystem(storage.join(self._location, file.path))
        with (
            system.open_input_file(path) as opened,
            pq.ParquetFile(opened, coerce_int96_timestamp_unit="us") as parquet,
        ):
            look = None if buckets is None else pruning.look_by_bucket(buckets)
            stored = [name for name in names if name in parquet.schema_arrow.names]
            for number in range(parquet.num_row_groups):
                group = parquet.metadata.row_group(number)
                if look is None or look(group):
                    rows = self._add_partition(parquet.read_row_group(number, columns=stored), group.num_rows)
                    yield fill_missing(rows, self._contract).select(names).cast(schema)

    def _add_partition(self, rows: "pa.Table", count: int) -> "pa.Table":
        import pyarrow as pa

        column = self._contract.partition_column
        if column is None:
            return rows
        field = self._contract.arrow_schema().field(column)
        value = pa.scalar(self._partition, pa.string()).cast(field.type)
        return rows.append_column(field, pa.repeat(value, count))


def cut_buckets(counts: "np.ndarray", pieces: int) -> list[tuple[int, int]]:
    """Ranges of buckets, both ends inside, with about equally many rows; a bucket is never cut.

    Args:
        counts: rows by bucket, those without one last.
        pieces: ranges wanted; fewer come where buckets are large.
    """
    total = int(counts.sum())
    ranges: list[tuple[int, int]] = []
    first = seen = 0
    for bucket, count in enumerate(counts.tolist()):
        seen += count
        if seen and seen * pieces >= total * (len(ranges) + 1):
            ranges.append((first, bucket))
            first = bucket + 1
    if ranges:
        ranges[-1] = (ranges[-1][0], NO_BUCKET)
    return ranges


def _count_ideal(files: Sequence[TableFile], target_bytes: int) -> int:
    return max(1, math.ceil(sum(file.size for file in files) / target_bytes))


def _width(file: TableFile) -> int:
    return BUCKETS if file.buckets is None else file.buckets[1] - file.buckets[0] + 1


def _concat(tables: "Sequence[pa.Table]") -> "pa.Table":
    import pyarrow as pa

    return pa.concat_tables(tables).combine_chunks()


def _write(rows: "pa.Table", contract: Contract, partition: str | None, folder: str) -> None:
    """One file, in small row groups where its rows are clustered."""
    from pyarrow import parquet as pq

    system, path = storage.filesystem(folder)
    if contract.partition_column:
        path = f"{path}/{contract.partition_column}={quote(partition or staging.NULL_PARTITION, safe='')}"
        rows = rows.drop_columns([contract.partition_column])
    system.create_dir(path, recursive=True)
    target = f"{path}/part-{secrets.token_hex(4)}.parquet"
    pq.write_table(
        rows, target, filesystem=system, compression=staging.COMPRESSION, **clustering.choose_sizes(contract)
    )


def _check_count(contract: Contract, files: Sequence[TableFile], staged: Staged) -> None:
    expected = sum(file.rows for file in files)
    if staged.rows != expected:
        message = (
            f"{contract.name}: {expected:,} rows would have become {staged.rows:,}; nothing was changed. Report it."
        )
        raise SophiluxError(message)
