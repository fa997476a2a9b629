"""Retention: delete what is older than its contract allows, by a plan that somebody or something approved.

Every night: a plan of what has outlived the period in its table's contract. A plan within the guard is approved by the
policy; one that deletes a larger share of a table (`SOPHILUX_RETENTION_MAX_SHARE`) waits for a person, who sees the
figures under *Required Actions*. Then exactly that plan is applied, or refused because something changed. Last, small
files are put together and clustered by person, so that an erasure opens few.

| | |
|---|---|
| reads | every contract's retention; `ledger.holds`; all tables with a term |
| writes | any table with a term, packages, `ledger.retention_plans`, `ledger.retention_runs` |

**Run again**: clear the run, or `airflow dags trigger enforce_retention --conf '{"day": "2024-01-31"}'`; ages count up
to that day, which must not be before the last one that was applied. What is gone stays gone, a second run finds
nothing. To look only: `sophilux retention plan`.

**Backfill**: never needed; the next run catches up with everything.

**Triage**: *approve_plan* waits: compare the figures with the contracts in `schemas/`; reject what looks wrong, nothing
is deleted then. It waits for three days; until then the following nights queue. *retention_ages* failed with `changed
since plan`: the tables moved on while the plan waited; trigger the DAG again for a fresh one. It failed with `could not
be removed`: the rows are gone, mend the folder's permissions, the next run removes the files.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from jobs.orchestration import HOUSE_RULES, Approval, current_day, on_its_day, part_task, step_task

WAIT = timedelta(days=3)
PLANNED = "ti.xcom_pull(task_ids='plan_retention')"


def read_answer() -> dict[str, Any]:
    """What a person answered, and who; after three days without an answer the plan counts as rejected."""
    answer: dict[str, Any] | None = get_current_context()["ti"].xcom_pull(task_ids="approve_plan", key="answer")
    if answer is None:
        message = "Nobody was asked."
        raise AirflowSkipException(message)
    return answer


with DAG(
    "enforce_retention",
    schedule=on_its_day("0 5 * * *"),
    doc_md=__doc__,
    tags=["retention", "personal-data", "daily"],
    **{**HOUSE_RULES, "dagrun_timeout": WAIT + timedelta(hours=6)},
):

    @task
    def plan_retention() -> dict[str, Any]:
        """Write the plan down: its hash, whether it is routine, and the figures by table."""
        from jobs.lake import Lake
        from jobs.retention.ages import prepare
        from jobs.settings import load_settings

        day = current_day()
        lake = Lake.open(load_settings())
        with lake.engine:
            return prepare(lake, day)

    @task.branch
    def choose_approval(planned: dict[str, Any]) -> str:
        """The policy where the plan is routine, else a person."""
        return "approve_by_policy" if planned["is_routine"] else "approve_plan"

    @task
    def approve_by_policy() -> None:
        """Lets a routine plan go; the ledger notes the policy when it is applied."""

    @task
    def record_approval() -> None:
        """Note in the ledger who approved the plan."""
        from jobs.lake import Lake
        from jobs.retention.approvals import approve_plan
        from jobs.settings import load_settings

        name = get_current_context()["ti"].xcom_pull(task_ids="plan_retention")["plan"]
        approve_plan(Lake.open(load_settings()), name, by=f"airflow: {read_answer()['by']}")

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def record_rejection() -> None:
        """Note in the ledger who rejected the plan; skipped where nobody did."""
        from jobs.lake import Lake
        from jobs.retention.approvals import reject_plan
        from jobs.settings import load_settings

        answer = read_answer()
        if answer["is_approved"]:
            message = "The plan was approved."
            raise AirflowSkipException(message)
        name = get_current_context()["ti"].xcom_pull(task_ids="plan_retention")["plan"]
        reject_plan(Lake.open(load_settings()), name, by=f"airflow: {answer['by']}")

    approve_plan = Approval(
        task_id="approve_plan",
        subject=f"Retention as of {{{{ {PLANNED}['day'] }}}} deletes more than a routine plan may",
        body=f"{{{{ {PLANNED}['figures'] }}}}",
        defaults=Approval.REJECT,
        execution_timeout=None,
        response_timeout=WAIT,
        doc_md="Waits for a person; rejecting the plan deletes nothing.",
    )
    apply = part_task("retention.ages").override(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    retention_ages = apply(part=f"{{{{ {PLANNED}['plan'] }}}}")

    by_policy, approved = approve_by_policy(), record_approval()
    choose_approval(plan_retention()) >> [by_policy, approve_plan]
    approve_plan >> approved >> record_rejection()
    retention_optimize = step_task("retention.optimize")
    retention_optimize.operator.trigger_rule = TriggerRule.NONE_FAILED
    [by_policy, approved] >> retention_ages >> retention_optimize
