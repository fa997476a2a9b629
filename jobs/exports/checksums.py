"""Digests of files: xxh3-128 finds damage on the way, SHA-256 also what somebody changed on purpose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class FileFacts:
    """A file's name, size and digests in hex."""

    name: str
    bytes: int
    xxh3_128: str
    sha256: str


def measure_file(path: Path) -> FileFacts:
    """Read a file once and take its measure."""
    import xxhash
    from cryptography.hazmat.primitives.hashes import SHA256, Hash

    transfer, content, size = xxhash.xxh3_128(), Hash(SHA256()), 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            transfer.update(block)
            content.update(block)
            size += len(block)
    return FileFacts(path.name, size, transfer.hexdigest(), content.finalize().hex())


def hash_bytes(content: bytes) -> str:
    """SHA-256 in hex."""
    from cryptography.hazmat.primitives.hashes import SHA256, Hash

    digest = Hash(SHA256())
    digest.update(content)
    return digest.finalize().hex()
