"""The values to search for, read from the vault: every column that its contract calls a direct identifier."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from jobs.audit.identifiers import Identifiers
from jobs.audit.needles import Kind
from jobs.lake import Contract, Lake
from jobs.lake.contracts import DIRECT, Column

VAULT: Final = "vault"
KINDS: Final = {
    "user.contact.email": Kind.EMAIL,
    "user.name": Kind.NAME,
    "user.contact.phone_number": Kind.PHONE,
    "user.contact.address": Kind.STREET,
    "user.unique_id": Kind.ACCOUNT,
}
NOT_TAKEN: Final = ("user.demographic.date_of_birth",)
RECORDS: Final = "user.contact"
"""JSON of what others of the table's columns hold."""


def read_identifiers(lake: Lake, identifiers: Identifiers) -> None:
    """Take the direct identifiers of all vault tables.

    Dates of birth are not taken: alone they stand for many people.
    """
    for contract in lake.contracts.values():
        if contract.zone == VAULT and lake.exists(contract.name):
            for column in contract.columns:
                if column.classification == DIRECT:
                    _take_column(lake, contract, column, identifiers)


def _take_column(lake: Lake, contract: Contract, column: Column, identifiers: Identifiers) -> None:
    if column.category not in (RECORDS, *NOT_TAKEN):
        kind = KINDS.get(column.category, Kind.OTHER)
        values = list(_read_distinct(lake, contract, column))
        written = [value for value in values if kind is Kind.EMAIL and "@" not in value]
        identifiers.add(Kind.DIGEST, written)
        identifiers.add(kind, set(values).difference(written))
    elif column.category == RECORDS:
        kinds = {other.name: KINDS[other.category] for other in contract.columns if other.category in KINDS}
        for record in _read_distinct(lake, contract, column):
            for name, value in _list_entries(_parse(record)):
                if name in kinds:
                    identifiers.add(kinds[name], [value])


def _read_distinct(lake: Lake, contract: Contract, column: Column) -> Iterator[str]:
    rows = lake.read(contract.name).select(column.name).distinct().toArrow()
    for batch in rows.to_batches():
        yield from (str(value) for value in batch.column(0).to_pylist() if value is not None)


def _parse(record: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(record)
    except ValueError:
        return None


def _list_entries(record: Any) -> Iterable[tuple[str, str]]:  # noqa: ANN401
    """Names and values of a record, also of records within it."""
    if isinstance(record, list):
        for inner in record:
            yield from _list_entries(inner)
    elif isinstance(record, dict):
        for name, value in record.items():
            if isinstance(value, list | dict):
                yield from _list_entries(value)
            elif value is not None:
                yield name, str(value)
