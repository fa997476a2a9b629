"""Hashes that anybody with a list of candidates can undo, because no key went in: of addresses, phones, accounts.

A hash is held and compared by its first 64 bits. It is looked for in hex and in Base64, and xxHash, whose results are
numbers, also as a whole number.
"""

import base64
import re
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import xxhash
from cryptography.hazmat.primitives import hashes
from numpy.typing import NDArray

from jobs.audit.byte_classes import (
    IS_BASE64,
    IS_HEX,
    Words,
    contains,
    find_runs,
    order_distinct,
    read_hex,
    view_bytes,
)

ALGORITHMS: Final = (hashes.SHA256(), hashes.SHA1(), hashes.MD5())  # noqa: S303
EMPTY: Final = tuple(map(hashes.Hash, ALGORITHMS))
HEX_LENGTHS: Final = (16, 32, 40, 64)
"""Hex digits of xxh64, of MD5 and xxh128, of SHA-1, of SHA-256."""
BASE64_LENGTHS: Final = (22, 27, 43)
"""Base64 characters, without padding, of 128, 160 and 256 bits."""
HEX: Final = re.compile("[0-9A-Fa-f]+")
BASE64: Final = re.compile("[0-9A-Za-z+/_-]+={0,2}")
ENGINE_SEED: Final = 42
"""What the engine's ``xxhash64`` starts from."""
SIXTY_FOUR_BITS: Final = 2**64


class Digests:
    """Unkeyed hashes of many texts, under every common algorithm.

    Args:
        texts: what is hashed.
        written: further hashes as they are written.
    """

    def __init__(self, texts: Iterable[str], written: Iterable[str] = ()) -> None:
        heads = array("Q", (head for text in texts for head in hash_text(text)))
        heads.extend(head for head in map(read_written, written) if head is not None)
        self._heads: Words = order_distinct(heads)

    def __len__(self) -> int:
        return len(self._heads)

    def count(self, block: bytes) -> int:
        """How often one of the hashes stands in a block, which must not be folded: Base64 knows upper case."""
        if not len(self):
            return 0
        letters = view_bytes(block)
        starts, _ = find_runs(letters, IS_HEX, HEX_LENGTHS)
        found = int(self._contains(read_hex(letters, starts)).sum())
        starts, sizes = find_runs(letters, IS_BASE64, BASE64_LENGTHS)
        written = (block[start : start + size] for start, size in zip(starts.tolist(), sizes.tolist(), strict=True))
        return found + self.count_numbers(_read_base64(written))

    def count_numbers(self, heads: Iterable[int]) -> int:
        """How many of the numbers are one of the hashes."""
        values = np.fromiter((head % SIXTY_FOUR_BITS for head in heads), np.uint64)
        return int(self._contains(values).sum())

    def _contains(self, heads: Words) -> NDArray[np.bool_]:
        return contains(self._heads, heads)


def hash_text(text: str) -> Iterator[int]:
    """The first 64 bits of each unkeyed hash of a text."""
    data = text.encode("utf-8", "replace")
    for empty in EMPTY:
        digest = empty.copy()
        digest.update(data)
        yield int.from_bytes(digest.finalize()[:8], "big")
    yield xxhash.xxh64_intdigest(data, ENGINE_SEED)
    yield xxhash.xxh64_intdigest(data)
    yield xxhash.xxh3_64_intdigest(data)
    yield xxhash.xxh3_128_intdigest(data) >> 64


def read_written(digest: str) -> int | None:
    """The first 64 bits of a hash in hex or Base64; none for what is neither."""
    if len(digest) in HEX_LENGTHS and HEX.fullmatch(digest):
        return int(digest[:16], 16)
    if len(digest.rstrip("=")) in BASE64_LENGTHS and BASE64.fullmatch(digest):
        return next(_read_base64([digest.encode()]))
    return None


def _read_base64(written: Iterable[bytes]) -> Iterator[int]:
    """The first 64 bits of what stands in Base64, also in the alphabet for URLs."""
    for text in written:
        yield int.from_bytes(base64.urlsafe_b64decode(text[:12].replace(b"+", b"-").replace(b"/", b"_"))[:8], "big")
