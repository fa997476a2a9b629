"""A home of its own for Airflow, set before anything imports Airflow."""

from copy import deepcopy
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DAGS = PROJECT / "dags"


def airflow_environment(home: Path) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in airflow_environment(home).items():
            patch.setenv(name, value)
        from airflow.utils.db import initdb

        initdb()
        yield home


@pytest.fixture(scope="session")
def dag_bag(airflow_home):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS))


@pytest.fixture(scope="session")
def dags(dag_bag):
    assert dag_bag.import_errors == {}
    return dag_bag.dags


@pytest.fixture(scope="session")
def load_dag(airflow_home):
    """Reads a DAG anew: ``dag.test()`` leaves the run's parameters in the objects it ran on."""
    from airflow.dag_processing.dagbag import DagBag

    from jobs.orchestration import HOUSE_RULES

    params = deepcopy(HOUSE_RULES["params"])

    def load(name):
        HOUSE_RULES["params"] = deepcopy(params)
        dag = DagBag(str(DAGS / f"{name}.py")).dags[name]
        for task in dag.tasks:
            if not task.is_mapped:
                task.retries = 0
        return dag

    return load
