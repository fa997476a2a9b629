"""Which accounts and addresses of landing are erased people's, and which are of somebody who came anew.

Rules:
    * An account that was erased stays away. Its number may be given to a new one, opened after the erasure.
    * An address of somebody erased is welcome again with an account that was opened after the erasure, or with an
      account of somebody else that was changed after it. From then on the tombstones of the address are lifted, and
      opt-outs that waited for it hold.
    * An account that nobody knew, opened before the erasure and under an address of the erased person, is theirs too:
      it gets tombstones of its own.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.suppression.erased_rows import (
    ROW_PLACE,
    Claim,
    Split,
    lay_beside,
    lay_written,
    mark_erased,
    split_marked,
)
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scratch import Scratch
from jobs.privacy.rights.choice_ledger import welcome_back
from jobs.privacy.tombstones import PERSON, SUBJECT, has_tombstones, set_tombstones

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

ADDRESS: Final = Claim(SUBJECT, C.SUBJECT_ID)
ACCOUNT: Final = Claim(PERSON, C.PERSON_ID)
CLAIMS: Final = (ADDRESS, ACCOUNT)


def split_accounts(lake: Lake, stack: ExitStack, typed: Scratch) -> Split:
    """Rows of accounts, those of erased people apart; addresses that are welcome again are lifted.

    Args:
        lake: the lake.
        stack: ends when the rows are not needed any more.
        typed: of :func:`jobs.conform.customers.type_accounts`.
    """
    if not typed.rows or not has_tombstones(lake):
        return Split(typed)
    rows = _lay_all(lake, stack, typed)
    known = lake.read("vault.customers").select(C.CUSTOMER_ID, F.lit(True).alias("_is_held"))
    beside = rows.join(known, on=C.CUSTOMER_ID, how="left")
    is_new = F.coalesce(F.col(C.CREATED_AT) > _erased_at(), F.lit(False))
    is_changed = F.col(C.UPDATED_AT) > F.col(ADDRESS.erased_at)
    is_others = is_changed & (is_new | F.col(C.CREATED_AT).isNull() | F.col("_is_held"))
    is_welcome = F.when(F.col(ACCOUNT.erased_at).isNotNull(), is_new).otherwise(is_others)
    since = F.when(is_new, F.col(C.CREATED_AT)).otherwise(F.col(C.UPDATED_AT))
    return _split(lake, stack, typed, beside, is_welcome, since)


def split_addresses(lake: Lake, stack: ExitStack, typed: Scratch) -> Split:
    """Further addresses, those of erased people apart; addresses that are welcome again are lifted.

    Args:
        lake: the lake.
        stack: ends when the rows are not needed any more.
        typed: of :func:`jobs.conform.customers.type_emails`.
    """
    if not typed.rows or not has_tombstones(lake):
        return Split(typed)
    is_back = F.coalesce(F.col(C.UPDATED_AT) >= F.col(ACCOUNT.lifted_at), F.lit(False))
    is_changed = F.coalesce(F.col(C.UPDATED_AT) > F.col(ADDRESS.erased_at), F.lit(True))
    is_welcome = (F.col(ACCOUNT.erased_at).isNull() | is_back) & is_changed
    return _split(lake, stack, typed, _lay_all(lake, stack, typed), is_welcome, F.col(C.UPDATED_AT))


def _lay_all(lake: Lake, stack: ExitStack, typed: Scratch) -> "DataFrame":
    """Rows beside both claims, whether or not one is true of any."""
    rows = lay_beside(lake, stack, typed.frame, CLAIMS)
    lacking = [n for claim in CLAIMS for n in (claim.erased_at, claim.lifted_at) if n not in rows.columns]
    return rows.select(*rows.columns, *(F.lit(None).cast("timestamp").alias(name) for name in lacking))


def _split(
    lake: Lake, stack: ExitStack, typed: Scratch, rows: "DataFrame", is_welcome: "Column", since: "Column"
) -> Split:
    is_claimed = F.col(ADDRESS.erased_at).isNotNull() | F.col(ACCOUNT.erased_at).isNotNull()
    written, marks = lay_written(lake, stack, rows, ROW_PLACE, F.col(C.REASON).isNotNull())
    told = written.withColumns(
        {
            "_is_gone": is_claimed & ~F.coalesce(is_welcome, F.lit(False)),
            "_is_back": is_claimed & F.coalesce(is_welcome, F.lit(False)) & F.col(C.REASON).isNull(),
            "_since": since,
        }
    )
    with lake.scratch(told) as judged:
        _lift(lake, judged.frame.where("_is_back"))
        _spread(lake, judged.frame.where("_is_gone"))
        return split_marked(typed, mark_erased(lake, stack, judged.frame, [F.col("_is_gone"), *marks]))


def _erased_at() -> "Column":
    """When the latest of what is known of a row was erased."""
    address, account = F.col(ADDRESS.erased_at), F.col(ACCOUNT.erased_at)
    return F.when(address > account, address).otherwise(F.coalesce(account, address))


def _lift(lake: Lake, back: "DataFrame") -> None:
    names: dict[str, dict[str, datetime]] = {}
    for claim in CLAIMS:
        is_closed = F.col(claim.erased_at).isNotNull() & F.col(claim.lifted_at).isNull()
        firsts = back.where(is_closed).groupBy(claim.column).agg(F.min("_since").alias("_since"))
        rows = firsts.toArrow().to_pylist()
        names[claim.kind] = {row[claim.column]: row["_since"] for row in rows}
    if any(names.values()):
        welcome_back(lake, names)


def _spread(lake: Lake, gone: "DataFrame") -> None:
    """Give the erased person's tombstones to what else their rows tell."""
    for claim in CLAIMS:
        is_new = F.col(claim.erased_at).isNull() & F.col(claim.column).isNotNull()
        found = gone.where(is_new).groupBy(claim.column).agg(F.max(_erased_at()).alias("_at")).toArrow().to_pylist()
        for at in sorted({row["_at"] for row in found}):
            set_tombstones(lake, {claim.kind: [row[claim.column] for row in found if row["_at"] == at]}, at=at)
