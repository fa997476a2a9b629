"""Airflow on this machine for ``make airflow``: the DAGs, their UI on port 8080, no Docker, ends with Ctrl-C.

Everything it keeps lies in ``.airflow``; the lake is ``SOPHILUX_HOME``, or ``shop`` as filled by ``make demo``.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
SECONDS_TO_END = 30


def environment(home: Path) -> dict[str, str]:
    """Settings of the local Airflow; those already set in the environment win."""
    port = os.environ.get("AIRFLOW__API__PORT", "8080")
    defaults = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "SOPHILUX_HOME": str(PROJECT / "shop"),
        "SOPHILUX_MEMORY_SHARE": "0.3",
    }
    # Standalone starts its parts as "airflow", whichever comes first on the path.
    path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**defaults, **os.environ, "PATH": path}


def start(settings: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start Airflow in a process group of its own, so that Ctrl-C reaches it once and from here only."""
    Path(settings["AIRFLOW_HOME"]).mkdir(parents=True, exist_ok=True)
    return subprocess.Popen([str(PROGRAMS / "airflow"), "standalone"], env=settings, start_new_session=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt Airflow and its children, wait for them, and kill what does not end."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
        process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_END)
        for left in alive:
            with suppress(psutil.NoSuchProcess):
                left.kill()
    process.wait()


def main() -> int:
    """Run until Ctrl-C or until Airflow ends by itself."""
    settings = environment(PROJECT / ".airflow")
    print(f"DAGs:    {settings['AIRFLOW__CORE__DAGS_FOLDER']}")
    print(f"Lake:    {settings['SOPHILUX_HOME']}")
    print(f"Airflow: {settings['AIRFLOW__API__BASE_URL']} in about 30 seconds, no password; Ctrl-C stops everything.")
    print("A day by hand: trigger pull_clickstream and pull_purchases with a day; marts and exports follow.", flush=True)
    process = start(settings)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop(process)


if __name__ == "__main__":
    sys.exit(main())
