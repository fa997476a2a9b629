"""Erasure as the contracts declare it, without its journal, clean-up and proof: enough to see what stays away."""

import pyarrow.compute as pc

from jobs.lake.editing import edit_rows
from jobs.lake.erasures import SEVER
from jobs.people.burying import bury
from jobs.people.matching import match_rows
from jobs.privacy.severing import sever_rows
from jobs.privacy.tombstones import tombstone_digest


def erase_people(lake, people, at):
    """Tombstones first, then every table; gives the rows found by table."""
    bury(lake, people, at=at)
    digest = tombstone_digest(lake)
    found = {}
    for contract in lake.contracts.values():
        match = match_rows(lake, contract, people)
        if match is None or not lake.exists(contract.name):
            continue

        def edit(rows, marks, contract=contract):
            if contract.erasure.method == SEVER:
                return sever_rows(rows, contract, digest, marks)
            return rows.filter(pc.invert(marks))

        done = edit_rows(lake, contract.name, columns=match.columns, find=match.find, edit=edit, buckets=match.buckets)
        found[contract.name] = done.rows_found
    return found
