"""All rows about a person, table by table, as the contracts say they are found."""

from dataclasses import dataclass, field
from typing import Any, Final

from jobs.lake import Contract, Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.people.matching import match_rows
from jobs.people.person import Person
from jobs.requests import payloads

EXPORTS: Final = "exports"
Row = dict[str, Any]


@dataclass(frozen=True)
class Holding:
    """What one table holds about the person; printing it shows no row."""

    contract: Contract
    rows: tuple[Row, ...] = field(repr=False)


def collect(lake: Lake, person: Person) -> list[Holding]:
    """What each table that can hold something about people holds about this one; no table is left out.

    Packages for partners are told by :mod:`jobs.requests.access.recipients`, because they are files and no tables.
    """
    tables = [contract for contract in lake.contracts.values() if contract.zone != EXPORTS]
    held = [(contract, _find_rows(lake, contract, person)) for contract in tables]
    return [Holding(contract, _sort(contract, rows)) for contract, rows in held if rows is not None]


def _find_rows(lake: Lake, contract: Contract, person: Person) -> list[Row] | None:
    match = match_rows(lake, contract, [person])
    if match is None:
        return None
    rows: list[Row] = []
    tables = scan_rows(
        lake, contract.name, columns=contract.column_names, buckets=match.buckets, partitions=match.partitions
    )
    for table in tables:
        rows += table.filter(match.find(table)).to_pylist()
    return _open_contents(lake, rows) if contract.name == payloads.PAYLOADS else rows


def _open_contents(lake: Lake, rows: list[Row]) -> list[Row]:
    """What came with requests, readable."""
    opened = payloads.open_payloads(lake, [row[C.REQUEST_ID] for row in rows])
    return [{**row, C.CONTENT: payloads.write_payload(opened[row[C.REQUEST_ID]])} for row in rows]


def _sort(contract: Contract, rows: list[Row]) -> tuple[Row, ...]:
    """Rows by day and time, and then by their key."""
    partition = [contract.partition_column] if contract.partition_column else []
    times = [column.name for column in contract.columns if column.type == "timestamp" and column.required]
    names = (*partition, *times[:1], *contract.key)
    return tuple(sorted(rows, key=lambda row: [str(row[name]) for name in names]))
