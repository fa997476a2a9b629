"""Tables under contract: the only room that knows Delta and Parquet."""

from jobs.lake.contracts import Contract, Contracts
from jobs.lake.days import Days
from jobs.lake.lake import Lake
from jobs.lake.staging import Staged

__all__ = ["Contract", "Contracts", "Days", "Lake", "Staged"]
