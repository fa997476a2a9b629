"""What the person is told: every text in one place, none with anything personal in it, because the ledger keeps them.

The privacy office may send them as they are or put them into a letter of its own.
"""

from typing import Final

from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger

UNKNOWN: Final = (
    "We hold nothing about the address you wrote with: no account, no order and no other record. "
    "If you used another address with us, please write from that one."
)
WAITS_FOR_ACCOUNT: Final = (
    "We hold nothing about the address you wrote with. If it gets an account with us, your opt-out holds for it "
    "from the start."
)
NOTHING_TO_CORRECT: Final = (
    "We hold no account with the address you wrote with, so there is nothing that we could correct. "
    "If you used another address with us, please write from that one."
)
ERASED_MEANWHILE: Final = (
    "Your data has been erased meanwhile, so there is nothing left that this request could be about."
)
ACCESS_READY: Final = "Everything we hold about you is in the file that comes with this answer."
CORRECTED: Final = (
    "We have corrected your data; it holds from now on, for the next delivery too. What stood there before stays on "
    "file as history until its period ends."
)
ERASED: Final = (
    "We have erased your data. Of orders we keep amounts and days, which tax law demands, without any link to you. "
    "Partners who received advertising identifiers of you have been told to remove them with our next package."
)
CHOICES: Final = {
    (ledger.OPT_OUT, "ads"): "You are in no advertising export from now on, and partners are told to remove you.",
    (ledger.OPT_IN, "ads"): "You may be part of interest-based advertising again, from the next export on.",
    (ledger.OPT_OUT, "personalisation"): "You get no personal recommendations from now on.",
    (ledger.OPT_IN, "personalisation"): "You get personal recommendations again, from the next day on.",
}
REFUSALS: Final = {
    "identity": "We could not make sure that the request comes from the person the data is about.",
    "unfounded": "The request is manifestly unfounded.",
    "excessive": "The request repeats one that we answered shortly before, and nothing has changed since.",
    "others": "Serving the request would reveal data about other people.",
    "law": "A law obliges us to keep the data as it is.",
}
"""Reasons that ``sophilux request refuse --reason`` knows by a word."""


def tell_held(reason: str, *, everything: bool) -> str:
    """Why erasure stops at what a legal hold keeps."""
    extent = "all of your data" if everything else "part of your data; the rest is erased"
    return f"The law obliges us to keep {extent}, until this ends: {reason}. We will then erase it unasked."


def tell_answer(request: ledger.Row) -> str:
    """What the person can be told now."""
    state, kind = request[C.STATE], request[C.KIND]
    if request[C.REASON]:
        return str(request[C.REASON])
    if state != ledger.SERVED:
        return f"We received your request and will answer it by {request[C.DUE_ON]} at the latest."
    served = {ledger.ACCESS: ACCESS_READY, ledger.CORRECT: CORRECTED, ledger.ERASE: ERASED}
    return served.get(kind) or CHOICES[kind, request[C.PURPOSE] or "ads"]
