"""Severed rows of a table while a pull is folded into it: they stay, and win over what comes again.

A severed row is not taken back when its pull no longer brings it, because landing has lost the erased person's lines.
Where the pull brings the row all the same, the one that was severed first is kept: it still knew the account.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Contract, Lake
from jobs.lake import columns as C
from jobs.lake.erasures import SEVER
from jobs.lake.scratch import Scratch
from jobs.privacy.severing import find_number, is_severed, sever
from jobs.privacy.tombstones import ORDER, PARCEL, RETURN, find_erased, has_tombstones, tombstone_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

KINDS: Final = {C.ORDER_ID: ORDER, C.RETURN_ID: RETURN, C.PARCEL_ID: PARCEL}


@dataclass(frozen=True)
class SeveredRows:
    """What folding has to know of severed rows; of a table that has none, nothing.

    Attributes:
        lake: the lake.
        contract: the table's; none where nobody was erased or its rows are not severed.
    """

    lake: Lake
    contract: Contract | None

    @classmethod
    def of(cls, lake: Lake, table: str) -> "SeveredRows":
        """What holds for a table."""
        contract = lake.contracts[table]
        can_be = contract.erasure is not None and contract.erasure.method == SEVER and has_tombstones(lake)
        return cls(lake, contract if can_be else None)

    @property
    def is_severed(self) -> "Column":
        """True for severed rows."""
        return F.lit(False) if self.contract is None else is_severed(self.contract)

    def keep(self, of_others: "DataFrame", of_pull: "DataFrame", new_rows: "DataFrame") -> "DataFrame":
        """What the touched days hold now, the new rows included.

        Args:
            of_others: rows that other pulls brought.
            of_pull: rows that an earlier run of this pull brought.
            new_rows: what it brings now.
        """
        if self.contract is None:
            return of_others.unionByName(new_rows)
        stay = of_pull.transform(sever_erased, self.lake, self.contract).where(self.is_severed)
        others = of_others.transform(sever_erased, self.lake, self.contract)
        again = [*self.contract.key, C.PULL_DAY]
        news = new_rows.join(stay.select(*again), on=again, how="left_anti")
        return others.unionByName(stay).unionByName(news.select(*new_rows.columns))

    def count_others(self, new_rows: Scratch) -> int:
        """New rows that are not severed."""
        return new_rows.rows if self.contract is None else new_rows.frame.where(~self.is_severed).count()


def sever_erased(rows: "DataFrame", lake: Lake, contract: Contract) -> "DataFrame":
    """Rows of a table with those of erased people severed that an erasure at work has not reached yet."""
    number = find_number(contract)
    if number is None:
        return rows
    erased = find_erased(lake, rows.select(number), KINDS[number]).select("_erased")
    beside = rows.join(F.broadcast(erased), F.col(number) == F.col("_erased"), how="left")
    is_theirs = F.col("_erased").isNotNull()
    return sever(beside, contract, tombstone_keys(lake), where=is_theirs).select(*contract.column_names)
