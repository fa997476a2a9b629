"""Values of columns compared as the conforming reads them: without white space around them."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from jobs.privacy.emails.addresses import strip_space

if TYPE_CHECKING:
    import pyarrow as pa


def find_values(column: "pa.ChunkedArray", values: Collection[str]) -> "pa.ChunkedArray":
    """True where a text is one of few values, whatever white space is around it; false for null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pa.array(sorted(values), pa.string())
    return pc.or_(pc.is_in(column, value_set=known), pc.is_in(pc.utf8_trim_whitespace(column), value_set=known))


def read_texts(column: "pa.ChunkedArray") -> list[str | None]:
    """The texts without white space around them; none where nothing is left."""
    return [strip_space(text) or None if text is not None else None for text in column.to_pylist()]


def nobody(rows: "pa.Table") -> "pa.ChunkedArray":
    """False for every row."""
    import numpy as np
    import pyarrow as pa

    return pa.chunked_array([pa.array(np.zeros(rows.num_rows, dtype=bool))])
