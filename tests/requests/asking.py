"""Requests as people make them, recorded as the command line does."""

from datetime import UTC, datetime

from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger
from jobs.privacy.subject_ids import find_subject_key, make_subject_id
from jobs.requests.opening import open_requests
from jobs.requests.serving import serve_choices
from jobs.requests.wishes import read_wish

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday."""


def ask(lake, kind, address="jane@shop.example", *, at=NOON, purpose=None, **values):
    """Record one request; gives what became of it."""
    given = {**values, C.KIND: kind, C.EMAIL: address, C.PURPOSE: purpose}
    wish = read_wish(given, find_subject_key(lake), at.date())
    opened = open_requests(lake, [wish], now=at, by="tester")
    serve_choices(lake, opened, now=at, by="tester")
    return opened[0]


def id_of(lake, address):
    return make_subject_id(address, find_subject_key(lake))


def state(lake, request_id):
    (row,) = ledger.find_requests(lake, [request_id])
    return row[C.STATE]


def events(lake, request_id):
    return [row[C.EVENT] for row in ledger.read_events(lake, request_id)]
