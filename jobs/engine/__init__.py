"""Sessions: the embedded engine (Sail) or an Apache Spark cluster, chosen by one setting."""

from jobs.engine.session import Engine

__all__ = ["Engine"]
