"""How good recommendations are on a log of a shop: a written protocol, our tables, and the field beside them.

docs/evaluation.md has the protocol. Our method is the production job's own code: the tables are built by the functions
that build ``marts.also_viewed`` and ``marts.also_bought``, on the engine.
"""
