"""The journal of runs in ``ledger.erasure_runs``: what a run that died needs to go on, and nothing that names anybody.

Whom a run erases is sealed with AES-256-GCM (NIST SP 800-38D) under a key derived from the tombstones' one, and is
removed from the ledger and its history when the run is done. Of whom a hold keeps something, that stays sealed until a
later run erases the rest: what tied their phones and further addresses to them is gone by then.
"""

import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jobs.erasure.keys import derive_key
from jobs.erasure.outcomes import ErasureRequest
from jobs.errors import KeyRingError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.reports import STEP_RUNS
from jobs.lake.scanning import scan_rows
from jobs.people.person import Person, unite

LEDGER: Final = "ledger.erasure_runs"
FOUND: Final = "people found"
BURIED: Final = "tombstones written"
SWEPT: Final = "tables swept"
WITHDRAWN: Final = "packages withdrawn"
TIDIED: Final = "traces removed"
FORGOTTEN: Final = "old versions forgotten"
VERIFIED: Final = "verified"
CERTIFIED: Final = "certified"
DONE: Final = "done"
PHASES: Final = (FOUND, BURIED, SWEPT, WITHDRAWN, TIDIED, FORGOTTEN, VERIFIED, CERTIFIED, DONE)
NONCE_BYTES: Final = 12
LABEL: Final = "erasure journal"


@dataclass(frozen=True)
class Run:
    """One run; printing it shows nobody.

    Attributes:
        state: of :data:`PHASES`, the last one that is done.
        people: whom it erases; once it is done, those of whom a hold keeps something.
        requests: what it was asked for.
        results: what was done so far, in counts; goes into the certificate.
    """

    run_id: str
    state: str
    started_at: datetime
    people: tuple[Person, ...] = field(repr=False)
    requests: tuple[ErasureRequest, ...] = field(repr=False)
    results: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def has_reached(self, phase: str) -> bool:
        """True when a phase is done."""
        return PHASES.index(self.state) >= PHASES.index(phase)


def begin(lake: Lake, people: Sequence[Person], served: Sequence[ErasureRequest], **results: object) -> Run:
    """Write down a new run; from now on it will be finished."""
    run = Run(secrets.token_hex(8), FOUND, read_clock(lake), tuple(people), tuple(served), results)
    _record(lake, run)
    return run


def advance(lake: Lake, run: Run, phase: str, **results: object) -> Run:
    """Write down that a phase is done, and what it did."""
    further = replace(run, state=phase, results={**run.results, **results})
    if phase == DONE:
        further = replace(further, requests=())
    _record(lake, further)
    return further


def find_unfinished(lake: Lake) -> list[Run]:
    """Runs that died, the oldest first.

    Raises:
        KeyRingError: the ring has another key than the run was sealed with.
    """
    rows = [row for row in lake.read_records(LEDGER) if row[C.STATE] != DONE]
    return [_read(lake, row) for row in sorted(rows, key=lambda row: row[C.STARTED_AT])]


def list_held(lake: Lake) -> list[Person]:
    """Everything that people were called whom a run has erased but for what holds keep."""
    return [person for run in _read_done(lake) for person in run.people]


def drop_held(lake: Lake, people: Sequence[Person]) -> None:
    """Forget what earlier runs remember of some people."""
    subjects = unite(people, "subject_ids")
    for run in _read_done(lake):
        others = tuple(person for person in run.people if not person.subject_ids & subjects)
        if others != run.people:
            _record(lake, replace(run, people=others))


def _read_done(lake: Lake) -> list[Run]:
    rows = lake.read_records(LEDGER)
    return [_read(lake, row) for row in rows if row[C.STATE] == DONE and row[C.SEALED] is not None]


def read_clock(lake: Lake) -> datetime:
    """The present time, but never before what the ledgers know: a clock that was set back does not move it.

    Whoever was erased before their own account was opened would be welcome again with it.
    """
    import pyarrow.compute as pc

    known = [row[C.CHANGED_AT] for row in lake.read_records(LEDGER)]
    known += [
        finished
        for rows in scan_rows(lake, STEP_RUNS, columns=[C.FINISHED_AT])
        for finished in [pc.max(rows[C.FINISHED_AT]).as_py()]
        if finished is not None
    ]
    return max(datetime.now(UTC), *(at + timedelta(microseconds=1) for at in known)) if known else datetime.now(UTC)


def _record(lake: Lake, run: Run) -> None:
    now, is_done = read_clock(lake), run.state == DONE
    known = [row for row in lake.read_records(LEDGER) if row[C.RUN_ID] == run.run_id]
    ids = ",".join(request.request_id for request in run.requests) if not is_done else known[0][C.REQUEST_IDS]
    row = {
        C.DAY: run.started_at.date(),
        C.RUN_ID: run.run_id,
        C.STATE: run.state,
        C.REQUEST_IDS: ids,
        C.PEOPLE: known[0][C.PEOPLE] if known else len(run.people),
        C.SEALED: _seal(lake, run) if run.people or not is_done else None,
        C.RESULTS: json.dumps(run.results),
        C.STARTED_AT: run.started_at,
        C.CHANGED_AT: now,
        C.FINISHED_AT: now if is_done else None,
    }
    lake.record(LEDGER, [row])


def _seal(lake: Lake, run: Run) -> str:
    requests = [[each.request_id, sorted(each.subject_ids), sorted(each.addresses)] for each in run.requests]
    content = json.dumps({"people": [person.to_json() for person in run.people], "requests": requests})
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(derive_key(lake, LABEL)).encrypt(nonce, content.encode(), run.run_id.encode())
    return b64encode(nonce + sealed).decode()


def _read(lake: Lake, row: Mapping[str, Any]) -> Run:
    content = _unseal(lake, row)
    requests = tuple(
        ErasureRequest(request_id, frozenset(subjects), frozenset(addresses))
        for request_id, subjects, addresses in content["requests"]
    )
    people = tuple(Person.from_json(text) for text in content["people"])
    return Run(row[C.RUN_ID], row[C.STATE], row[C.STARTED_AT], people, requests, json.loads(row[C.RESULTS]))


def _unseal(lake: Lake, row: Mapping[str, Any]) -> dict[str, Any]:
    sealed = b64decode(row[C.SEALED])
    try:
        opened = AESGCM(derive_key(lake, LABEL)).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row[C.RUN_ID].encode()
        )
    except InvalidTag:
        opened = None
    if opened is None:
        message = (
            f"The run of erasure {row[C.RUN_ID]} is not finished, and the ring has another key for tombstones than it "
            "was sealed with; restore the ring from its backup."
        )
        raise KeyRingError(message)
    content: dict[str, Any] = json.loads(opened)
    return content
