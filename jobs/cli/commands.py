"""The command line ``sophilux``; engines are loaded by the commands that need one, so that ``--help`` is fast."""

from jobs.cli import exports, requests, retention, runs, shops, tables
from jobs.cli.app import app

__all__ = ["app", "exports", "main", "requests", "retention", "runs", "shops", "tables"]


def main() -> None:
    """Entry point of the command ``sophilux``."""
    app()
