"""Correct what a person asked to have corrected: their account, and a new version of where they live and are called.

Corrected is the account whose own address the request came from, else the one that has it as a further address. Of two
accounts with the same right to it none is touched, because they may be two people's. Later pulls do not undo it: see
:mod:`jobs.conform.corrections` and :mod:`jobs.conform.addresses`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.addresses import FIELDS as ADDRESS_FIELDS
from jobs.conform.addresses import REPORT_COLUMNS, REQUEST, fold_reports
from jobs.conform.corrections import correct_accounts
from jobs.conform.customers import CUSTOMERS, IDENTITIES, publish_subjects
from jobs.errors import UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.pseudonyms import subject_keys
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests import payloads

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REPORT_SCHEMA: Final = ", ".join(
    f"{name} {'timestamp' if name == C.VALID_FROM else 'string'}" for name in REPORT_COLUMNS
)


def correct(lake: Lake, request: ledger.Row) -> bool:
    """Carry out a correction; a second time changes nothing.

    Args:
        lake: the lake.
        request: a row of ``ledger.requests``.

    Returns:
        False where no account has the address, so that nothing can be corrected.

    Raises:
        UsageError: several accounts have the same right to the address, or what was asked for is gone.
        CommitConflictError: another run changed the same tables meanwhile.
    """
    request_id = request[C.REQUEST_ID]
    content = payloads.open_payloads(lake, [request_id]).get(request_id)
    if content is None:
        message = f"What request {request_id} asked for is gone; refuse it, and have the person ask again."
        raise UsageError(message)
    accounts = find_accounts(lake.read(IDENTITIES), request[C.SUBJECT_ID])
    if len(accounts) > 1:
        message = (
            f"{len(accounts)} accounts have the address of request {request_id} in common, and may be different "
            "people's; refuse it, and have the person write from the account's own address."
        )
        raise UsageError(message)
    if not accounts:
        return False
    _correct_account(lake, accounts[0], content[payloads.VALUES], request[C.RECEIVED_AT])
    return True


def find_accounts(identities: "DataFrame", subject_id: str) -> list[str]:
    """Numbers of the accounts whose own address it is; where it is nobody's, of those that have it as a further one."""
    rows = identities.where(F.col(C.SUBJECT_ID) == subject_id).select(C.CUSTOMER_ID, C.IS_PRIMARY).toArrow().to_pylist()
    own = {row[C.CUSTOMER_ID] for row in rows if row[C.IS_PRIMARY]}
    return sorted(own or {row[C.CUSTOMER_ID] for row in rows})


def _correct_account(lake: Lake, account: str, values: Mapping[str, str], at: datetime) -> None:
    """The account, then the history of its address, then what is derived from the account."""
    is_account = F.col(C.CUSTOMER_ID) == account
    corrected = lake.read(CUSTOMERS).where(is_account).transform(correct_accounts, values, at)
    lake.merge(CUSTOMERS, corrected.select(*lake.contracts[CUSTOMERS].column_names), newest_by=C.UPDATED_AT)
    addresses = lake.read(CUSTOMERS).where(is_account).select(C.SUBJECT_ID).toArrow()[C.SUBJECT_ID].to_pylist()
    told = {name: value for name, value in values.items() if name in ADDRESS_FIELDS}
    if told:
        _report(lake, addresses, told, at)
    publish_subjects(lake, lake.read(IDENTITIES).where(is_account).select(C.SUBJECT_ID))


def _report(lake: Lake, subject_ids: list[str], values: Mapping[str, str], at: datetime) -> None:
    given = {C.VALID_FROM: at, C.SOURCE: REQUEST, **values}
    rows = [tuple({**given, C.SUBJECT_ID: subject}.get(name) for name in REPORT_COLUMNS) for subject in subject_ids]
    fold_reports(lake, lake.session.createDataFrame(rows, REPORT_SCHEMA), subject_keys(lake))
