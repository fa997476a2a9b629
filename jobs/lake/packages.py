"""Files of packages that leave the lake: rows of one kind, spread over shards, in an order that says nothing.

Rows come through memory in slices of about a million, sorted by the engine, and go to one file per shard.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import ContractError
from jobs.lake.contracts import Contract
from jobs.lake.lake import Lake, check_columns
from jobs.lake.shards import PARQUET, SUFFIXES, ShardWriter

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ORDER: Final = "_order"
SHARD: Final = "_shard"
SLICE_ROWS: Final = 1_000_000
HEX_DIGITS: Final = "0123456789abcdef"


@dataclass(frozen=True)
class Layout:
    """How rows are spread over files: their format, and how many for each kind of rows."""

    format: str = PARQUET
    shards: int = 1


@dataclass(frozen=True)
class ShardFile:
    """One written file."""

    path: Path
    shard: int
    rows: int


@dataclass(frozen=True)
class Slice:
    """Rows that come through memory together: those of some shards, or a part of one shard's."""

    first: int
    last: int
    starts: str = ""


def write_shards(
    lake: Lake,
    rows: "DataFrame",
    contract: Contract,
    folder: Path,
    layout: Layout,
    *,
    accepts_reversible: bool = False,
) -> list[ShardFile]:
    """Write rows as files ``<kind>-<shard>.<format>``; a shard without rows is a file without rows.

    A row's shard is the xxHash (XXH64 with seed 42, as a signed number) of its first key column, modulo the number of
    shards.

    Args:
        lake: gives the scratch folder.
        rows: the contract's columns and ``_order``, lowercase hex that the rows of a file are sorted by.
        contract: columns, types, key and what may not be null.
        folder: of this machine, for the files.
        layout: format and number of shards.
        accepts_reversible: true where values may go that a dictionary turns back into direct identifiers.

    Raises:
        ContractError: columns differ from the contract, a required one holds nulls, or a direct identifier would come
            into a file.
    """
    from pyspark.sql import functions as F

    found = [(f.name, f.dataType.simpleString()) for f in rows.schema.fields if f.name != ORDER]
    check_columns(contract, found)
    lake.tracer.check(contract, rows, accepts_reversible=accepts_reversible)
    shard = F.pmod(F.xxhash64(contract.key[0]), F.lit(layout.shards)).cast("int")
    kind = contract.name.partition(".")[2]
    schema = contract.arrow_schema()
    written: list[ShardFile] = []
    with lake.scratch(rows.withColumn(SHARD, shard)) as scratch:
        slices = _plan_slices(scratch.rows, layout.shards)
        for number, tables in _split_by_shard(_read_slices(scratch.frame, contract, slices)):
            path = folder / f"{kind}-{number:04}{SUFFIXES[layout.format]}"
            with ShardWriter(path, schema, layout.format) as writer:
                counted = [_write_checked(writer, table, contract) for table in tables]
            written.append(ShardFile(path, number, sum(counted)))
    return written


def _plan_slices(rows: int, shards: int) -> Iterator[Slice]:
    """Slices in the order of the files, of about ``SLICE_ROWS`` rows at most; hashes spread rows evenly."""
    per_shard = max(1, rows // shards)
    if per_shard <= SLICE_ROWS:
        step = max(1, SLICE_ROWS // per_shard)
        yield from (Slice(first, min(first + step, shards) - 1) for first in range(0, shards, step))
        return
    starts = [""]
    while per_shard > SLICE_ROWS * len(starts) and len(starts) < len(HEX_DIGITS) ** 3:
        starts = [start + digit for start in starts for digit in HEX_DIGITS]
    yield from (Slice(shard, shard, start) for shard in range(shards) for start in starts)


def _read_slices(
    rows: "DataFrame", contract: Contract, slices: Iterator[Slice]
) -> "Iterator[tuple[range, pa.Table, Any]]":
    import numpy as np
    from pyspark.sql import functions as F

    for part in slices:
        wanted = F.col(SHARD).between(part.first, part.last)
        if part.starts:
            wanted = wanted & (F.substring(ORDER, 1, len(part.starts)) == part.starts)
        ordered = rows.where(wanted).sort(SHARD, ORDER, *contract.key)
        table = ordered.select(SHARD, *contract.column_names).toArrow()
        numbers = range(part.first, part.last + 2)
        bounds = np.searchsorted(table.column(SHARD).to_numpy(), numbers)
        yield range(part.first, part.last + 1), table.drop_columns([SHARD]), bounds


def _split_by_shard(
    slices: "Iterator[tuple[range, pa.Table, Any]]",
) -> "Iterator[tuple[int, Iterator[pa.Table]]]":
    """Shards in order, each with its tables; those of one shard are consumed before the next shard comes."""
    from itertools import groupby

    def pieces() -> "Iterator[tuple[int, pa.Table]]":
        for numbers, table, bounds in slices:
            for place, number in enumerate(numbers):
                yield number, table.slice(bounds[place], bounds[place + 1] - bounds[place])

    for number, group in groupby(pieces(), key=lambda piece: piece[0]):
        yield number, (table for _, table in group)


def _write_checked(writer: ShardWriter, table: "pa.Table", contract: Contract) -> int:
    nulls = {name: table.column(name).null_count for name in contract.required}
    found = ", ".join(f"{name} in {count:,} rows" for name, count in nulls.items() if count)
    if found:
        message = f"{contract.name}: its contract allows no null, but found {found}; nothing was handed over."
        raise ContractError(message)
    writer.write(table.cast(contract.arrow_schema()).combine_chunks())
    return int(table.num_rows)
