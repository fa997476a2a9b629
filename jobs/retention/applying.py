"""Carry out exactly one plan, or refuse because something changed; and finish what an earlier run could not.

Rows are removed table by table, each in one commit that names the plan, so that a run that died goes on where it
stopped. Files are removed last; a note stays until they are.
"""

from datetime import UTC, datetime
from typing import Any, Final

from jobs.errors import CommitConflictError, PlanError, SophiluxError
from jobs.lake import Lake, pending, storage
from jobs.lake import columns as C
from jobs.lake.removing import remove_rows
from jobs.people.held_rows import Keeper
from jobs.people.holds import open_holds
from jobs.retention import cleanup, shelf
from jobs.retention.approvals import open_known, tell_refusal
from jobs.retention.checking import NOTE, check_plan, list_todo
from jobs.retention.planning import find_cuts
from jobs.retention.plans import Plan, Removal
from jobs.retention.tidying import clean_up

RUNS: Final = "ledger.retention_runs"
POLICY: Final = "policy"


def apply_plan(lake: Lake, name: str) -> Plan:
    """Carry out a plan that is routine or was approved.

    Raises:
        PlanError: something it rests on changed, or nobody approved it; nothing was deleted, and the ledger tells why.
        CommitConflictError: another run changed a table at the same moment; what the plan did before stays done.
        SophiluxError: the rows are gone, but files they lay in could not be removed; the next run finishes that.
    """
    try:
        plan = open_known(lake, name)
        entry = shelf.find_entry(lake, name) or {}
        check_plan(lake, plan, entry)
        todo = list_todo(lake, plan, name, has_begun=entry[C.STATE] in (shelf.APPLYING, shelf.REFUSED))
    except PlanError as error:
        tell_refusal(lake, name, error)
        raise
    by = str(entry[C.APPROVED_BY] or POLICY)
    _begin(lake, plan, name, by)
    try:
        for removal in todo:
            _remove(lake, plan, removal, name, by)
    except CommitConflictError as error:
        shelf.record_refusal(lake, name, str(error))
        raise
    _finish(lake, plan, name)
    return plan


def _begin(lake: Lake, plan: Plan, name: str, by: str) -> None:
    facts: dict[str, Any] = {C.STATE: shelf.APPLYING, C.REASON: None, C.APPROVED_BY: by}
    entry = shelf.find_entry(lake, name) or {}
    facts[C.APPROVED_AT] = entry.get(C.APPROVED_AT) or datetime.now(UTC)
    shelf.update_entry(lake, plan.day, name, **facts)


def _remove(lake: Lake, plan: Plan, removal: Removal, name: str, by: str) -> None:
    pending.mark_pending(lake.home, removal.table)
    if removal.folders:
        cleanup.remove_packages([storage.join(lake.home, folder) for folder in removal.folders])
    else:
        _remove_rows(lake, plan, removal, name)
    lake.record(RUNS, [_run_row(plan, removal, name, by)])


def _remove_rows(lake: Lake, plan: Plan, removal: Removal, name: str) -> None:
    contract = lake.contracts[removal.table]
    if contract.retention is None:
        return
    cuts = find_cuts(lake, contract, contract.retention, plan.day)
    held = Keeper(lake, open_holds(lake)).find_held(removal.table) if removal.cut_files else None
    done = remove_rows(
        lake,
        removal.table,
        whole=removal.whole_files,
        parts=removal.cut_files,
        columns=cuts.columns(held),
        find=lambda rows: cuts.find(rows, held),
        notes={NOTE: name},
    )
    if done.rows != removal.rows:
        message = f"{removal.table}: {removal.rows:,} rows were to go and {done.rows:,} went; report this."
        raise SophiluxError(message)


def _finish(lake: Lake, plan: Plan, name: str) -> None:
    now = datetime.now(UTC)
    try:
        clean_up(lake)
    except SophiluxError as error:
        facts = {C.STATE: shelf.CLEANING, C.FINISHED_AT: now, C.REASON: str(error)}
        shelf.update_entry(lake, plan.day, name, **facts)
        raise
    shelf.update_entry(lake, plan.day, name, **{C.STATE: shelf.APPLIED, C.FINISHED_AT: now})
    shelf.update_all(lake, lambda entry: entry[C.STATE] == shelf.CLEANING, **{C.STATE: shelf.APPLIED, C.REASON: None})


def _run_row(plan: Plan, removal: Removal, name: str, by: str) -> dict[str, Any]:
    return {
        C.DAY: plan.day,
        C.RUN_ID: name[:16],
        C.TABLE_NAME: removal.table,
        C.PLAN_HASH: name,
        C.APPROVED_BY: by,
        C.RULE: removal.rule.describe(),
        C.PARTITIONS: len(removal.partitions) + len(removal.folders),
        C.ROWS: removal.rows,
        C.BYTES: removal.bytes,
        C.HELD_ROWS: removal.held,
        C.APPLIED_AT: datetime.now(UTC),
    }
