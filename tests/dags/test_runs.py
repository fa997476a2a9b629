"""Every DAG run in this process: first with a recorded runner, then for real over a small generated shop."""

from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.exports.partners import find_recipients
from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.privacy.keyring import open_keyring
from jobs.settings import load_settings
from jobs.steps import FLOWS
from tests.requests.asking import ask

DAY = date(2024, 1, 31)
STEP_FLOWS = [flow for flow in FLOWS if flow.name not in ("export_audiences", "enforce_retention")]


@pytest.fixture
def ran(monkeypatch):
    calls = []

    def record(name, days, settings):
        calls.append((name, days))
        return [StepReport(rows_in=3, rows_out=2, duplicates=1, quarantined=0)]

    monkeypatch.setattr("jobs.runner.run", record)
    return calls


@pytest.mark.parametrize("flow", STEP_FLOWS, ids=lambda flow: flow.name)
def test_runs_every_step_once_for_the_day_asked_for(flow, load_dag, ran):
    run = load_dag(flow.name).test(run_conf={"day": str(DAY)})
    assert run.state == "success"
    assert sorted(ran) == sorted((step.name, Days.single(DAY)) for step in flow.steps)


def test_a_run_for_a_date_processes_that_date(load_dag, ran):
    load_dag("pull_clickstream").test(logical_date=datetime(2024, 2, 29, tzinfo=UTC))
    assert {days for _, days in ran} == {Days.single(date(2024, 2, 29))}


def test_announces_the_day_of_every_table_written(load_dag, ran):
    run = load_dag("pull_clickstream").test(run_conf={"day": "2023-05-06"})
    tables = {table for flow in FLOWS if flow.name == "pull_clickstream" for s in flow.steps for table in s.writes}
    assert _announced(run) == {(table, "2023-05-06", "2023-05-06") for table in tables}


def test_a_run_without_a_day_fails_and_runs_nothing(load_dag, ran):
    run = load_dag("build_marts").test(logical_date=None)
    assert run.state == "failed"
    assert ran == []


def test_a_run_for_a_day_to_come_fails_and_runs_nothing(load_dag, ran):
    run = load_dag("enforce_retention").test(
        run_conf={"day": "2124-01-01"}, mark_success_pattern="plan_retention|choose_approval"
    )
    assert run.state == "failed"
    assert ran == []


def test_exports_leave_out_who_has_the_package_unless_a_person_asks(load_dag, tmp_path, monkeypatch):
    """Who was sent the day at noon may have applied it: the clicks that came later wait for the next package."""
    monkeypatch.setenv("SOPHILUX_HOME", str(tmp_path / "lake"))
    settings = load_settings()
    settings.partners.parent.mkdir(parents=True)
    settings.partners.write_text("partners:\n- {name: one, countries: [all]}\n- {name: two, countries: [all]}\n")
    exported = []

    def export(name, part, days, settings):
        exported.append((part, days))
        return StepReport(rows_out=0)

    monkeypatch.setattr("jobs.runner.run_part", export)
    monkeypatch.setattr("jobs.exports.overdue.has_package", lambda _, name, day: name == "one" and day == DAY)
    moment = datetime.combine(DAY, datetime.min.time(), UTC)
    assert load_dag("export_audiences").test(logical_date=moment).state == "success"
    assert exported == [("two", Days.single(DAY))]
    exported.clear()
    assert load_dag("export_audiences").test(run_conf={"day": str(DAY)}).state == "success"
    assert sorted(exported) == [("one", Days.single(DAY)), ("two", Days.single(DAY))]


def test_rotate_keys_destroys_what_is_past_its_last_day_and_records_it(load_dag, tmp_path, monkeypatch):
    monkeypatch.setenv("SOPHILUX_HOME", str(tmp_path / "lake"))
    settings = load_settings()
    ring = open_keyring(settings)
    ring.key("partner/adnet/2023Q4", not_after=DAY - timedelta(days=1))
    ring.key("partner/adnet/2024Q1", not_after=DAY)
    assert load_dag("rotate_keys").test(run_conf={"day": str(DAY)}).state == "success"
    assert [entry.purpose for entry in ring.entries() if entry.destroyed_at] == ["partner/adnet/2023Q4"]
    events = {(row["purpose"], row["event"]) for row in Lake.open(settings).read_records("ledger.key_events")}
    assert ("partner/adnet/2023Q4", "destroyed") in events


def test_an_alert_of_requests_that_are_due_fails_its_task_and_nothing_else(load_dag, ran, tmp_path, monkeypatch):
    monkeypatch.setenv("SOPHILUX_HOME", str(tmp_path / "lake"))
    request = ask(Lake.open(load_settings()), "access").request
    days = {"soon": request["due_on"], "later": request["received_at"].date()}
    states = {name: load_dag("serve_requests").test(run_conf={"day": str(day)}) for name, day in days.items()}
    assert {name: run.state for name, run in states.items()} == {"soon": "failed", "later": "success"}
    failed = {ti.task_id for ti in states["soon"].get_task_instances() if ti.state == "failed"}
    assert failed == {"check_deadlines"}
    assert [name for name, _ in ran] == ["requests.closed_accounts", "requests.serving"] * 2


@pytest.mark.slow
class TestOverAGeneratedShop:
    @pytest.fixture(scope="class")
    def shop(self, tmp_path_factory):
        from jobs.samples.generated import write_shop

        home = tmp_path_factory.mktemp("shop") / "lake"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOPHILUX_HOME", str(home))
            settings = load_settings()
            write_shop(settings, first_day=DAY - timedelta(days=2), days=3, customers=60, events=3_000)
            yield settings

    @pytest.fixture(scope="class")
    def states(self, load_dag, shop):
        assert not Lake.open(shop).exists("lake.clicks")
        return {flow.name: load_dag(flow.name).test(run_conf={"day": str(DAY)}).state for flow in FLOWS}

    @pytest.mark.parametrize("name", [flow.name for flow in FLOWS])
    def test_succeeds(self, name, states):
        assert states[name] == "success"

    @pytest.mark.parametrize(
        "table",
        ["lake.clicks", "lake.sessions", "lake.subjects", "lake.orders", "lake.order_lines", "lake.parcel_events",
         "vault.customers", "marts.bestsellers_exact", "marts.recently_viewed", "ledger.exports"],
    )  # fmt: skip
    def test_leaves_rows(self, table, states, shop):
        assert set(states.values()) == {"success"}
        assert Lake.open(shop).count(table) > 0

    def test_every_partner_is_a_run_of_its_own(self, states, shop):
        assert states["export_audiences"] == "success"
        steps = {row["step"] for row in Lake.open(shop).read_records("ledger.step_runs") if row["state"] == "done"}
        names = {partner.name for partner in find_recipients(shop.partners)}
        assert names
        assert {step for step in steps if step.startswith("exports.packages")} == {
            f"exports.packages/{name}" for name in names
        }


def _announced(run):
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id)).all()
        return {(event.asset.name, event.partition_key, event.extra["day"]) for event in events}
