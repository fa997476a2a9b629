"""How a contract says that rows of a person are found in its table, and what becomes of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

ERASURE_METHODS: Final = ("delete", "sever", "rewrite", "keep")
DELETE, SEVER, REWRITE, KEEP = ERASURE_METHODS
ERASURE_MATCHES: Final = ("columns", "text", "ad_id", "package")
BY_COLUMNS, BY_TEXT, BY_AD_ID, BY_PACKAGE = ERASURE_MATCHES
PERSON_COLUMNS: Final = (
    "subject_id", "person_id", "customer_id", "order_id", "return_id", "parcel_id", "email", "reports",
)  # fmt: skip
"""Columns that say whose a row is; a table with one of them names it in its ``erasureKey``."""
Types = Mapping[str, str]
"""Types of a contract's columns, by name."""


@dataclass(frozen=True)
class Erasure:
    """How rows of a person are found in a table, and what becomes of them.

    Attributes:
        method: ``delete`` and ``rewrite`` take the rows out, ``sever`` takes the person out of them, ``keep`` leaves
            them because they show nobody.
        match: ``columns``: some columns hold what the person is called; ``text``: they hold text of somebody else's
            making; ``ad_id``: identifiers that partners got; ``package``: files of packages, that go as a whole.
        keys: the columns that tell.
        reason: why rows are kept.
    """

    method: str
    match: str
    keys: tuple[str, ...]
    reason: str


def read_erasure(properties: Mapping[str, Any]) -> Erasure:
    """What the properties of a contract declare."""
    declared = properties.get("erasureKey", ())
    keys = (declared,) if isinstance(declared, str) else tuple(declared)
    method, match, reason = (str(properties.get(f"erasure{name}", "")) for name in ("Method", "Match", "Reason"))
    return Erasure(method, match, keys, reason)


def find_mistakes(erasure: Erasure, types: Types) -> Iterator[str]:
    """What is wrong with the declaration of a table that bears subjects."""
    if erasure.method not in ERASURE_METHODS:
        yield f"bears subjects, so erasureMethod must be one of {', '.join(ERASURE_METHODS)}"
    if erasure.method == KEEP:
        yield from () if erasure.reason else ["erasureMethod keep needs an erasureReason: why nobody is recognised"]
        return
    if erasure.match not in ERASURE_MATCHES:
        yield f"bears subjects, so erasureMatch must be one of {', '.join(ERASURE_MATCHES)}"
    if not erasure.keys or not set(erasure.keys) <= set(types):
        yield "bears subjects, so erasureKey must list columns that tell whose a row is"
    elif erasure.match in CHECKS:
        yield from CHECKS[erasure.match](erasure, types)


def _check_columns(erasure: Erasure, types: Types) -> Iterator[str]:
    strange = [name for name in erasure.keys if name not in PERSON_COLUMNS]
    if strange:
        yield f"erasureMatch columns knows {', '.join(PERSON_COLUMNS)}, not {', '.join(strange)}"
    lacking = [name for name in PERSON_COLUMNS if name in types and name not in erasure.keys]
    if lacking:
        yield f"erasureKey lacks {', '.join(lacking)}, by which rows of a person would be overlooked"


def _check_texts(erasure: Erasure, types: Types) -> Iterator[str]:
    others = [name for name in erasure.keys if types[name] != "string"]
    if others:
        yield f"erasureMatch {erasure.match} reads strings; erasureKey lists {', '.join(others)}"


CHECKS: Final[Mapping[str, Callable[[Erasure, Types], Iterator[str]]]] = {
    BY_COLUMNS: _check_columns,
    BY_TEXT: _check_texts,
    BY_AD_ID: _check_texts,
    BY_PACKAGE: _check_texts,
}
