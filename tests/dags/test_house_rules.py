import ast
import json
import subprocess
import sys
from collections import defaultdict

import pytest

from jobs.steps import FLOWS, STEPS
from tests.conftest import DAGS, PROJECT, airflow_environment

FLOW_NAMES = [flow.name for flow in FLOWS]
ENGINES = ("pyspark", "pysail", "deltalake", "great_expectations")
MERGED_BY_TWO = {
    "ledger.exports",
    "ledger.audience_changes",
    "vault.addresses",
    "vault.linked_purchases",
    "ledger.requests",
    "ledger.request_events",
    "ledger.privacy_charges",
}
FURTHER_TASKS = {"list_partners", "tell_failures", "check_deadlines", "plan_retention", "choose_approval", "approve_by_policy",
                 "approve_plan", "record_approval", "record_rejection"}  # fmt: skip
AWAITED_BY_NOBODY = {"serve_requests"}
"""People may ask at any hour: what reads the ledger of requests takes it as it is."""


@pytest.fixture(params=FLOW_NAMES)
def dag(request, dags):
    return dags[request.param]


def test_every_file_loads(dag_bag):
    assert dag_bag.import_errors == {}


def test_there_is_one_dag_per_flow_and_file(dags):
    files = {path.stem for path in DAGS.glob("*.py")} - {"__init__"}
    assert set(dags) == set(FLOW_NAMES) == files


def test_reading_the_files_loads_no_engine(tmp_path):
    files = [str(DAGS / f"{name}.py") for name in FLOW_NAMES]
    code = (
        f"import runpy, sys; [runpy.run_path(file) for file in {files}]; "
        f"sys.exit(' '.join(m for m in {ENGINES} if m in sys.modules) or 0)"
    )
    environment = {**airflow_environment(tmp_path), "PATH": "", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_survives_serialisation(dag):
    from airflow.serialization.serialized_objects import DagSerialization

    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    again = DagSerialization.from_dict(stored)
    assert again.timetable.serialize() == stored["dag"]["timetable"]["__var"]
    assert again.task_dict.keys() == dag.task_dict.keys()
    assert all(task.has_retry_policy for task in again.tasks)


def test_explains_itself(dag):
    for topic in ("writes", "Run again", "Backfill", "Triage"):
        assert topic in dag.doc_md
    for table in {table for step in _steps(dag) for table in step.writes}:
        whole_zone = f"`{table.partition('.')[0]}.*`"
        assert f"`{table}`" in dag.doc_md or whole_zone in dag.doc_md, f"{dag.dag_id} does not name {table}"
    assert all(task.doc_md or task.is_mapped for task in dag.tasks)


def test_has_owner_and_tags(dag):
    assert dag.owner == "data-engineering"
    assert len(dag.tags) >= 2


def test_is_bounded_in_time_and_number(dag):
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.dagrun_timeout is not None
    assert all(task.execution_timeout or task.task_type == "Approval" for task in dag.tasks)
    assert all(task.response_timeout for task in dag.tasks if task.task_type == "Approval")


def test_retries_with_growing_pauses(dag):
    for task in dag.tasks:
        assert 1 <= task.retries <= 2
        assert task.retry_exponential_backoff
        assert task.max_retry_delay is not None
        assert task.has_retry_policy


def test_has_a_task_per_step(dag):
    flow = next(flow for flow in FLOWS if flow.name == dag.dag_id)
    assert {step.name.replace(".", "_") for step in flow.steps} == set(dag.task_ids) - FURTHER_TASKS


@pytest.mark.parametrize("name", FLOW_NAMES)
def test_a_variable_is_named_like_its_task(name):
    for node in ast.walk(ast.parse((DAGS / f"{name}.py").read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            call = node.value
            if isinstance(call.func, ast.Name) and call.func.id == "step_task":
                assert node.targets[0].id == ast.literal_eval(call.args[0]).replace(".", "_")


def test_a_step_runs_after_those_whose_tables_it_reads(dag):
    steps = _steps(dag)
    for later in steps:
        for earlier in steps:
            read = set(earlier.writes) & set(later.reads)
            if earlier is not later and read:
                upstream = dag.get_task(_task_id(later)).get_flat_relative_ids(upstream=True)
                downstream = dag.get_task(_task_id(later)).get_flat_relative_ids(upstream=False)
                ordered = upstream | downstream if read <= set(later.writes) else upstream
                assert _task_id(earlier) in ordered, f"{later.name} reads what {earlier.name} writes"


def test_a_table_has_one_writer(dags):
    writers = defaultdict(list)
    for dag in dags.values():
        for task in dag.tasks:
            for outlet in task.outlets:
                writers[outlet.name].append(task)
    assert {table for table, tasks in writers.items() if len(tasks) > 1} <= MERGED_BY_TWO
    assert all(task.max_active_tis_per_dag == 1 for tasks in writers.values() for task in tasks)


def test_an_asset_triggered_dag_waits_for_what_its_steps_read_from_other_flows(dags):
    flows = [flow for flow in FLOWS if flow.name not in AWAITED_BY_NOBODY]
    written = {table for flow in flows for step in flow.steps for table in step.writes}
    for name in ("build_marts", "export_audiences"):
        flow = next(flow for flow in FLOWS if flow.name == name)
        own = {table for step in flow.steps for table in step.writes}
        read = {table for step in flow.steps for table in step.reads}
        awaited = {asset.name for asset in dags[name].timetable.asset_condition.objects}
        assert awaited == (read - own) & written


def _steps(dag):
    return [step for step in STEPS.values() if _task_id(step) in dag.task_ids]


def _task_id(step):
    return step.name.replace(".", "_")
