"""Errors that people read: one line with the rule, what was found, and what to do.

A message never holds a row's values or an identifier.
"""


class SophiluxError(Exception):
    """A stated rule was broken; the message alone is enough to act on."""


class UnexpectedError(SophiluxError):
    """Something failed that no rule of ours foresees; told by its kind alone, because its words may name somebody."""


class UsageError(SophiluxError):
    """The caller asked for something that does not exist or cannot be (exit code 2)."""


class ContractError(SophiluxError):
    """A contract file, or data held against a contract, is not as it must be."""


class CommitConflictError(SophiluxError):
    """Another run changed the same partitions first; running the step again is safe."""


class GateError(SophiluxError):
    """A critical expectation failed; the last good table stays in place."""


class SourceError(SophiluxError):
    """A source could not be read."""


class KeyRingError(SophiluxError):
    """The key ring is missing, unsafe, or lacks a key."""


class BudgetError(SophiluxError):
    """A release would spend more privacy than its data set and period allow, or the ledger of spending was changed."""


class DeadlineError(SophiluxError):
    """Requests of people are due soon and not answered; an alert, nothing is broken."""


class PlanError(SophiluxError):
    """A plan of what to delete cannot be carried out as it stands; nothing was deleted."""
