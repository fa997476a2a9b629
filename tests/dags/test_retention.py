"""``enforce_retention``: a routine plan goes by the policy, another waits for a person, and only what was planned goes."""

from datetime import UTC, datetime

import pytest

from jobs.lake import Lake
from jobs.retention import shelf
from jobs.settings import load_settings
from tests.retention.conftest import DAY, ROWS, fill

MORE = [{**ROWS["lake.parcels"][1], "parcel_id": f"more{n}"} for n in range(8)]


@pytest.fixture
def shop(lake, airflow_home, monkeypatch):
    monkeypatch.setenv("SOPHILUX_HOME", lake.home)
    assert load_settings().home == lake.home
    return lake


@pytest.fixture
def answer(monkeypatch):
    """Answers in a person's place, as the scheduler hands answers on."""
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    asked = []

    def give(option, by="Kim"):
        def execute(self, context):
            asked.append(self.body)
            return self.execute_complete(
                context,
                {
                    "chosen_options": [option],
                    "params_input": {},
                    "responded_at": datetime.now(UTC),
                    "responded_by_user": by and {"id": "1", "name": by},
                    "timedout": by is None,
                },
            )

        monkeypatch.setattr(ApprovalOperator, "execute", execute)
        return asked

    return give


def run(load_dag):
    done = load_dag("enforce_retention").test(run_conf={"day": str(DAY)})
    return done.state, {each.task_id: each.state for each in done.get_task_instances()}


def entry(lake):
    (only,) = shelf.list_entries(Lake(lake.settings, lake.engine, lake.contracts))
    return only


def test_a_routine_plan_goes_by_the_policy(shop, load_dag, answer):
    asked = answer("Reject")
    fill(shop, "lake.parcels", [*ROWS["lake.parcels"], *MORE])
    state, tasks = run(load_dag)
    assert state == "success"
    assert (tasks["retention_ages"], tasks["approve_plan"], asked) == ("success", "skipped", [])
    assert (entry(shop)["state"], entry(shop)["approved_by"], shop.count("lake.parcels")) == ("applied", "policy", 9)


def test_a_large_plan_is_approved_by_a_person_who_sees_the_figures(shop, load_dag, answer):
    asked = answer("Approve")
    fill(shop, "lake.parcels", ROWS["lake.parcels"])
    state, tasks = run(load_dag)
    assert (state, tasks["approve_by_policy"], tasks["record_rejection"]) == ("success", "skipped", "skipped")
    assert any("| lake.parcels | 1 | 50.0 % |" in body for body in asked)
    assert (entry(shop)["state"], entry(shop)["approved_by"]) == ("applied", "airflow: Kim")
    assert shop.count("lake.parcels") == 1
    (run_row,) = shop.read_records("ledger.retention_runs")
    assert (run_row["plan_hash"], run_row["approved_by"]) == (entry(shop)["plan_hash"], "airflow: Kim")


@pytest.mark.parametrize("by", ["Kim", None])
def test_a_rejected_plan_or_one_without_an_answer_deletes_nothing(shop, load_dag, answer, by):
    answer("Reject", by)
    fill(shop, "lake.parcels", ROWS["lake.parcels"])
    _, tasks = run(load_dag)
    assert (tasks["retention_ages"], tasks["record_rejection"]) == ("skipped", "success")
    assert tasks["retention_optimize"] == "success"
    assert shop.count("lake.parcels") == 2
    assert (entry(shop)["state"], entry(shop)["reason"]) == ("rejected", f"rejected by airflow: {by or 'nobody'}")


def test_what_changed_while_a_plan_waited_is_not_deleted(shop, load_dag, answer, monkeypatch):
    answer("Approve")
    fill(shop, "lake.parcels", ROWS["lake.parcels"])
    original = shelf.keep_plan

    def keep_and_change(lake, plan):
        name = original(lake, plan)
        fill(shop, "lake.parcels", [ROWS["lake.parcels"][0], *MORE, {**ROWS["lake.parcels"][0], "parcel_id": "late"}])
        return name

    monkeypatch.setattr(shelf, "keep_plan", keep_and_change)
    state, tasks = run(load_dag)
    assert (state, tasks["retention_ages"]) == ("failed", "failed")
    assert shop.count("lake.parcels") == 10
    assert "changed since plan" in entry(shop)["reason"]
