"""Severed rows of a table, and rows on hold, while a pull is folded into it: they stay, and win over what comes again.

A severed row is not taken back when its pull no longer brings it, because landing has lost the erased person's lines.
Where the pull brings the row all the same, the one that was severed first is kept: it still knew the account. A row on
hold is not taken back either, and neither severed nor replaced by a second run of its pull.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.suppression.held_rows import find_kept
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
        key: of the table.
        held: true for rows on hold; none where there are none.
    """

    lake: Lake
    contract: Contract | None
    key: tuple[str, ...] = ()
    held: "Column | None" = None

    @classmethod
    def of(cls, lake: Lake, table: str) -> "SeveredRows":
        """What holds for a table."""
        contract = lake.contracts[table]
        can_be = contract.erasure is not None and contract.erasure.method == SEVER and has_tombstones(lake)
        held = find_kept(lake, table, contract.column_names) if lake.exists(table) else None
        return cls(lake, contract if can_be else None, contract.key, held)

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
        stay = self._find_staying(of_pull)
        if stay is None:
            return of_others.unionByName(new_rows)
        others = of_others if self.contract is None else of_others.transform(sever_erased, self.lake, self.contract)
        news = new_rows.join(stay.select(*self.key, C.PULL_DAY), on=[*self.key, C.PULL_DAY], how="left_anti")
        return others.unionByName(stay).unionByName(news.select(*new_rows.columns))

    def count_taken_over(self, of_pull: "DataFrame", new_rows: "DataFrame") -> int:
        """Rows on hold that the pull no longer brings, and that stay all the same."""
        if self.held is None:
            return 0
        return of_pull.where(self.held).join(new_rows.select(*self.key), on=[*self.key], how="left_anti").count()

    def _find_staying(self, of_pull: "DataFrame") -> "DataFrame | None":
        on_hold = None if self.held is None else of_pull.where(self.held)
        if self.contract is None:
            return on_hold
        others = of_pull if self.held is None else of_pull.where(~self.held)
        severed = others.transform(sever_erased, self.lake, self.contract).where(self.is_severed)
        return severed if on_hold is None else severed.unionByName(on_hold)

    def count_others(self, new_rows: Scratch) -> int:
        """New rows that are not severed."""
        return new_rows.rows if self.contract is None else new_rows.frame.where(~self.is_severed).count()


def sever_erased(rows: "DataFrame", lake: Lake, contract: Contract) -> "DataFrame":
    """Rows of a table with those of erased people severed that an erasure at work has not reached yet.

    Rows on hold are left as they are.
    """
    number = find_number(contract)
    if number is None:
        return rows
    erased = find_erased(lake, rows.select(number), KINDS[number]).select("_erased")
    beside = rows.join(F.broadcast(erased), F.col(number) == F.col("_erased"), how="left")
    held = find_kept(lake, contract.name, rows.columns)
    is_theirs = F.col("_erased").isNotNull() if held is None else F.col("_erased").isNotNull() & ~held
    return sever(beside, contract, tombstone_keys(lake), where=is_theirs).select(*contract.column_names)
