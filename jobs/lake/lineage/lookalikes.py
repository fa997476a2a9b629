"""Window functions that the embedded engine would take for one.

Sail 0.7 tells the window functions of one projection apart by how they print, and a name given within an expression
prints instead of what it stands for: beside ``last(struct(email AS v))`` a column ``last(struct(city AS v))`` holds the
e-mail address, and nothing says so.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jobs.errors import ContractError

if TYPE_CHECKING:
    from pyspark.sql.connect.proto import Expression


class LookalikeError(ContractError):
    """The embedded engine would take two window functions for one."""


def check_windows(windows: Iterable["Expression.Window"]) -> None:
    """Refuse window functions of one projection that differ only behind names given within them.

    Raises:
        LookalikeError: says how to tell them apart.
    """
    seen: dict[bytes, bytes] = {}
    for window in windows:
        printed, whole = _serialise(window, as_printed=True), _serialise(window, as_printed=False)
        if seen.setdefault(printed, whole) != whole:
            message = (
                "two window functions of one projection differ only behind a name given within them, and the "
                "embedded engine would take them for one; give other names, or make the columns before."
            )
            raise LookalikeError(message)


def _serialise(window: "Expression.Window", *, as_printed: bool) -> bytes:
    copy = type(window)()
    copy.CopyFrom(window)
    _reduce(copy, as_printed=as_printed)
    serialised: bytes = copy.SerializeToString(deterministic=True)
    return serialised


def _reduce(message: Any, *, as_printed: bool) -> None:  # noqa: ANN401
    """Drop where in the program an expression was written, and what a name within it stands for."""
    kind = message.DESCRIPTOR.full_name
    if kind.endswith(".Expression"):
        message.ClearField("common")
    if as_printed and kind.endswith("Expression.Alias"):
        message.ClearField("expr")
    for part in _list_parts(message):
        _reduce(part, as_printed=as_printed)


def _list_parts(message: Any) -> Iterator[Any]:  # noqa: ANN401
    """Messages directly within a message."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None or descriptor.message_type.GetOptions().map_entry:
            continue
        yield from value if descriptor.is_repeated else (value,)
