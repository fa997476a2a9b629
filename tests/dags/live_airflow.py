"""A real Airflow for one test: scheduler, processor, triggerer and API server, ended without leaving children."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import psutil

PROGRAMS = Path(sys.executable).parent


class LiveAirflow:
    def __init__(self, environment: dict[str, str], log: Path) -> None:
        api, worker_logs, trigger_logs = free_ports(3)
        self.url = f"http://localhost:{api}"
        self.log = log
        self._environment = {
            **environment,
            "PATH": f"{PROGRAMS}{os.pathsep}{environment['PATH']}",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            # Else every DAG with a clock runs yesterday at once, and the tested ones wait behind them.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            # DAGs do not change while a test runs; parsed anew every half minute they keep a core busy.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            # A call that is given up while the server still works at it is repeated, refused, and costs the task a retry.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        }
        self._token = ""

    def __enter__(self) -> "LiveAirflow":
        command = [str(PROGRAMS / "airflow"), "standalone"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(psutil.NoSuchProcess):
            family = [*psutil.Process(self._process.pid).children(recursive=True), psutil.Process(self._process.pid)]
            self._process.send_signal(signal.SIGINT)
            _, alive = psutil.wait_procs(family, timeout=30)
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(alive, timeout=5)
        self._process.wait(timeout=5)

    def get(self, path: str) -> dict:
        return self._call(path)

    def trigger(self, dag_id: str, day: date) -> str:
        body = {"logical_date": None, "partition_key": str(day)}
        return self._call(f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]

    def approve(self, dag_id: str, run_id: str, task_id: str, seconds: float) -> str:
        """Say yes for a person, once the task asks; returns what the person is shown."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/-1/hitlDetails"
        shown: list[str] = []

        def asked() -> bool:
            with suppress(HTTPError):
                shown[:] = [self.get(path)["body"]]
            return bool(shown)

        self._wait(asked, seconds, f"{task_id} to ask")
        self._call(path, {"chosen_options": ["Approve"], "params_input": {}}, "PATCH")
        return shown[0]

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float) -> None:
        states: list[str] = []

        def ended() -> bool:
            states[:] = [self.get(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}")["state"]]
            return states[0] in ("success", "failed")

        self._wait(ended, seconds, f"{dag_id} {run_id}")
        assert states[0] == "success", f"{dag_id} {states[0]}:\n{self.tail()}"

    def wait_for_dags(self, dag_ids: set[str], seconds: float) -> None:
        def found() -> bool:
            return dag_ids <= {dag["dag_id"] for dag in self.get("/api/v2/dags")["dags"]}

        self._wait(found, seconds, "the DAGs to show")

    def unpause(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            self._call(f"/api/v2/dags/{dag_id}", {"is_paused": False}, "PATCH")

    def wait_for_success(self, dag_id: str, day: date, seconds: float) -> dict:
        """The first run of that day to end, once it succeeded; a failed one ends the wait at once."""
        runs: list[dict] = []

        def ended() -> bool:
            found = self.get(f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
            of_day = [run for run in found if run["partition_key"] == str(day)]
            runs[:] = [run for run in of_day if run["state"] in ("success", "failed")]
            return bool(runs)

        self._wait(ended, seconds, f"{dag_id} of {day}")
        assert runs[0]["state"] == "success", f"{dag_id} {runs[0]['state']}:\n{self.tail()}"
        return runs[0]

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])

    def _wait(self, is_done, seconds: float, what: str) -> None:
        """Ask once a second; an API server that is still starting, or busy, is asked again."""
        end = time.monotonic() + seconds
        while True:
            with suppress(URLError, ConnectionError, TimeoutError):
                if is_done():
                    return
            assert self._process.poll() is None, f"Airflow ended while waiting for {what}:\n{self.tail()}"
            assert time.monotonic() < end, f"waited {seconds} s for {what}:\n{self.tail()}"
            time.sleep(1)

    def _call(self, path: str, body: dict | None = None, method: str | None = None) -> dict:
        if not self._token and path != "/auth/token":
            self._token = self._call("/auth/token")["access_token"]
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(
            Request(self.url + path, data=data, headers=headers, method=method), timeout=60 if body else 10
        ) as answer:
            return json.load(answer)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
