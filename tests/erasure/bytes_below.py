"""Everything that lies below a folder as text, unpacked with nothing but public libraries: a search of its own.

It is written without the project's code, so that a mistake of the project's own search shows.
"""

import bz2
import gzip
import io
import lzma
from pathlib import Path

import zstandard
from pyarrow import parquet as pq

OPENERS = {
    b"\x1f\x8b": gzip.decompress,
    b"\x28\xb5\x2f\xfd": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read(),
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
}


def unpack(data):
    """Texts of a file's content."""
    yield data.decode("latin-1")
    if data[:4] == b"PAR1":
        file = pq.ParquetFile(io.BytesIO(data))
        yield repr(file.metadata.metadata)
        yield repr(file.schema_arrow.metadata)
        for group in range(file.num_row_groups):
            for place in range(file.metadata.num_columns):
                statistics = file.metadata.row_group(group).column(place).statistics
                yield f"{statistics.min} {statistics.max}" if statistics and statistics.has_min_max else ""
        for name, column in zip(file.schema_arrow.names, file.read().columns, strict=True):
            yield f"{name}\n" + "\n".join(map(str, set(map(str, column.to_pylist()))))
    for magic, opener in OPENERS.items():
        if data.startswith(magic):
            yield from unpack(opener(data))


def find_below(home, needles, *, spare=()):
    """Files below a folder, or their names, that hold one of some texts in any case: path and which text."""
    wanted = sorted({needle.lower() for needle in needles})
    found = set()
    for path in sorted(Path(home).rglob("*")):
        inside = str(path.relative_to(home))
        if path.is_dir() or inside.startswith(tuple(spare) or "\0"):
            continue
        for text in (inside, *unpack(path.read_bytes())):
            folded = text.lower()
            found |= {(inside, needle) for needle in wanted if needle in folded}
    return found
