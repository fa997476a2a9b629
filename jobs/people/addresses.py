"""E-mail addresses of people, found in columns of addresses however they are written.

What an address may be is told cheaply by its local part without dots and suffix; only what agrees in that is brought to
the normal form and compared.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from jobs.privacy.emails import PROFILES, InvalidAddressError

if TYPE_CHECKING:
    import pyarrow as pa

SOPHILUX: Final = PROFILES["sophilux"]
LOOSE: Final = r"[\s.]|\+.*|@.*"
"""What a local part may have or lack in another spelling of the same address."""


def normalise(address: str) -> str | None:
    """The address in the normal form; none where it is none."""
    try:
        return SOPHILUX.normalise_text(address)
    except InvalidAddressError:
        return None


def find_addresses(written: "pa.ChunkedArray", addresses: Iterable[str]) -> "pa.ChunkedArray":
    """True where a text is one of some addresses, which are given in the normal form; null stays null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = frozenset(addresses)
    keys = loosen(pa.array(sorted(known), pa.string()))
    is_other_script = pc.invert(pc.string_is_ascii(written))
    may_be = pc.or_(pc.is_in(loosen(written), value_set=keys), is_other_script)
    candidates = pc.unique(written.filter(may_be))
    own = [text for text in candidates.to_pylist() if text is not None and normalise(text) in known]
    found = pc.is_in(written, value_set=pa.array(own, pa.string()))
    return pc.if_else(pc.is_valid(written), found, None)


def loosen(addresses: "pa.Array | pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    """What all spellings of an address have in common, if they are ASCII."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(pc.utf8_lower(addresses), LOOSE, "")
