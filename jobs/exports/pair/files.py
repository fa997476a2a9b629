"""Files of encrypted identifiers, as two parties of a PAIR exchange hand them to each other.

One identifier a line in standard Base64 (RFC 4648, section 4), 44 characters, without a header; or Parquet with the
column ``identifier``. What we write is sorted by the encrypted bytes: that order is a function of the set of
identifiers alone, so it tells nothing about where a row came from, and the same set gives the same file.
"""

import base64
import binascii
import io
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobs.errors import SourceError, UsageError
from jobs.lake import columns as C
from jobs.lake import storage
from jobs.privacy.pair.commutative import POINT_BYTES
from jobs.settings import is_remote

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Points = np.ndarray[tuple[int], np.dtype[np.void]]

NOT_BASE64: Final = "not_base64"
REPEATED: Final = "repeated"
PARQUET: Final = ".parquet"
TEXT: Final = (".csv", ".txt", ".csv.zst", ".csv.gz", ".txt.zst", ".txt.gz")
COMPRESSIONS: Final = {".zst": "zstd", ".gz": "gzip"}
CHUNK_LINES: Final = 65_536
LONGEST_LINE: Final = 256


class IdentifierFile:
    """Identifiers of one file, read in chunks; ``rejects`` counts the lines that were not even Base64."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.rejects: Counter[str] = Counter()
        check_name(location)

    def read(self) -> "Iterator[pa.Array]":
        """Arrays of decoded bytes of whatever length, for the encryption to judge.

        Raises:
            SourceError: there is no such file, or it cannot be read.
        """
        import pyarrow as pa

        try:
            for texts in (
                _read_parquet(self.location) if self.location.endswith(PARQUET) else _read_lines(self.location)
            ):
                yield pa.array([point for text in texts if (point := self._decode(text)) is not None], pa.binary())
        except (OSError, pa.ArrowException) as error:
            message = f"{self.location} cannot be read ({type(error).__name__}); give a whole file of identifiers."
            raise SourceError(message) from None

    def _decode(self, text: bytes) -> bytes | None:
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            self.rejects[NOT_BASE64] += 1
            return None


def check_name(location: str) -> None:
    """Refuse names that do not say in which form a file is.

    Raises:
        UsageError: the name ends otherwise.
    """
    if not location.endswith((PARQUET, *TEXT)):
        message = f"A file of identifiers ends in {', '.join((PARQUET, *TEXT))}, got {location.rpartition('/')[2]!r}."
        raise UsageError(message)


def check_list(name: str, path: Path, rows: int) -> Iterator[str]:
    """What is wrong with a list that was handed over, one sentence each.

    Args:
        name: as the sentences call it.
        path: the file, not encrypted.
        rows: identifiers it must have.
    """
    source = IdentifierFile(str(path))
    try:
        lengths = [len(point) for array in source.read() for point in array.to_pylist()]
    except SourceError:
        yield f"{name} cannot be read as identifiers."
        return
    strange = source.rejects.total() + sum(length != POINT_BYTES for length in lengths)
    if strange:
        yield f"{name} has {strange:,} lines that are no identifiers."
    if len(lengths) + source.rejects.total() != rows:
        yield f"{name} has {len(lengths) + source.rejects.total():,} rows, the manifest says {rows:,}."


def gather(arrays: "Iterable[pa.Array]") -> "tuple[Points, int]":
    """All points of arrays once each, in the order of their bytes, and how many came more than once."""
    import numpy as np

    blocks = [b"".join(array.to_pylist()) for array in arrays]
    points = np.frombuffer(b"".join(blocks), f"V{POINT_BYTES}")
    unique = np.unique(points)
    return unique, len(points) - len(unique)


def intersect(some: "Points", others: "Points") -> "Points":
    """Points of both, each of which holds every point once."""
    import numpy as np

    return np.intersect1d(some, others, assume_unique=True)


def as_array(points: "Points") -> "pa.Array":
    """Points as an Arrow array."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.binary(POINT_BYTES), len(points), [None, pa.py_buffer(points.tobytes())])


def write_identifiers(location: str, points: "Points") -> None:
    """Write points, sorted and each once, as a file of identifiers; it appears when it is whole."""
    check_name(location)
    draft = _name_draft(location)
    system, path = storage.filesystem(draft)
    try:
        if location.endswith(PARQUET):
            _write_parquet(system.open_output_stream(path), points)
        else:
            with system.open_output_stream(path, compression=COMPRESSIONS.get(Path(location).suffix)) as sink:
                for some in _cut(points):
                    sink.write(b"".join(line + b"\n" for line in encode(some)))
        if draft != location:
            Path(draft).replace(location)
    finally:
        if draft != location:
            Path(draft).unlink(missing_ok=True)


def encode(points: "Points") -> list[bytes]:
    """Points in Base64."""
    return [base64.b64encode(bytes(point)) for point in points.tolist()]


def _cut(points: "Points") -> "Iterator[Points]":
    return (points[start : start + CHUNK_LINES] for start in range(0, len(points), CHUNK_LINES))


def _write_parquet(sink: "pa.NativeFile", points: "Points") -> None:
    import pyarrow as pa
    from pyarrow import parquet as pq

    schema = pa.schema({C.IDENTIFIER: pa.string()})
    with sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for some in _cut(points):
            texts = pa.array(encode(some), pa.binary()).cast(pa.string())
            writer.write_table(pa.table([texts], schema))


def _name_draft(location: str) -> str:
    """A file beside the target on this machine; an object store shows a file only when it is whole."""
    if is_remote(location):
        return location
    place = Path(location)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    return str(draft)


def _read_lines(location: str) -> Iterator[list[bytes]]:
    system, path = storage.filesystem(location)
    with system.open_input_stream(path, compression="detect") as stream:
        lines = io.BufferedReader(stream, 1 << 20)  # type: ignore[arg-type]
        is_first = True
        while texts := [line.rstrip(b"\r\n") for _ in range(CHUNK_LINES) if (line := lines.readline(LONGEST_LINE))]:
            yield texts[is_first and texts[0] == C.IDENTIFIER.encode() :]
            is_first = False


def _read_parquet(location: str) -> Iterator[list[bytes]]:
    from pyarrow import parquet as pq

    system, path = storage.filesystem(location)
    with system.open_input_file(path) as source, pq.ParquetFile(source) as file:
        if C.IDENTIFIER not in file.schema_arrow.names:
            message = f"{location} has no column {C.IDENTIFIER}."
            raise SourceError(message)
        for batch in file.iter_batches(CHUNK_LINES, columns=[C.IDENTIFIER]):
            yield [str(text or "").encode() for text in batch.column(0).to_pylist()]
