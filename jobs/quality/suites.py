"""Read expectation suites and hold them against the contracts.

One Great Expectations suite per table lies in ``expectations/`` as JSON. Reading one loads Great Expectations,
which knows the types of expectations and their arguments.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import ContractError, UsageError
from jobs.lake import Contract, Contracts
from jobs.quality import expectations
from jobs.quality.results import SEVERITIES

EXPECTATIONS_FOLDER = Path(__file__).resolve().parents[2] / "expectations"
COLUMN_ARGUMENTS = ("column", "column_A", "column_B")
COLUMN_LIST_ARGUMENTS = ("column_list", "column_set")


@dataclass(frozen=True)
class Expectation:
    """One expectation; ``title`` says the rule and ``why`` what goes wrong for whom when it is broken."""

    type: str
    kwargs: Mapping[str, Any]
    severity: str
    title: str
    why: str


@dataclass(frozen=True)
class Suite:
    """The expectations of one table."""

    table: str
    expectations: tuple[Expectation, ...]


def list_tables(folder: Path = EXPECTATIONS_FOLDER) -> tuple[str, ...]:
    """Tables that have a suite."""
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def read_suite(contract: Contract, folder: Path = EXPECTATIONS_FOLDER) -> Suite:
    """Read and check the suite of one table.

    Raises:
        UsageError: the table has no suite.
        ContractError: the suite has mistakes; one line for each.
    """
    path = folder / f"{contract.name}.json"
    if not path.is_file():
        known = ", ".join(list_tables(folder)) or "none"
        message = f"{contract.name} has no expectations; tables that have them: {known}."
        raise UsageError(message)
    document, mistakes = _read_document(path, contract)
    _raise_mistakes(mistakes)
    return Suite(contract.name, tuple(_read_expectation(entry) for entry in document["expectations"]))


def read_suites(contracts: Contracts, folder: Path = EXPECTATIONS_FOLDER) -> dict[str, Suite]:
    """Read and check every suite of a folder.

    Raises:
        ContractError: one line per mistake in any file.
    """
    mistakes: list[str] = []
    known = set(contracts)
    for table in list_tables(folder):
        if table in known:
            mistakes += _read_document(folder / f"{table}.json", contracts[table])[1]
        else:
            mistakes.append(f"{table}.json: {table} has no contract")
    _raise_mistakes(mistakes)
    return {table: read_suite(contracts[table], folder) for table in list_tables(folder)}


def _raise_mistakes(mistakes: list[str]) -> None:
    if mistakes:
        raise ContractError("Expectations are not as they must be:\n" + "\n".join(mistakes))


def _read_document(path: Path, contract: Contract) -> tuple[dict[str, Any], list[str]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        return {}, [f"{path.name}: is no JSON: {error.msg} in line {error.lineno}"]
    if not isinstance(document, dict) or not isinstance(document.get("expectations"), list):
        return {}, [f"{path.name}: must be an object with a list named expectations"]
    return document, [f"{path.name}: {mistake}" for mistake in _find_mistakes(document, contract)]


def _find_mistakes(document: Mapping[str, Any], contract: Contract) -> Iterator[str]:
    if document.get("name") != contract.name:
        yield f"the name is {document.get('name')}, the file's name says {contract.name}"
    for number, entry in enumerate(document["expectations"], start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("kwargs", {}), dict):
            yield f"expectation {number} must be an object, and its kwargs too"
            continue
        place = f"expectation {number} ({entry.get('type', 'without a type')})"
        for mistake in _find_entry_mistakes(entry, contract):
            yield f"{place}: {mistake}"


def _find_entry_mistakes(entry: Mapping[str, Any], contract: Contract) -> Iterator[str]:
    if entry.get("severity") not in SEVERITIES:
        yield f"severity must be one of {', '.join(SEVERITIES)}, got {entry.get('severity', 'none')}"
    if not entry.get("description"):
        yield "lacks a description, which is the rule in words"
    if not isinstance(entry.get("meta"), dict) or not entry["meta"].get("why"):
        yield "lacks meta.why, which says what a failure means"
    unknown = sorted(set(_named_columns(entry.get("kwargs", {}))) - set(contract.column_names))
    if unknown:
        yield f"{contract.name} has no column {', '.join(unknown)}; it has {', '.join(contract.column_names)}"
    yield from expectations.find_configuration_mistakes(str(entry.get("type")), entry.get("kwargs", {}))


def _named_columns(kwargs: Mapping[str, Any]) -> Iterator[str]:
    for argument in COLUMN_ARGUMENTS:
        if argument in kwargs:
            yield str(kwargs[argument])
    for argument in COLUMN_LIST_ARGUMENTS:
        yield from (str(name) for name in kwargs.get(argument, ()))


def _read_expectation(entry: Mapping[str, Any]) -> Expectation:
    return Expectation(
        type=entry["type"],
        kwargs=entry.get("kwargs", {}),
        severity=entry["severity"],
        title=entry["description"],
        why=entry["meta"]["why"],
    )
