"""Retention: delete what is older than its contract allows.

Every Sunday: a plan of what has outlived the period in its table's contract, then its deletion, recorded in a ledger.

| | |
|---|---|
| reads | every contract's retention; all tables with one |
| writes | any table with a retention period, `ledger.retention_runs` |

**Run again**: clear the run, or `airflow dags trigger enforce_retention --conf '{"day": "2024-01-31"}'`; ages count up
to that day. What is gone stays gone, a second run finds nothing. To look only: `sophilux retention --dry-run`.

**Backfill**: never needed; the next run catches up with everything.

**Triage**: *plan_retention* shows in its result, per table, what would go. When that is surprisingly much, stop here:
pause the DAG before *retention_ages* and compare with the contracts in `schemas/`.
"""

from typing import Any

from airflow.sdk import DAG, task

from jobs.orchestration import HOUSE_RULES, current_day, on_its_day, step_task

with DAG(
    "enforce_retention",
    schedule=on_its_day("0 5 * * 0"),
    doc_md=__doc__,
    tags=["retention", "personal-data", "weekly"],
    **HOUSE_RULES,
):

    @task
    def plan_retention() -> list[dict[str, Any]]:
        """What would be deleted by table, without deleting."""
        from jobs.lake import Lake
        from jobs.retention import ages
        from jobs.settings import load_settings

        lake = Lake.open(load_settings())
        with lake.engine:
            removals = ages.plan(lake, current_day())
        return [{"table": r.table, "rule": r.rule, "rows": r.rows, "bytes": r.bytes} for r in removals]

    retention_ages = step_task("retention.ages")

    # A person's approval belongs between the plan and its deletion: plan >> approve >> apply.
    plan_retention() >> retention_ages
