"""When the term of opt-outs and opt-ins begins: once nobody has an open account with the address.

Until then a choice holds, however old it is. Afterwards it is kept as proof that it was honoured, and for the case that
the address gets an account; if it does, the term begins anew.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.people.values import find_values
from jobs.privacy.rights.choice_ledger import CHOICES
from jobs.privacy.subject_ids import bucket_of

IDENTITIES: Final = "vault.identities"


def end_choices(lake: Lake) -> None:
    """Write down when choices ended; a second time changes nothing."""
    subjects = {row[C.SUBJECT_ID] for row in lake.read_records(CHOICES)}
    closings = _read_closings(lake, subjects) if subjects else {}

    def choose(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        told = [{**row, C.ENDED_AT: _find_end(row, closings.get(row[C.SUBJECT_ID], []))} for row in rows]
        return [new for new, row in zip(told, rows, strict=True) if new != row]

    if subjects:
        lake.extend(CHOICES, None, choose)


def _read_closings(lake: Lake, subjects: Collection[str]) -> dict[str, list[datetime | None]]:
    """When the accounts with some addresses were closed, by pseudonym of the address; none for open ones."""
    closings: dict[str, list[datetime | None]] = {}
    columns, buckets = (C.SUBJECT_ID, C.CLOSED_AT), frozenset(map(bucket_of, subjects))
    for rows in scan_rows(lake, IDENTITIES, columns=columns, buckets=buckets):
        for row in rows.filter(find_values(rows[C.SUBJECT_ID], subjects)).to_pylist():
            closings.setdefault(row[C.SUBJECT_ID], []).append(row[C.CLOSED_AT])
    return closings


def _find_end(choice: dict[str, Any], closings: Collection[datetime | None]) -> datetime | None:
    closed = [at for at in closings if at is not None]
    return max([choice[C.ASKED_AT], *closed]) if len(closed) == len(closings) else None
