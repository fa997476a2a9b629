"""Every byte of a file as parts: as it lies there, and unpacked as often as it is packed.

Known are Parquet, zip, gzip, zstd, bzip2, xz and LZ4, told by their first bytes and not by their name. Anything else
is read as text where it is UTF-8, and else as bytes in every encoding. Files encrypted with age stay unread. What
cannot be unpacked gives a part of the form ``BROKEN``, because nothing is known about it.
"""

import bz2
import gzip
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa
import zstandard

from jobs.audit.parquet_parts import read_parquet
from jobs.audit.parts import BLOCK_BYTES, Form, Part, Readable, read_noise, read_plain

HEAD_BYTES: Final = 64
DEEPEST: Final = 4
"""How often a file may be packed within others."""
SPOOLED_BYTES: Final = 64 * BLOCK_BYTES
DAMAGE: Final = (
    pa.ArrowException, OSError, EOFError, ValueError, RuntimeError, NotImplementedError,
    zlib.error, lzma.LZMAError, zipfile.BadZipFile, zstandard.ZstdError,
)  # fmt: skip
Opener = Callable[[BinaryIO], Any]
STREAMS: Final[dict[bytes, tuple[str, Opener]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file, mode="rb")),
    b"\x28\xb5\x2f\xfd": (
        "zstd",
        lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True),
    ),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"\x04\x22\x4d\x18": ("lz4", lambda file: pa.CompressedInputStream(pa.PythonFile(file, "r"), "lz4")),
}
PARQUET: Final = b"PAR1"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
SEALED: Final = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")


def read_parts(file: BinaryIO, name: str = "", depth: int = 0) -> Iterator[Part]:
    """All parts of a file.

    Args:
        file: can seek.
        name: what the names of the parts begin with.
        depth: how many files it was packed in.

    Returns:
        First the bytes as they lie there, then what they hold.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not _is_packed(head):
        yield from _guard(read_plain(file, name), name)
        return
    yield from read_noise(file, name)
    file.seek(0)
    if depth > DEEPEST:
        yield Part(name, b"", Form.BROKEN)
    elif head.startswith(SEALED):
        yield Part(name, b"", Form.SEALED)
    else:
        yield from _guard(_unpack(file, head, name, depth), name)


def _unpack(file: BinaryIO, head: bytes, name: str, depth: int) -> Iterator[Part]:
    if head.startswith(PARQUET):
        yield from read_parquet(file, name)
    elif head.startswith(ZIP):
        yield from _read_zip(file, name, depth)
    for magic, (packing, open_stream) in STREAMS.items():
        if head.startswith(magic):
            with open_stream(file) as stream:
                yield from _read_stream(stream, f"{name}{packing}: ", depth + 1)


def _read_zip(file: BinaryIO, name: str, depth: int) -> Iterator[Part]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            label = f"{name}member {member.filename}: "
            yield Part(label, b"\0".join((member.filename.encode(), member.comment)), Form.BYTES)
            with archive.open(member) as stream:
                yield from _read_stream(stream, label, depth + 1)


def _read_stream(stream: Readable, name: str, depth: int) -> Iterator[Part]:
    """The parts of a stream that cannot seek; what is packed in it goes through a temporary file."""
    head = stream.read(HEAD_BYTES)
    if not _is_packed(head):
        yield from read_plain(stream, name, head)
        return
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as copy:
        copy.write(head)
        while block := stream.read(BLOCK_BYTES):
            copy.write(block)
        copy.seek(0)
        yield from read_parts(copy, name, depth)  # type: ignore[arg-type]


def _is_packed(head: bytes) -> bool:
    return head.startswith((PARQUET, *ZIP, *SEALED, *STREAMS))


def _guard(parts: Iterator[Part], name: str) -> Iterator[Part]:
    """The parts up to where the file turns out damaged."""
    try:
        yield from parts
    except DAMAGE:
        yield Part(name, b"", Form.BROKEN)
