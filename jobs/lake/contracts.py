"""Data contracts: the single source of truth for columns, types, keys, classification and retention.

One Open Data Contract Standard v3.1 YAML per table lies in ``schemas/``. Schemas of both engines, the
retention plan, the erasure targets and the columns that statistics may show are derived from it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft201909Validator

from jobs.errors import ContractError, UsageError
from jobs.lake import types
from jobs.lake.erasures import Erasure, find_mistakes, read_erasure

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import StructType

SCHEMAS_FOLDER = Path(__file__).resolve().parents[2] / "schemas"
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same loader in C where there is one, because every command reads all contracts."""
ZONES = ("landing", "quarantine", "vault", "lake", "marts", "exports", "ledger")
PERSONAL_ZONES = ("landing", "quarantine", "vault")
CLASSIFICATIONS = ("direct identifier", "pseudonym", "sensitive", "public")
DIRECT, PSEUDONYM, SENSITIVE, PUBLIC = CLASSIFICATIONS
SUBJECT_ID = "subject_id"
SUBJECT_BUCKET = "subject_bucket"


@dataclass(frozen=True)
class Column:
    """One column of a contract; ``type`` is the engine's name of the type, such as ``decimal(12,2)``.

    ``free_text`` marks what somebody wrote: it may hold a direct identifier whatever its classification.
    ``is_reversible`` marks a digest without a key: not the identifier itself, but a dictionary leads back to it.
    ``category`` is the fideslang data category, such as ``user.contact.email``.
    """

    name: str
    type: str
    required: bool
    classification: str
    key_position: int | None
    partition: bool
    description: str
    free_text: bool = False
    is_reversible: bool = False
    category: str = ""


@dataclass(frozen=True)
class Retention:
    """How long rows are kept: ``value`` units (``d``, ``m``, ``y``) counted from ``element``."""

    value: int
    unit: str
    element: str
    driver: str
    rule: str


@dataclass(frozen=True)
class Contract:
    """One table's contract."""

    name: str
    purpose: str
    columns: tuple[Column, ...]
    retention: Retention | None
    properties: Mapping[str, Any]
    version: str = ""

    @property
    def zone(self) -> str:
        """First part of the name."""
        return self.name.partition(".")[0]

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Columns that name a row, in order."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(column.name for column in sorted(keyed, key=lambda column: column.key_position or 0))

    @cached_property
    def partition_column(self) -> str | None:
        """The column whose values are replaced as a whole, if the table has one."""
        return next((column.name for column in self.columns if column.partition), None)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Columns that may not be null."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def column_names(self) -> tuple[str, ...]:
        """All columns in order."""
        return tuple(column.name for column in self.columns)

    @property
    def is_restricted(self) -> bool:
        """True where only readers of personal data may look."""
        return bool(self.properties.get("restricted"))

    @property
    def has_subject(self) -> bool:
        """True when rows belong to a person's pseudonym."""
        return SUBJECT_ID in self.column_names

    @property
    def bears_subjects(self) -> bool:
        """True when a column names or stands for a person."""
        return self.has_subject or any(c.classification in (DIRECT, PSEUDONYM) for c in self.columns)

    @cached_property
    def erasure(self) -> Erasure | None:
        """How to forget a person here; none where the table bears no subjects."""
        if not self.bears_subjects:
            return None
        return read_erasure(self.properties)

    @property
    def statistics_columns(self) -> tuple[str, ...]:
        """Columns whose minimum and maximum may stand in the log: they reveal nobody."""
        if self.has_subject:
            return (SUBJECT_BUCKET,)
        plain = ("int", "bigint", "date")
        return tuple(c.name for c in self.columns if c.classification == PUBLIC and c.type in plain and not c.partition)

    @property
    def public_key(self) -> tuple[str, ...]:
        """Key columns that may be printed."""
        shown = {column.name for column in self.columns if column.classification == PUBLIC}
        return tuple(name for name in self.key if name in shown)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def engine_schema(self) -> "StructType":
        """The table's schema for Spark and Sail."""
        return types.engine_schema((column.name, column.type) for column in self.columns)

    def arrow_schema(self) -> "pa.Schema":
        """The table's schema for Arrow."""
        return types.arrow_schema((column.name, column.type) for column in self.columns)


class Contracts(Mapping[str, Contract]):
    """All contracts by table name; loading fails with every mistake at once."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self._contracts = dict(contracts)

    def __getitem__(self, table: str) -> Contract:
        try:
            return self._contracts[table]
        except KeyError:
            message = f"{table} has no contract; 'sophilux tables' lists the tables, schemas/ holds their contracts."
            raise UsageError(message) from None

    def __contains__(self, table: object) -> bool:
        return table in self._contracts

    def __iter__(self) -> Iterator[str]:
        return iter(self._contracts)

    def __len__(self) -> int:
        return len(self._contracts)

    @classmethod
    def load(cls, folder: Path = SCHEMAS_FOLDER) -> "Contracts":
        """Read and check every contract of a folder; one that did not change is read once a process.

        Raises:
            ContractError: one line per mistake in any file.
        """
        paths = sorted(folder.glob("*.yaml"))
        return _load(tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths))


@lru_cache(maxsize=4)
def _load(files: tuple[tuple[Path, int, int], ...]) -> Contracts:
    contracts: dict[str, Contract] = {}
    mistakes: list[str] = []
    validator = Draft201909Validator(_standard_schema())
    for path, *_ in files:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)  # noqa: S506
        broken = [f"{path.name}: {e.json_path}: {e.message[:160]}" for e in validator.iter_errors(document)]
        if not broken:
            contract = _read_contract(document)
            broken = [f"{path.name}: {mistake}" for mistake in _find_mistakes(contract, path.stem)]
            contracts[contract.name] = contract
        mistakes += broken
    if mistakes:
        raise ContractError("Contracts are not as they must be:\n" + "\n".join(mistakes))
    return Contracts(contracts)


def _standard_schema() -> dict[str, Any]:
    text = resources.files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _read_contract(document: Mapping[str, Any]) -> Contract:
    table = document["schema"][0]
    properties = {entry["property"]: entry["value"] for entry in document.get("customProperties", [])}
    terms = [term for term in document.get("slaProperties", []) if term["property"] == "retention"]
    return Contract(
        name=document["name"],
        purpose=document["description"]["purpose"],
        columns=tuple(_read_column(entry) for entry in table["properties"]),
        retention=_read_retention(terms[0]) if terms else None,
        properties=properties,
        version=document["version"],
    )


def _read_column(entry: Mapping[str, Any]) -> Column:
    properties = {custom["property"]: custom["value"] for custom in entry.get("customProperties", [])}
    return Column(
        name=entry["name"],
        type=entry["physicalType"],
        required=entry.get("required", False),
        classification=entry.get("classification", ""),
        key_position=entry.get("primaryKeyPosition"),
        partition=entry.get("partitioned", False),
        description=entry.get("description", ""),
        free_text=properties.get("freeText", False),
        is_reversible=properties.get("isReversible", False),
        category=properties.get("dataCategory", ""),
    )


def _read_retention(term: Mapping[str, Any]) -> Retention:
    element = str(term["element"]).rpartition(".")[2]
    return Retention(int(term["value"]), term["unit"], element, term.get("driver", ""), term.get("description", ""))


def _find_mistakes(contract: Contract, stem: str) -> Iterator[str]:
    if contract.name != stem:
        yield f"the name is {contract.name}, the file's name says {stem}"
    if contract.zone not in ZONES:
        yield f"zone must be one of {', '.join(ZONES)}, got {contract.zone}"
    yield from _find_column_mistakes(contract)
    if contract.retention is None:
        yield "slaProperties lacks a retention"
    elif contract.retention.element not in contract.column_names and contract.zone != "exports":
        yield f"retention counts from {contract.retention.element}, which is no column"
    if contract.erasure is not None:
        yield from find_mistakes(contract.erasure, {column.name: column.type for column in contract.columns})
    if contract.has_subject and SUBJECT_BUCKET not in contract.column_names:
        yield "has subject_id but no subject_bucket"


def _find_column_mistakes(contract: Contract) -> Iterator[str]:
    for column in contract.columns:
        if column.classification not in CLASSIFICATIONS:
            yield f"{column.name}: classification must be one of {', '.join(CLASSIFICATIONS)}"
        if column.classification == DIRECT and contract.zone not in PERSONAL_ZONES:
            yield f"{column.name}: a direct identifier may only stand in {', '.join(PERSONAL_ZONES)}"
        if not types.is_known(column.type):
            yield f"{column.name}: physicalType {column.type} is not one of {', '.join(types.NAMES)}, decimal(p,s)"
    if sum(column.partition for column in contract.columns) > 1:
        yield "only one column may be partitioned"
