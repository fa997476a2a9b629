"""Refuse requests, with a reason that the person is told and that names nobody, because the ledger keeps it."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests import payloads
from jobs.requests.texts import REFUSALS

LONGEST: Final = 500
PERSONAL: Final = re.compile(r"@|\d(?:[ ().\-/]?\d){5}")
"""Addresses, and numbers as long as phone or order numbers."""


def refuse_requests(
    lake: Lake, request_ids: Collection[str], *, reason: str, now: datetime, by: str
) -> list[ledger.Row]:
    """Refuse requests; what came with them is removed.

    Args:
        lake: the lake.
        request_ids: which.
        reason: a word of :data:`jobs.requests.texts.REFUSALS`, or what the person is told.
        now: the present time, UTC.
        by: who refuses.

    Returns:
        The requests as they are now.

    Raises:
        UsageError: the reason is none or has something personal in it, there is no such request, or one cannot be
            refused any more; nothing was changed.
    """
    text = REFUSALS.get(reason.strip(), reason.strip())
    if not text or len(text) > LONGEST or not text.isprintable() or PERSONAL.search(text):
        message = (
            f"A reason is one line of at most {LONGEST} characters without an address or a long number, because the "
            f"ledger keeps it; or one of {', '.join(REFUSALS)}."
        )
        raise UsageError(message)
    refused = ledger.move(lake, request_ids, ledger.REFUSED, now=now, by=by, **{C.REASON: text})
    payloads.drop_payloads(lake, request_ids)
    return refused
