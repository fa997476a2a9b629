"""Digests of rows that do not depend on the files they lie in, nor on their order."""

from typing import TYPE_CHECKING, Final

import xxhash

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

BITS: Final = 128


class RowDigest:
    """Sum of the rows' xxh3-128, each with a salt, so that two plans' digests cannot be compared.

    Args:
        salt: hex text, the same for rows that are to be compared.
        partition: of the rows, where they have one.
    """

    def __init__(self, salt: str, partition: str | None) -> None:
        self._start = f"{salt}\n{partition}\n"
        self.sum = 0

    def add(self, rows: "pa.Table") -> None:
        """Take rows in."""
        start = self._start
        for values in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            self.sum += xxhash.xxh3_128_intdigest((start + repr(values)).encode())

    @staticmethod
    def unite(digests: "Iterable[RowDigest]") -> str | None:
        """The digest of all rows together; none where there are no digests."""
        sums = [digest.sum for digest in digests]
        return f"{sum(sums) % (1 << BITS):032x}" if sums else None
