"""Runs of erasure: a batch of requests, from identities to the certificate."""

from collections.abc import Callable, Sequence

from jobs.erasure.outcomes import Erasure, ErasureRequest
from jobs.errors import SophiluxError
from jobs.lake import Lake


def erase(
    lake: Lake, requests: Sequence[ErasureRequest], *, progress: Callable[[str], None] = lambda _: None
) -> Erasure:
    """Erase the people behind a batch of requests, and show that nothing of them is left.

    A run that died is finished first, also by a call without any request. Asking again for somebody who was erased
    finds nothing, cleans up and verifies all the same. Running beside other steps is safe: what they computed from
    these people is not committed, and they run again.

    Args:
        lake: the lake.
        requests: people are found with all of their accounts and addresses; two requests of one person are served
            together.
        progress: is told what is being done.

    Returns:
        One outcome per request, and the certificate, which is kept in the ledger. Nothing is recorded in the ledger of
        requests; that is the caller's.

    Raises:
        SophiluxError: something of them is left (the message says where, never what), or could not be removed; running
            it again finishes.
        UsageError: no person can be found with certainty, such as a circle of too many accounts; nothing was changed.
    """
    progress(f"{len(requests)} requests at {lake.home}")
    message = "Erasure is not available in this version; nothing was changed."
    raise SophiluxError(message)
