"""Airflow's database, and the DAGs as Airflow reads them."""

from copy import deepcopy

import pytest

from tests.conftest import DAGS


@pytest.fixture(scope="session")
def airflow_home(airflow_settings):
    """Airflow's home with its database."""
    from airflow.utils.db import initdb

    initdb()
    return airflow_settings


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
