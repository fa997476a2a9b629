"""Where plans are kept: the plan as a file below the home, and what became of it in ``ledger.retention_plans``."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from pyarrow import fs

from jobs.errors import PlanError, UsageError
from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.retention.plans import Plan, name_content, read_plan, write_plan

LEDGER: Final = "ledger.retention_plans"
FOLDER: Final = ".retention/plans"
SUFFIX: Final = ".json"
NAME: Final = re.compile("[0-9a-f]{8,64}")
DIGITS: Final = 64
PLANNED, APPROVED, REJECTED, APPLYING, CLEANING, APPLIED, REFUSED = STATES = (
    "planned",
    "approved",
    "rejected",
    "applying",
    "cleaning",
    "applied",
    "refused",
)

Entry = dict[str, Any]


def keep_plan(lake: Lake, plan: Plan) -> str:
    """Write a plan down and register it; returns its name."""
    content = write_plan(plan)
    name = name_content(content)
    system, folder = storage.filesystem(storage.join(lake.home, FOLDER))
    system.create_dir(folder, recursive=True)
    with system.open_output_stream(f"{folder}/{name}{SUFFIX}") as stream:
        stream.write(content)
    lake.record(LEDGER, [_enter(plan, name)])
    return name


def list_entries(lake: Lake) -> list[Entry]:
    """What the ledger says of all plans, oldest first."""
    return sorted(lake.read_records(LEDGER), key=lambda row: (row[C.CREATED_AT], row[C.PLAN_HASH]))


def find_name(lake: Lake, given: str) -> str:
    """The full name of a plan.

    Args:
        lake: the lake.
        given: its hash, or the first eight digits of it or more.

    Raises:
        UsageError: it is too short or no hash, there is no such plan, or several begin so.
    """
    if not NAME.fullmatch(given):
        message = f"A plan is named by its hash or its first 8 hex digits or more, got {given!r}."
        raise UsageError(message)
    known: set[str] = {*_list_files(lake), *(entry[C.PLAN_HASH] for entry in lake.read_records(LEDGER))}
    found = sorted(name for name in known if name.startswith(given))
    if len(found) == 1:
        return found[0]
    problem = "There is no plan" if not found else f"{len(found)} plans begin with"
    message = f"{problem} {given}; 'sophilux retention list' shows them."
    raise UsageError(message)


def find_entry(lake: Lake, name: str) -> Entry | None:
    """What the ledger says of one plan; none where it does not know it."""
    return next((entry for entry in lake.read_records(LEDGER) if entry[C.PLAN_HASH] == name), None)


def open_plan(lake: Lake, name: str) -> Plan:
    """The plan of that name, exactly as it was made here.

    Raises:
        PlanError: its file is gone, was edited, or is no plan.
    """
    system, path = storage.filesystem(storage.join(lake.home, FOLDER, name + SUFFIX))
    try:
        with system.open_input_stream(path) as stream:
            content: bytes = stream.read()
    except FileNotFoundError:
        message = f"The file of plan {name[:8]} is gone; make a new plan with 'sophilux retention plan'."
        raise PlanError(message) from None
    if name_content(content) != name:
        message = f"Plan {name[:8]} is not what its name says: it was edited or damaged. Make a new one."
        raise PlanError(message)
    return read_plan(content)


def update_entry(lake: Lake, plan_day: date, name: str, **facts: Any) -> None:  # noqa: ANN401
    """Change what the ledger says of a plan that it knows."""

    def change(rows: list[Entry]) -> list[Entry]:
        return [{**row, **facts} for row in rows if row[C.PLAN_HASH] == name]

    lake.extend(LEDGER, [str(plan_day)], change)


def update_all(lake: Lake, is_meant: Callable[[Entry], bool], **facts: Any) -> None:  # noqa: ANN401
    """Change what the ledger says of every plan that is meant."""
    for entry in lake.read_records(LEDGER):
        if is_meant(entry):
            update_entry(lake, entry[C.DAY], entry[C.PLAN_HASH], **facts)


def record_refusal(lake: Lake, name: str, reason: str) -> None:
    """Write down that a plan was refused and why; a plan that the ledger does not know gets an entry without counts."""
    now = datetime.now(UTC)
    entry = find_entry(lake, name)
    if entry is None:
        nothing = {C.ROWS: 0, C.BYTES: 0, C.HELD_ROWS: 0, C.LARGEST_SHARE: 0.0}
        entry = {C.DAY: now.date(), C.PLAN_HASH: name, C.CREATED_AT: now, **nothing}
        entry |= {C.APPROVED_BY: None, C.APPROVED_AT: None}
    lake.record(LEDGER, [{**entry, C.STATE: REFUSED, C.FINISHED_AT: now, C.REASON: reason}])


def remove_old_files(lake: Lake, before: datetime) -> None:
    """Remove files of plans older than a moment; the ledger keeps what became of them."""
    system, folder = storage.filesystem(storage.join(lake.home, FOLDER))
    for info in system.get_file_info(fs.FileSelector(folder, allow_not_found=True)):
        if info.mtime is not None and info.mtime < before:
            system.delete_file(info.path)


def _list_files(lake: Lake) -> list[str]:
    system, folder = storage.filesystem(storage.join(lake.home, FOLDER))
    found = system.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return [
        info.base_name.removesuffix(SUFFIX) for info in found if NAME.fullmatch(info.base_name.removesuffix(SUFFIX))
    ]


def _enter(plan: Plan, name: str) -> Entry:
    return {
        C.DAY: plan.day,
        C.PLAN_HASH: name,
        C.STATE: PLANNED,
        C.ROWS: plan.rows,
        C.BYTES: plan.bytes,
        C.HELD_ROWS: plan.held,
        C.LARGEST_SHARE: max((removal.share for removal in plan.removals), default=0.0),
        C.CREATED_AT: plan.made_at,
        C.APPROVED_BY: None,
        C.APPROVED_AT: None,
        C.FINISHED_AT: None,
        C.REASON: None,
    }
