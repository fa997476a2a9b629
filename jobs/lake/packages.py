"""Files of packages that leave the lake: one sorted Parquet file per kind of rows, under its contract."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jobs.errors import ContractError
from jobs.lake import storage
from jobs.lake.contracts import Contract
from jobs.lake.lake import Lake, check_columns
from jobs.lake.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyspark.sql import DataFrame

SLICE_ROWS: Final = 1_000_000
HEX_DIGITS: Final = "0123456789abcdef"
BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class PackageFile:
    """One written file; ``xxh3_128`` detects damage on the way, it proves nothing about the sender."""

    name: str
    rows: int
    bytes: int
    xxh3_128: str


def write_package_file(lake: Lake, rows: "DataFrame", contract: Contract, location: str) -> PackageFile:
    """Write rows as one Parquet file, sorted by the contract's key so that their order says nothing else.

    The rows are computed once, to scratch. Above a million they come through memory in 16 slices by the first hex
    digit of the first key column, which is a keyed digest and therefore evenly spread.

    Args:
        lake: gives the scratch folder.
        rows: frame in exactly the contract's columns; the first key column holds lowercase hex.
        contract: columns, types, key and what may not be null.
        location: file to write.

    Raises:
        ContractError: columns differ from the contract, or a required one holds nulls.
    """
    from pyarrow import parquet as pq

    check_columns(contract, [(f.name, f.dataType.simpleString()) for f in rows.schema.fields])
    system, path = storage.filesystem(location)
    system.create_dir(path.rpartition("/")[0], recursive=True)
    schema = contract.arrow_schema()
    with (
        lake.scratch(rows) as scratch,
        system.open_output_stream(path) as sink,
        pq.ParquetWriter(sink, schema, compression="zstd") as writer,
    ):
        for batch in _read_slices(scratch, contract):
            _check_nulls(batch, contract)
            writer.write_table(batch.cast(schema))
    size, digest = hash_file(location)
    return PackageFile(location.rpartition("/")[2], scratch.rows, size, digest)


def hash_file(location: str) -> tuple[int, str]:
    """Bytes and xxh3-128 (hex) of a file."""
    import xxhash

    system, path = storage.filesystem(location)
    digest = xxhash.xxh3_128()
    size = 0
    with system.open_input_stream(path) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _read_slices(scratch: Scratch, contract: Contract) -> "Iterator[pa.Table]":
    from pyspark.sql import functions as F

    if scratch.rows <= SLICE_ROWS:
        yield scratch.frame.sort(*contract.key).toArrow()
        return
    for digit in HEX_DIGITS:
        starts_so = F.substring(contract.key[0], 1, 1) == digit
        yield scratch.frame.where(starts_so).sort(*contract.key).toArrow()


def _check_nulls(batch: "pa.Table", contract: Contract) -> None:
    nulls = {name: batch.column(name).null_count for name in contract.required}
    found = ", ".join(f"{name} in {count:,} rows" for name, count in nulls.items() if count)
    if found:
        message = f"{contract.name}: its contract allows no null, but found {found}; nothing was handed over."
        raise ContractError(message)
