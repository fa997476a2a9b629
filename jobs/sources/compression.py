"""Plain, gzip and Zstandard files as a stream of bytes, of which only a few megabytes are held.

Compressed input is fed in small pieces, so that a piece which unpacks a thousandfold still fits. Several members
or frames one after the other are one file, as for ``gzip`` and ``zstd``.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

import zstandard

from jobs.sources.progress import Advance

READ_BYTES = 8 * 1024**2
PIECE_BYTES = 1024
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ENDS_TOO_EARLY = "file ends too early"
NOT_DECOMPRESSIBLE = "cannot be decompressed"


class BrokenFileError(Exception):
    """A compressed file breaks off or is damaged; what was read before it stays valid."""


class Codec(Protocol):
    """A decompressor of one member or frame."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: Any, /) -> bytes:  # noqa: ANN401
        """Bytes that the input unpacks to."""


def read_chunks(stream: BinaryIO, name: str, advance: Advance) -> Iterator[bytes]:
    """Decompressed bytes of a file, in chunks of any size.

    Args:
        stream: the file as stored.
        name: its name; ``.gz`` and ``.zst`` say how it is packed, and so do a file's first bytes.
        advance: told how many stored bytes were read.

    Raises:
        BrokenFileError: a compressed file breaks off or is damaged.
    """
    stored = _read_stored(stream, advance)
    first = next(stored, b"")
    if name.endswith(".gz") or first.startswith(GZIP_MAGIC):
        yield from _decompress(first, stored, lambda: zlib.decompressobj(wbits=31))
    elif name.endswith(".zst") or first.startswith(ZSTD_MAGIC):
        yield from _decompress(first, stored, lambda: zstandard.ZstdDecompressor().decompressobj())
    else:
        yield first
        yield from stored


def _read_stored(stream: BinaryIO, advance: Advance) -> Iterator[bytes]:
    while chunk := stream.read(READ_BYTES):
        advance(len(chunk))
        yield chunk


def _cut_pieces(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    chunk: bytes | None = first
    while chunk is not None:
        for start in range(0, len(chunk), PIECE_BYTES):
            yield chunk[start : start + PIECE_BYTES]
        chunk = next(rest, None)


def _decompress(first: bytes, rest: Iterator[bytes], new_codec: Callable[[], Any]) -> Iterator[bytes]:
    codec: Codec | None = new_codec()
    for stored in _cut_pieces(first, rest):
        piece = stored
        while piece:
            if codec is None:
                if not piece.strip(b"\0"):
                    break
                codec = new_codec()
            yield _unpack(codec, piece)
            piece = codec.unused_data if codec.eof else b""
            codec = None if codec.eof else codec
    if codec is not None:
        raise BrokenFileError(ENDS_TOO_EARLY)


def _unpack(codec: Codec, piece: bytes) -> bytes:
    try:
        return codec.decompress(piece)
    except (zlib.error, zstandard.ZstdError):
        raise BrokenFileError(NOT_DECOMPRESSIBLE) from None
