"""Commutative encryption over ristretto255: a point encrypted under several keys is the same in whatever order.

To encrypt is to multiply a point of a group of prime order by a secret number; to decrypt, by the number's inverse.
Nobody without the key can test a guess against the result, as an unkeyed hash of an address would let them. The
arithmetic is libsodium's, through ``rbcl``; it lets other threads run meanwhile, so batches use every core.

References:
    RFC 9496, The ristretto255 and decaf448 Groups, 2023.
    IAB Tech Lab, PAIR 1.1, 2025, "Commutative Cipher Recommendations".
"""

import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jobs.errors import KeyRingError, SophiluxError

if TYPE_CHECKING:
    import pyarrow as pa

SECRET_BYTES: Final = 32
SCALAR_BYTES: Final = 32
POINT_BYTES: Final = 32
SEED_BYTES: Final = 64
IDENTITY: Final = bytes(POINT_BYTES)
HIGHEST_BIT: Final = 0x80
SCALAR_INFO: Final = b"sophilux commutative scalar 1"
CHUNK_ROWS: Final = 2048
AHEAD: Final = 2
"""Chunks a worker has waiting, so that it never waits itself."""

WRONG_LENGTH: Final = "wrong_length"
IDENTITY_ELEMENT: Final = "identity_element"
NOT_A_POINT: Final = "not_a_point"
REJECTS: Final = (WRONG_LENGTH, IDENTITY_ELEMENT, NOT_A_POINT)


class InvalidPointError(SophiluxError):
    """Bytes that cannot be encrypted; ``reason`` is one of :data:`REJECTS`, and the bytes are not told."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"an identifier was refused: {reason}.")
        self.reason = reason


@dataclass(frozen=True)
class Encrypted:
    """What became of one chunk: points of 32 bytes in the order they came, and how many were refused for what."""

    points: "pa.Array"
    rejects: Counter[str]


def derive_scalar(secret: bytes) -> bytes:
    """The non-zero number a 32-byte secret stands for, evenly spread over the group's order.

    Raises:
        KeyRingError: the secret has another length.
    """
    if len(secret) != SECRET_BYTES:
        message = f"A key for commutative encryption has {SECRET_BYTES} bytes, got {len(secret)}; make it anew."
        raise KeyRingError(message)
    wide = HKDF(algorithm=SHA512(), length=SEED_BYTES, salt=None, info=SCALAR_INFO).derive(secret)
    scalar: bytes = _sodium().crypto_core_ristretto255_scalar_reduce(wide)
    if scalar == bytes(SCALAR_BYTES):
        message = "This key stands for zero, under which everything is equal; make it anew."
        raise KeyRingError(message)
    return scalar


def invert_scalar(scalar: bytes) -> bytes:
    """The number that undoes another."""
    inverse: bytes = _sodium().crypto_core_ristretto255_scalar_invert(scalar)
    return inverse


def encrypt(seed: bytes, scalar: bytes) -> bytes:
    """Map 64 evenly spread bytes, as a hash gives them, onto the group, and encrypt the point.

    Raises:
        InvalidPointError: the seed has another length, or is one of those, such as all zeros, that no hash will give
            and that are mapped to the identity.
    """
    if len(seed) != SEED_BYTES:
        raise InvalidPointError(WRONG_LENGTH)
    point = _sodium().crypto_core_ristretto255_from_hash(seed)
    if point == IDENTITY:
        raise InvalidPointError(IDENTITY_ELEMENT)
    return _multiply(point, scalar)


def reencrypt(point: bytes, scalar: bytes) -> bytes:
    """Encrypt a point that someone else encrypted already.

    Raises:
        InvalidPointError: the bytes are no point's only encoding (RFC 9496, section 4.3.1), or the identity's.
    """
    _check_form(point)
    return _multiply(point, scalar)


def check(point: bytes) -> bytes:
    """The point itself.

    Raises:
        InvalidPointError: the bytes are no point's only encoding (RFC 9496, section 4.3.1), or the identity's.
    """
    _check_form(point)
    if not _sodium().crypto_core_ristretto255_is_valid_point(point):
        raise InvalidPointError(NOT_A_POINT)
    return point


def decrypt(point: bytes, scalar: bytes) -> bytes:
    """Take one key's encryption off a point, whichever was put on last.

    Raises:
        InvalidPointError: as in :func:`reencrypt`.
    """
    return reencrypt(point, invert_scalar(scalar))


def encrypt_batches(seeds: "Iterable[pa.Array]", scalar: bytes, *, workers: int | None = None) -> Iterator[Encrypted]:
    """Encrypt arrays of 64-byte seeds as they stream in, on every core; refused ones are left out and counted."""
    return _run(partial(encrypt, scalar=scalar), seeds, workers)


def reencrypt_batches(
    points: "Iterable[pa.Array]", scalar: bytes, *, workers: int | None = None
) -> Iterator[Encrypted]:
    """Encrypt arrays of 32-byte points as they stream in, on every core; refused ones are left out and counted."""
    return _run(partial(reencrypt, scalar=scalar), points, workers)


def check_batches(points: "Iterable[pa.Array]", *, workers: int | None = None) -> Iterator[Encrypted]:
    """Arrays as they came, without what is no point."""
    return _run(check, points, workers)


def _run(operation: Callable[[bytes], bytes], arrays: "Iterable[pa.Array]", workers: int | None) -> Iterator[Encrypted]:
    """Results in the order of the input, with a bounded number of chunks under way."""
    threads = workers or len(os.sched_getaffinity(0))
    waiting: deque[Future[Encrypted]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for chunk in _cut(arrays):
            waiting.append(pool.submit(_encrypt_chunk, operation, chunk))
            if len(waiting) >= threads * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _cut(arrays: "Iterable[pa.Array]") -> "Iterator[pa.Array]":
    for array in arrays:
        for start in range(0, len(array), CHUNK_ROWS):
            yield array.slice(start, CHUNK_ROWS)


def _encrypt_chunk(operation: Callable[[bytes], bytes], chunk: "pa.Array") -> Encrypted:
    import pyarrow as pa

    done: list[bytes] = []
    rejects: Counter[str] = Counter()
    for value in chunk.to_pylist():
        try:
            done.append(operation(value or b""))
        except InvalidPointError as error:
            rejects[error.reason] += 1
    return Encrypted(pa.array(done, pa.binary(POINT_BYTES)), rejects)


def _check_form(point: bytes) -> None:
    """Refuse what libsodium does not: it looks at 255 of the 256 bits, so every point would have a second spelling."""
    if len(point) != POINT_BYTES:
        raise InvalidPointError(WRONG_LENGTH)
    if point == IDENTITY:
        raise InvalidPointError(IDENTITY_ELEMENT)
    if point[-1] & HIGHEST_BIT:
        raise InvalidPointError(NOT_A_POINT)


def _multiply(point: bytes, scalar: bytes) -> bytes:
    try:
        product: bytes = _sodium().crypto_scalarmult_ristretto255(scalar, point)
    except RuntimeError:
        raise InvalidPointError(NOT_A_POINT) from None
    return product


@cache
def _sodium() -> Any:  # noqa: ANN401
    """``rbcl``, which unpacks libsodium into a temporary file and leaves it there; once loaded it is not needed."""
    import rbcl

    unpacked = Path(rbcl._sodium._name)
    if unpacked.parent == Path(tempfile.gettempdir()):
        unpacked.unlink(missing_ok=True)
    return rbcl
