"""Which columns a frame's columns are made from, read from its plan before anything is computed.

A frame of Spark Connect is a tree of unresolved relations, the same for both engines. Following each expression back
to the reads gives every output column its sources, and what was declared about the values on the way. A relation or
expression that cannot be followed is an error, never a column without sources.

What a row's presence, order or match reveals (filters, joins, sorting, partitions of windows) is not followed.
"""

from jobs.lake.lineage.records import read_record, write_record
from jobs.lake.lineage.tracer import Tracer
from jobs.lake.lineage.traces import Risk, Trace, mark

__all__ = ["Risk", "Trace", "Tracer", "mark", "read_record", "write_record"]
