"""What is known of a value's origin: the columns it was made from, and what was declared about it on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from jobs.errors import ContractError

if TYPE_CHECKING:
    from pyspark.sql import Column
    from pyspark.sql.connect.proto import Expression

MARK: Final = "declared: "
REVERSIBLE_MARK: Final = "declared reversible: "


class Risk(IntEnum):
    """What a value may still tell of a direct identifier; declarations only ever lower it."""

    NONE = 0
    REVERSIBLE = 1
    DIRECT = 2


@dataclass(frozen=True)
class Trace:
    """One source of a value.

    Attributes:
        source: ``zone.table.column``, with ``.field`` where a document was read; ``driver.column`` for rows that the
            program made.
        risk: what is left of the source's classification.
        via: declarations on the way, the first one first.
    """

    source: str
    risk: Risk
    via: tuple[str, ...] = ()

    def after(self, declaration: str, left: Risk) -> "Trace":
        """The trace behind a declaration."""
        via = self.via if declaration in self.via else (*self.via, declaration)
        return replace(self, risk=min(self.risk, left), via=via)

    def __str__(self) -> str:
        return " via ".join((self.source, *self.via))


@dataclass(frozen=True)
class Lineage:
    """All sources of a value; ``fields`` where it is a struct whose parts are known, by lower-case name."""

    traces: frozenset[Trace] = frozenset()
    fields: Mapping[str, "Lineage"] = field(default_factory=lambda: MappingProxyType({}))
    is_document: bool = False

    def part(self, name: str) -> "Lineage":
        """What a field of the value comes from."""
        if name in self.fields:
            return self.fields[name]
        if self.is_document:
            return Lineage(frozenset(replace(trace, source=f"{trace.source}.{name}") for trace in self.traces))
        return Lineage(self.traces)

    def after(self, declaration: str, left: Risk) -> "Lineage":
        """The lineage of the declared value."""
        return Lineage(frozenset(trace.after(declaration, left) for trace in self.traces))


NOTHING: Final = Lineage()
Entry = tuple[str | None, Lineage]


def mix(lineages: Iterable[Lineage]) -> Lineage:
    """The lineage of a value that is made from all of these."""
    return Lineage(frozenset().union(*(lineage.traces for lineage in lineages)))


@dataclass(frozen=True)
class Columns:
    """Columns of a relation in order, by lower-case name; one without a name is named by the engine.

    Attributes:
        entries: name and lineage.
        aliases: names by which the columns may be qualified.
        is_exact: false where the engine alone knows the columns; then each may hold anything of any.
    """

    entries: tuple[Entry, ...]
    aliases: frozenset[str] = frozenset()
    is_exact: bool = True

    def find(self, name: str) -> list[Lineage]:
        """Lineages of the columns of that name."""
        if not self.is_exact:
            return [self.mixed]
        return [lineage for known, lineage in self.entries if known == name]

    @property
    def mixed(self) -> Lineage:
        """The lineage of all columns together."""
        return mix(lineage for _, lineage in self.entries)

    @property
    def names(self) -> tuple[str | None, ...]:
        """The names in order."""
        return tuple(name for name, _ in self.entries)

    @property
    def unnamed(self) -> list[Lineage]:
        """Lineages of the columns that the engine names."""
        return [lineage for name, lineage in self.entries if name is None]

    def blur(self) -> "Columns":
        """The same columns, where it is not known any more which is which."""
        return Columns(((None, self.mixed),), self.aliases, is_exact=False)


class UnfollowableError(ContractError):
    """A plan holds something whose sources cannot be told."""


def mark(column: "Column", name: str, *, is_reversible: bool = False) -> "Column":
    """The same values, marked in the plan as no direct identifier any more.

    The mark is a condition that always holds, so that both engines optimise it away. It is no name given within the
    expression, because the embedded engine takes window functions for one that differ only behind such names.

    Args:
        column: the values.
        name: what makes them so, such as ``keyed digest``.
        is_reversible: true where a dictionary undoes it; such values leave only where that is accepted.
    """
    from pyspark.sql import functions as F

    return F.when(F.lit(f"{REVERSIBLE_MARK if is_reversible else MARK}{name}").isNotNull(), column)


def read_mark(function: "Expression.UnresolvedFunction") -> tuple[str, Risk] | None:
    """The declaration that a function of the plan stands for, and the risk it leaves; none for any other function."""
    if function.function_name != "when" or len(function.arguments) != 2:
        return None
    condition = function.arguments[0].unresolved_function
    if condition.function_name != "isNotNull":
        return None
    text = condition.arguments[0].literal.string
    for start, left in ((REVERSIBLE_MARK, Risk.REVERSIBLE), (MARK, Risk.NONE)):
        if text.startswith(start):
            return text.removeprefix(start), left
    return None
