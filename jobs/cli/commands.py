"""The command line ``sophilux``; engines are loaded by the commands that need one, so that ``--help`` is fast."""

from jobs.cli import (
    audit,
    budgets,
    erasure,
    evaluation,
    exports,
    holds,
    identify,
    keys,
    lineage,
    pair,
    report,
    requests,
    retention,
    runs,
    shops,
    tables,
)
from jobs.cli.app import app

__all__ = [
    "app",
    "audit",
    "budgets",
    "erasure",
    "evaluation",
    "exports",
    "holds",
    "identify",
    "keys",
    "lineage",
    "main",
    "pair",
    "report",
    "requests",
    "retention",
    "runs",
    "shops",
    "tables",
]


def main() -> None:
    """Entry point of the command ``sophilux``."""
    app()
