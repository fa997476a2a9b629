"""Sessions: the embedded engine (Sail) or an Apache Spark cluster, chosen by one setting."""

from jobs.engine.session import Engine, active_session

__all__ = ["Engine", "active_session"]
