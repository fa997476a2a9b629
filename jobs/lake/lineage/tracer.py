"""Frames traced to their sources, and held against the contract of the table they are about to become."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from jobs.errors import ContractError
from jobs.lake.contracts import PERSONAL_ZONES, Contract
from jobs.lake.lineage.lookalikes import LookalikeError
from jobs.lake.lineage.relations import Follower
from jobs.lake.lineage.sources import Sources
from jobs.lake.lineage.traces import Columns, Risk, Trace, UnfollowableError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Lineages = Mapping[str, frozenset[Trace]]


class Tracer:
    """Tells for the frames of one lake what their columns are made from.

    Args:
        contracts: of all tables.
        home: the lake's home.
    """

    def __init__(self, contracts: Mapping[str, Contract], home: str) -> None:
        self._sources = Sources(contracts, home)

    def trace(self, rows: "DataFrame") -> Lineages:
        """The sources of every column by lower-case name; reads the plan and computes nothing.

        Raises:
            UnfollowableError: the plan holds something whose sources cannot be told.
        """
        columns = self._follow(rows)
        names = [name.lower() for name in rows.schema.names]
        if not columns.is_exact:
            return dict.fromkeys(names, columns.mixed.traces)
        if len(names) != len(columns.entries) or any(
            known not in (None, name) for known, name in zip(columns.names, names, strict=True)
        ):
            message = "the engine makes other columns of the plan than were followed"
            raise UnfollowableError(message)
        lineages: dict[str, frozenset[Trace]] = dict.fromkeys(names, frozenset())
        for name, (_, lineage) in zip(names, columns.entries, strict=True):
            lineages[name] |= lineage.traces
        return lineages

    @contextmanager
    def keep(self, location: str, rows: "DataFrame") -> Iterator[None]:
        """Remember, for the length of the context, that the files at a location hold these rows."""
        with self._sources.keep(location, cache(lambda: self._follow(rows))):
            yield

    def check(self, contract: Contract, rows: "DataFrame", *, accepts_reversible: bool = False) -> Lineages:
        """Refuse rows that would bring a direct identifier into a table where none may stand.

        Args:
            contract: of the table the rows are for.
            rows: frame in the contract's columns.
            accepts_reversible: true where values may go that a dictionary turns back into direct identifiers.

        Returns:
            The sources of every column; none of a table where direct identifiers may stand and whose rows cannot be
            followed.

        Raises:
            ContractError: names table, columns and their sources; or the plan has window functions that the embedded
                engine would take for one.
        """
        is_personal = contract.zone in PERSONAL_ZONES
        try:
            lineages = self.trace(rows)
        except UnfollowableError as error:
            if is_personal:
                return {}
            message = f"{contract.name}: its columns cannot be followed to their sources: {error}; nothing was written."
            raise ContractError(message) from None
        except LookalikeError as error:
            message = f"{contract.name}: {error}"
            raise ContractError(message) from None
        highest = Risk.DIRECT if is_personal else Risk.REVERSIBLE if accepts_reversible else Risk.NONE
        leaking = {name: [str(t) for t in traces if t.risk > highest] for name, traces in lineages.items()}
        leaks = [f"- {name} is made from {', '.join(sorted(traces))}" for name, traces in leaking.items() if traces]
        if leaks:
            message = (
                f"{contract.name}: direct identifiers would reach it without a declared pseudonymisation; "
                "nothing was written. Leave them out, or make of them what jobs/privacy/declarations.py lists.\n"
            )
            raise ContractError(message + "\n".join(leaks))
        return lineages

    def _follow(self, rows: "DataFrame") -> Columns:
        plan: Any = rows
        try:
            return Follower(self._sources).follow(plan._plan.plan(rows.sparkSession.client))
        except RecursionError:
            message = "the plan is nested too deeply"
            raise UnfollowableError(message) from None
