"""Runs of erasure: a batch of requests, from identities to the certificate, each phase written down when it is done."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from jobs.erasure import certificates, checking, journal, packages, planning, tables, traces
from jobs.erasure.held_files import list_held_files
from jobs.erasure.journal import Run
from jobs.erasure.keys import derive_key
from jobs.erasure.needles import list_identifiers
from jobs.erasure.outcomes import ERASED, HELD, PARTLY, UNKNOWN, Erasure, ErasureRequest, Outcome
from jobs.erasure.sealed import seal_forms
from jobs.erasure.verifying import LABEL
from jobs.errors import SophiluxError
from jobs.lake import Lake, storage
from jobs.lake.history import forget_versions
from jobs.people.burying import bury
from jobs.people.held_rows import Keeper
from jobs.people.holds import open_holds
from jobs.people.person import Person
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import open_signer

LOCK: Final = "erasure"
ROUNDS: Final = 3
PAUSE_SECONDS: Final = 1.0
"""Before another round, for what a run beside this one is about to commit or to give up."""
INSIDE: Final = frozenset({"spared", "held_people", "left"})
"""Results that only the run itself needs; all others stand in the certificate."""
Progress = Callable[[str], None]


def erase(lake: Lake, requests: Sequence[ErasureRequest], *, progress: Progress = lambda _: None) -> Erasure:
    """Erase the people behind a batch of requests, and show that nothing of them is left.

    A run that died is finished first. Asking again for somebody who was erased finds nothing, cleans up and verifies
    all the same. Running beside other steps is safe: what they computed from these people is not committed, and they
    run again.

    Args:
        lake: the lake.
        requests: people are found with all of their accounts and addresses; two requests of one person are served
            together.
        progress: is told what is being done.

    Returns:
        One outcome per request, and the certificates, which are kept in the ledger. Nothing is recorded in the ledger
        of requests; that is the caller's.

    Raises:
        SophiluxError: something of them is left (the message says where, never what), or could not be removed; running
            it again finishes.
        UsageError: no person can be found with certainty, such as a circle of too many accounts; nothing was changed.
    """
    with storage.table_lock(lake.home, LOCK, exclusive=True):
        documents = _finish_all(lake, progress)
        answered = {outcome.request_id: outcome for document in documents for outcome in _read_outcomes(document)}
        todo = [request for request in requests if request.request_id not in answered]
        if todo:
            fresh, document = _serve(lake, todo, progress)
            answered |= {outcome.request_id: outcome for outcome in fresh}
            documents += [document] if document else []
        return Erasure(tuple(answered[request.request_id] for request in requests), tuple(documents))


def finish_runs(lake: Lake, *, progress: Progress = lambda _: None) -> list[Outcome]:
    """Finish runs that died; returns what became of their requests.

    Raises:
        SophiluxError: as :func:`erase`.
    """
    with storage.table_lock(lake.home, LOCK, exclusive=True):
        documents = _finish_all(lake, progress)
    return [outcome for document in documents for outcome in _read_outcomes(document)]


def _serve(
    lake: Lake, requests: Sequence[ErasureRequest], progress: Progress
) -> tuple[list[Outcome], certificates.Document | None]:
    progress("finding people")
    keeper = Keeper(lake, open_holds(lake))
    judged = planning.judge_people(lake, requests, keeper)
    matched = planning.match_requests(requests, [each.person for each in judged])
    outcomes = [_answer(request, [judged[place] for place in places]) for request, places in matched]
    going = [each for each in judged if each.state != HELD]
    if not going:
        return outcomes, None
    people = [each.person for each in going]
    answered = [{"request_id": o.request_id, "state": o.state, "reason": o.reason} for o in outcomes if o.state != HELD]
    spared = [outcome.request_id for outcome in outcomes if outcome.state in (HELD, PARTLY)]
    served = [request for request, outcome in zip(requests, outcomes, strict=True) if outcome.state != HELD]
    held_people = [place for place, each in enumerate(going) if each.state == PARTLY]
    run = journal.begin(lake, people, served, requests=answered, spared=spared, held_people=held_people)
    document = _finish(lake, run, progress)
    return [replace(o, run_id=None if o.state == HELD else run.run_id) for o in outcomes], document


def _answer(request: ErasureRequest, judged: Sequence[planning.Judged]) -> Outcome:
    """The outcome of a request, which may be about several people."""
    states = {each.state for each in judged}
    reasons = dict.fromkeys(each.reason for each in judged if each.reason)
    one_of_all = next(iter(states)) if len(states) == 1 else PARTLY if states & {PARTLY, HELD} else ERASED
    return Outcome(request.request_id, one_of_all if states else UNKNOWN, "; ".join(reasons) or None)


def _read_outcomes(document: certificates.Document) -> list[Outcome]:
    return [Outcome(run_id=document["run_id"], **answer) for answer in document["requests"]]


def _finish_all(lake: Lake, progress: Progress) -> list[certificates.Document]:
    if not lake.exists(journal.LEDGER):
        return []
    documents = [_finish(lake, run, progress) for run in journal.find_unfinished(lake)]
    # A run that died right after its last word may have left what it was sealed in.
    forget_versions(lake, journal.LEDGER)
    return documents


def _finish(lake: Lake, run: Run, progress: Progress) -> certificates.Document:
    """Do the phases that are not done yet."""
    work = _Work(lake, run, Keeper(lake, open_holds(lake)), progress)
    if not run.has_reached(journal.BURIED):
        work.bury()
    if not run.has_reached(journal.VERIFIED):
        work.remove()
    if not run.has_reached(journal.CERTIFIED):
        work.certify()
    document = certificates.find(lake, run.run_id)
    work.close()
    return document


@dataclass
class _Work:
    """A run at work; every method may be called again after a crash."""

    lake: Lake
    run: Run
    keeper: Keeper
    progress: Progress

    @property
    def people(self) -> tuple[Person, ...]:
        return self.run.people

    def bury(self) -> None:
        """Keep the people away from now on."""
        self.progress("writing tombstones")
        bury(self.lake, self.people, at=self.run.started_at)
        self._advance(journal.BURIED)

    def remove(self) -> None:
        """Remove them everywhere and look; what came in meanwhile is removed in a further round.

        Raises:
            SophiluxError: something is left after all rounds.
        """
        for number in range(ROUNDS):
            for phase, work in (
                (journal.SWEPT, self._sweep),
                (journal.WITHDRAWN, self._withdraw),
                (journal.TIDIED, self._tidy),
                (journal.FORGOTTEN, self._forget),
            ):
                if number or not self.run.has_reached(phase):
                    self._advance(phase, **work())
            checked = self._check()
            if checked.is_clean:
                self._advance(journal.VERIFIED, verification=_describe_check(checked))
                return
            self._advance(journal.FORGOTTEN, left=len(checked.findings))
            if number + 1 < ROUNDS:
                time.sleep(PAUSE_SECONDS)
        message = (
            f"The run of erasure {self.run.run_id} is not finished: {len(checked.findings):,} places still hold "
            f"somebody who is to be erased ({checking.describe_findings(checked.findings)}). Remove files that are no "
            "part of the lake by hand, and run it again."
        )
        raise SophiluxError(message)

    def certify(self) -> None:
        """Write, sign and keep the certificate."""
        self.progress("certifying")
        key = derive_key(self.lake, f"{LABEL} {self.run.run_id}")
        results = {name: value for name, value in self.run.results.items() if name not in INSIDE}
        at = journal.read_clock(self.lake)
        document = {
            "format_version": certificates.FORMAT_VERSION,
            "run_id": self.run.run_id,
            "people": len(self.people),
            "started_at": self.run.started_at.isoformat(),
            "finished_at": at.isoformat(),
            **results,
            "held": self._list_held(),
            "partners": packages.count_pending(self.lake, self.people),
            "identifiers": seal_forms(list_identifiers(self.lake, self.people).list_forms(), key),
        }
        signed = certificates.sign(document, open_signer(open_keyring(self.lake.settings)))
        certificates.keep(self.lake, signed, day=self.run.started_at.date(), at=at)
        self._advance(journal.CERTIFIED)

    def close(self) -> None:
        """Forget who it was about, but for those of whom a hold keeps something."""
        journal.drop_held(self.lake, self.people)
        self.run = replace(self.run, people=planning.list_spared(self.run))
        self._advance(journal.DONE)
        forget_versions(self.lake, journal.LEDGER)

    def _advance(self, phase: str, **results: Any) -> None:  # noqa: ANN401
        self.run = journal.advance(self.lake, self.run, phase, **results)

    def _sweep(self) -> dict[str, Any]:
        self.progress("removing from tables")
        swept = tables.sweep(self.lake, self.run, self.people, self.keeper, self.run.results.get("spared", ()))
        return {"tables": [each.describe() for each in swept]}

    def _withdraw(self) -> dict[str, Any]:
        self.progress("withdrawing packages")
        known = self.run.results.get("packages", [])
        fresh = packages.withdraw(self.lake, self.people, self.keeper, at=journal.read_clock(self.lake))
        told = [{"package": each.package, "reason": each.reason, "held": each.is_held} for each in fresh]
        return {"packages": [*(each for each in known if not each["held"]), *told]}

    def _tidy(self) -> dict[str, Any]:
        self.progress("removing traces")
        return {"traces": _add(self.run.results.get("traces", {}), traces.remove_traces(self.lake, self.people))}

    def _forget(self) -> dict[str, Any]:
        """Every table that bears subjects, because older runs of anything may have left them in old versions."""
        known = {each["table"]: each for each in self.run.results.get("forgotten", ())}
        for contract in tables.list_tables(self.lake):
            if contract.name == journal.LEDGER:
                continue
            self.progress(f"forgetting old versions of {contract.name}")
            done = forget_versions(self.lake, contract.name)
            if done is not None:
                before = known.get(done.table, {"files": 0, "log_files": 0})
                counts = {name: before[name] + getattr(done, name) for name in ("files", "log_files")}
                known[done.table] = {"table": done.table, "version": done.version, **counts}
        return {"forgotten": list(known.values())}

    def _check(self) -> checking.Checked:
        self.progress("searching every byte")
        needles = list_identifiers(self.lake, self.people).build()
        spared = self.run.results.get("spared", ())
        held = list_held_files(self.lake, self.keeper, self._list_held(), spared)
        checked = checking.search(self.lake, needles, checking.expect(self.lake, held), progress=self.progress)
        rows, _ = tables.count_left(self.lake, self.people, self.keeper, spared)
        facts = {**checked.facts, "rows": rows}
        return replace(checked, facts=facts, findings=(*checked.findings, *checking.tell_rows(rows)))

    def _list_held(self) -> list[str]:
        """Tables and folders of packages of which holds keep something."""
        held = [each["table"] for each in self.run.results["tables"] if each["held"]]
        held += [f"exports/{each['package']}" for each in self.run.results["packages"] if each["held"]]
        return held + [table for table in tables.REQUESTS if self.run.results.get("spared")]


def _describe_check(checked: checking.Checked) -> dict[str, Any]:
    return {**checked.facts, "pending_places": checked.pending, "held_places": checked.held}


def _add(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + count for name, count in other.items()}
