"""The slower path of addresses that are not ASCII: the text's rule, run in Python beside the engine.

Engines know different versions of Unicode and neither composes characters (NFC) or encodes domains (IDNA). The rule is
sent along with the plan, so a cluster needs Python, ``pyarrow`` and ``idna`` where its tasks run, but not this code.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.privacy.emails.addresses import InvalidAddressError

if TYPE_CHECKING:
    from pyspark.sql import Column

PACKAGE = __name__.rpartition(".")[0]


def is_ascii(text: "Column") -> "Column":
    """True where every character takes one byte; null for null."""
    return F.octet_length(text) == F.length(text)


def choose_path(address: "Column", *, is_address: "Column", normal: "Column", rule: Callable[[str], str]) -> "Column":
    """An address under a profile, null where it cannot be one.

    Args:
        address: as written.
        is_address: true where an ASCII text is an address.
        normal: the address normalised; holds for ASCII.
        rule: the profile for one text; it gets what is not ASCII.
    """
    # The check comes first because an engine computes once only what the first operand holds.
    is_native = is_address & is_ascii(address)
    others = F.when(~is_ascii(address), address)
    return F.when(is_native, normal).when(~is_ascii(address), _in_python(rule)(others))


@cache
def _in_python(rule: Callable[[str], str]) -> Callable[["Column"], "Column"]:
    import pyarrow as pa
    from pyspark import cloudpickle
    from pyspark.sql.pandas.functions import arrow_udf

    cloudpickle.register_pickle_by_value(sys.modules[PACKAGE])  # type: ignore[no-untyped-call]

    def convert(addresses: pa.Array) -> pa.Array:
        if addresses.null_count == len(addresses):
            return addresses.cast(pa.string())
        return pa.array([_apply(rule, address) for address in addresses.to_pylist()], pa.string())

    converted: Callable[[Column], Column] = arrow_udf(convert, "string")  # type: ignore[call-overload]
    return converted


def _apply(rule: Callable[[str], str], address: str | None) -> str | None:
    try:
        return None if address is None else rule(address)
    except InvalidAddressError:
        return None
