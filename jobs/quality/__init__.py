"""The gate: expectations over staged rows before they are published, and a page that shows the outcome.

Importing this loads neither an engine nor Great Expectations.
"""

from jobs.quality.gate import check_table, gate
from jobs.quality.results import Check, TableResult

__all__ = ["Check", "TableResult", "check_table", "gate"]
