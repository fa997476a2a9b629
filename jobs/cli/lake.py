"""What the commands need of a lake; imports engines only when a command opens one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.cli.output import format_size
from jobs.errors import UsageError

if TYPE_CHECKING:
    from jobs.lake import Contract, Lake
    from jobs.settings import Settings


@contextmanager
def open_lake(home: str | None, *, must_exist: bool = True) -> Iterator["Lake"]:
    """The lake of a home; its engine starts when it is needed and stops at the end.

    Raises:
        UsageError: there is no such folder although there must be.
    """
    from jobs.lake import Lake
    from jobs.settings import is_remote, load_settings

    settings = load_settings(home)
    if must_exist and not is_remote(settings.home) and not Path(settings.home).is_dir():
        message = f"There is no lake at {settings.home}; give --home, or make one with 'sophilux demo'."
        raise UsageError(message)
    lake = Lake.open(settings)
    with lake.engine:
        yield lake


def check_sources(settings: "Settings") -> None:
    """Refuse to run where there is nothing to run on.

    Raises:
        UsageError: there are neither a lake nor drops nor sources of their own.
    """
    from jobs.settings import is_remote

    sources = (settings.clickstream_url, settings.carriers_url, settings.purchases_uri)
    is_there = is_remote(settings.home) or any(Path(path).is_dir() for path in (settings.home, settings.sources))
    if not is_there and not any(sources):
        message = f"There is neither a lake at {settings.home} nor drops in {settings.sources}; give --home."
        raise UsageError(message)


def describe_table(lake: "Lake", contract: "Contract") -> dict[str, Any]:
    """What the list of tables says about one."""
    from jobs.retention import terms

    files, history = lake.list_files(contract.name), lake.history(contract.name)
    changed = datetime.fromtimestamp(history[0]["timestamp"] / 1000, UTC) if history else None
    return {
        "table": contract.name,
        "rows": sum(file.rows for file in files),
        "size": format_size(sum(file.size for file in files)),
        "version": len(history) - 1 if history else None,
        "changed": changed,
        "kept": terms.describe(contract.retention).partition(":")[0] if contract.retention else None,
        "restricted": contract.is_restricted,
    }
