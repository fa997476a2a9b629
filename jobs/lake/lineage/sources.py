"""The columns of what a plan reads: tables under contract, rows kept in scratch, and rows that the program made."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from jobs.lake import storage
from jobs.lake.contracts import DIRECT, Column, Contract
from jobs.lake.lineage.traces import Columns, Lineage, Risk, Trace
from jobs.lake.staging import STAGED_PREFIX

if TYPE_CHECKING:
    from pyspark.sql.connect.proto import LocalRelation, Read

DRIVER: Final = "driver"
FILES: Final = "files"


class Sources:
    """What lies where in one lake.

    Args:
        contracts: of all tables.
        home: the lake's home.
    """

    def __init__(self, contracts: Mapping[str, Contract], home: str) -> None:
        self._tables = {storage.join(home, *name.split(".")): contract for name, contract in contracts.items()}
        self._kept: dict[str, Callable[[], Columns]] = {}
        self._columns: dict[str, Columns] = {}
        columns = [column for contract in contracts.values() for column in contract.columns]
        self._direct = {c.name for c in columns if c.classification == DIRECT and not c.is_reversible}
        self._known = {column.name for column in columns}

    @contextmanager
    def keep(self, location: str, columns: Callable[[], Columns]) -> Iterator[None]:
        """Remember, for the length of the context, how to tell what the rows at a location were made from."""
        self._kept[location] = columns
        try:
            yield
        finally:
            del self._kept[location]

    def find(self, location: str) -> Columns | None:
        """The columns of a table, of rows staged for it, or of what was kept; none for any other location."""
        if location in self._kept:
            return self._kept[location]()
        parent, _, name = location.rstrip("/").rpartition("/")
        contract = self._tables.get(parent if name.startswith(STAGED_PREFIX) else location.rstrip("/"))
        return None if contract is None else self._name_columns(contract)

    def read(self, read: "Read") -> Columns | None:
        """The columns of files; none where a table is read by its name, which no step does.

        What is no table of this lake may hold anything, so all of it counts as direct identifiers.
        """
        files = read.data_source
        if read.is_streaming or not read.HasField("data_source"):
            return None
        known = [self.find(path) for path in files.paths]
        if len(known) == 1 and known[0] is not None:
            return known[0]
        names = read_names(files.schema)
        if names is None:
            return Columns(((None, _lineage(f"{FILES}.?", Risk.DIRECT)),), is_exact=False)
        return Columns(tuple((name, _lineage(f"{FILES}.{name}", Risk.DIRECT)) for name in names))

    def made_by_driver(self, names: Collection[str]) -> Columns:
        """Columns of rows that the program made; what no contract knows by this name may hold anything."""
        harmless = self._known - self._direct
        risks = {name: Risk.NONE if name in harmless else Risk.DIRECT for name in names}
        return Columns(tuple((name, _lineage(f"{DRIVER}.{name}", risks[name])) for name in names))

    def made_somehow(self) -> Columns:
        """Rows that the program made, in columns the plan does not tell."""
        return Columns(((None, _lineage(f"{DRIVER}.?", Risk.DIRECT)),), is_exact=False)

    def _name_columns(self, contract: Contract) -> Columns:
        """The columns of a table, made once: a step reads some tables for every frame it writes."""
        if contract.name not in self._columns:
            entries = ((c.name.lower(), _lineage(f"{contract.name}.{c.name}", _risk(c))) for c in contract.columns)
            self._columns[contract.name] = Columns(tuple(entries))
        return self._columns[contract.name]


def name_local(local: "LocalRelation") -> list[str] | None:
    """Names of the columns of rows within a plan."""
    if local.schema:
        return read_names(local.schema)
    import pyarrow as pa

    return [name.lower() for name in pa.ipc.open_stream(local.data).schema.names]


def read_names(schema: str) -> list[str] | None:
    """Names of a schema's columns in lower case; none where it is not written as JSON."""
    try:
        return [entry["name"].lower() for entry in json.loads(schema)["fields"]]
    except (ValueError, KeyError, TypeError):
        return None


def _risk(column: Column) -> Risk:
    if column.is_reversible:
        return Risk.REVERSIBLE
    return Risk.DIRECT if column.classification == DIRECT or column.free_text else Risk.NONE


def _lineage(source: str, risk: Risk) -> Lineage:
    return Lineage(frozenset({Trace(source, risk)}))
