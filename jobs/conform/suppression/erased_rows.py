"""Rows of erased people among those a step has just typed: told apart, severed where the law keeps them, or dropped.

Whatever a late file, a backfill or a backup brings of somebody who was erased is recognised by the tombstones. It comes
into no table of the vault and the lake and into no quarantine, except for orders, returns and parcels, which are kept
without the person; and landing loses it again. As long as nobody was erased, nothing of this is computed.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.conform.suppression.held_rows import find_kept, leave_held_days
from jobs.conform.suppression.written_addresses import find_written
from jobs.conform.suppression.written_numbers import find_numbers
from jobs.lake import Contract, Lake, pending
from jobs.lake import columns as C
from jobs.lake.scratch import Scratch
from jobs.privacy.severing import sever
from jobs.privacy.tombstones import find_erased, has_tombstones, set_tombstones, tombstone_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ERASED: Final = "_is_erased"
SPARED: Final = "_is_spared"
FILE_PLACE: Final = (C.PULL_DAY, C.SOURCE, C.POSITION)
ROW_PLACE: Final = (C.PULL_DAY, C.ROW_NO)


@dataclass(frozen=True)
class Claim:
    """A column by which a row may be somebody's.

    Attributes:
        kind: of tombstone.
        column: holds what a tombstone may have been made of.
        at: when it happened; what happened since the tombstone was lifted is welcome. None never is.
        spreads: whether other rows are known by this alone, so that it gets a tombstone where another claim tells that
            the row is an erased person's.
    """

    kind: str
    column: str
    at: str | None = None
    spreads: bool = False

    @property
    def erased_at(self) -> str:
        """Column that :func:`lay_beside` adds: when the person was erased."""
        return f"_{self.kind}_erased_at"

    @property
    def lifted_at(self) -> str:
        """Column that :func:`lay_beside` adds: from when on rows are welcome again."""
        return f"_{self.kind}_lifted_at"

    def is_erased(self) -> "Column":
        """True where the row is somebody's who was erased, as :func:`lay_beside` laid it beside."""
        found = F.col(self.erased_at).isNotNull()
        if self.at is None:
            return found
        is_welcome = F.coalesce(F.col(self.at) >= F.col(self.lifted_at), F.lit(False))
        return found & ~is_welcome


@dataclass(frozen=True)
class Split:
    """Typed rows, with those of erased people apart.

    Attributes:
        kept: the rows of everybody else.
        erased: those of erased people, in the same columns; none where there are none.
        rows: how many these are.
        spared: those of the kept rows that are an erased person's and on hold; none where there is no such hold.
    """

    kept: Scratch
    erased: "DataFrame | None" = field(default=None, repr=False)
    rows: int = 0
    spared: "DataFrame | None" = field(default=None, repr=False)

    def of_others(self, place: Sequence[str]) -> "DataFrame":
        """Kept rows but those on hold: what is told anew about an erased person tells nothing about anybody."""
        rows = self.kept.frame
        return rows if self.spared is None else rows.join(self.spared.select(*place), on=list(place), how="left_anti")

    def add_severed(self, lake: Lake, valid: "DataFrame", contract: Contract, *, where: "Column") -> "DataFrame":
        """Valid rows of a table together with those of erased people, severed.

        Args:
            lake: the lake.
            valid: in the table's columns.
            contract: the table's.
            where: which of the erased people's rows are valid.
        """
        if self.erased is None:
            return valid
        theirs = self.erased.where(where)
        severed = theirs.transform(sever, contract, tombstone_keys(lake), where=F.lit(True))
        return valid.select(*contract.column_names).unionByName(severed.select(*contract.column_names))

    def scrub(self, lake: Lake, landing: str, place: Sequence[str]) -> None:
        """Take the erased people's lines out of landing, its former files included.

        Args:
            lake: the lake.
            landing: the table that the rows were typed from.
            place: columns that say which line a row was, ``position`` being the text of ``line_no``.
        """
        if landing in pending.list_pending(lake.home):
            lake.vacuum(landing, keep=timedelta(0))
            pending.clear_pending(lake.home, landing)
        if self.erased is None:
            return
        places = self.erased.select(*place).distinct()
        touched = sorted(str(row[0]) for row in places.select(C.PULL_DAY).distinct().collect())
        days = leave_held_days(lake, landing, touched)
        if not days:
            return
        base = lake.current_files(landing, days)
        rows = lake.read(landing).where(F.col(C.PULL_DAY).cast("string").isin(*days))
        if C.POSITION in place:
            rows = rows.withColumn(C.POSITION, F.col(C.LINE_NO).cast("string"))
        others = rows.join(places, on=list(place), how="left_anti")
        names = lake.contracts[landing].column_names
        with pending.removing_rows(lake.home, landing):
            lake.replace(landing, others.select(*names), partitions=days, base=base)
            lake.vacuum(landing, keep=timedelta(0))


@contextmanager
def split_erased(
    lake: Lake,
    typed: Scratch,
    claims: Sequence[Claim],
    *,
    table: str,
    place: Sequence[str],
    texts: "Column | None" = None,
) -> Iterator[Split]:
    """Tell rows of erased people from all others.

    Args:
        lake: the lake.
        typed: rows with the claims' columns, ``place``, ``reason`` and ``raw``.
        claims: by what a row may be somebody's.
        table: that the rows are for; those that a hold keeps of it are left as they are.
        place: columns that say which line a row was.
        texts: rows whose ``raw`` may hold an address where no column does; by default those with a ``reason``.

    Yields:
        Everything as kept where nobody was erased.
    """
    if not typed.rows or not has_tombstones(lake):
        yield Split(typed)
        return
    with ExitStack() as stack:
        is_text = F.col(C.REASON).isNotNull() if texts is None else texts
        split, spreads = _split_once(lake, stack, typed, claims, table, place, is_text)
        while spreads:
            split, spreads = _split_once(lake, stack, typed, claims, table, place, is_text)
        yield split


def _split_once(
    lake: Lake,
    stack: ExitStack,
    typed: Scratch,
    claims: Sequence[Claim],
    table: str,
    place: Sequence[str],
    texts: "Column",
) -> tuple[Split, bool]:
    """The split, and whether tombstones came of it by which more rows may be known."""
    beside = lay_beside(lake, stack, typed.frame, claims)
    laid = [claim for claim in claims if claim.erased_at in beside.columns]
    rows, written = lay_written(lake, stack, beside, place, texts)
    marks = [*(claim.is_erased() for claim in laid), *written]
    kept = find_kept(lake, table, typed.frame.columns, [claim.erased_at for claim in laid]) if marks else None
    marked = mark_erased(lake, stack, rows, marks, kept=kept)
    if marked is None:
        return Split(typed), False
    spreads = _spread(lake, marked.frame.where(ERASED), claims)
    split = split_marked(typed, marked)
    if kept is None:
        return split, spreads
    return replace(split, spared=marked.frame.where(SPARED).select(*typed.frame.columns)), spreads


def mark_erased(
    lake: Lake, stack: ExitStack, rows: "DataFrame", marks: Sequence["Column"], *, kept: "Column | None" = None
) -> Scratch | None:
    """Rows with :data:`ERASED`: where a condition holds and ``kept`` does not; none where there is no condition.

    Where both hold, they have :data:`SPARED`.
    """
    if not marks:
        return None
    is_erased = reduce(or_, (F.coalesce(mark, F.lit(False)) for mark in marks))
    spared = F.lit(False) if kept is None else is_erased & kept
    marked = rows.withColumns({ERASED: is_erased & ~spared, SPARED: spared})
    return stack.enter_context(lake.scratch(marked))


def split_marked(typed: Scratch, marked: Scratch | None) -> Split:
    """The rows of :func:`mark_erased` apart, in the columns of the typed ones."""
    theirs = marked.frame.where(ERASED) if marked is not None else None
    count = theirs.count() if theirs is not None else 0
    if marked is None or theirs is None or not count:
        return Split(typed)
    names = typed.frame.columns
    kept = Scratch(marked.frame.where(~F.col(ERASED)).select(*names), marked.rows - count)
    return Split(kept, theirs.select(*names), count)


def lay_beside(lake: Lake, stack: ExitStack, rows: "DataFrame", claims: Sequence[Claim]) -> "DataFrame":
    """Rows with ``erased_at`` and ``lifted_at`` of each claim that is true of some of them."""
    for claim in claims:
        found = find_erased(lake, rows.select(claim.column), claim.kind)
        erased = stack.enter_context(lake.scratch(found))
        if erased.rows:
            small = erased.frame.select(
                F.col("_erased").alias("_name"),
                F.col("_erased_at").alias(claim.erased_at),
                F.col("_lifted_at").alias(claim.lifted_at),
            )
            rows = rows.join(F.broadcast(small), F.col(claim.column) == F.col("_name"), how="left").drop("_name")
    return rows


def lay_written(
    lake: Lake, stack: ExitStack, rows: "DataFrame", place: Sequence[str], texts: "Column"
) -> "tuple[DataFrame, list[Column]]":
    """Rows beside whether an erased person's address or number is written in raw text that nobody understood."""
    unread = rows.where(texts).select(*place, C.RAW, *([C.CARRIER] if C.CARRIER in rows.columns else []))
    found, numbers = find_written(lake, unread, place), find_numbers(lake, stack, unread, place)
    found = found if numbers is None else found.unionByName(numbers).distinct()
    written = stack.enter_context(lake.scratch(found))
    if not written.rows:
        return rows, []
    marked = written.frame.withColumn("_is_written", F.lit(True))
    return rows.join(F.broadcast(marked), on=list(place), how="left"), [F.col("_is_written")]


def _spread(lake: Lake, theirs: "DataFrame", claims: Collection[Claim]) -> bool:
    """Give tombstones to what else erased people are called in their rows; true where there was something."""
    names: dict[str, list[str]] = {}
    for claim in claims:
        if claim.spreads:
            known = claim.erased_at in theirs.columns
            new = theirs.where(F.col(claim.erased_at).isNull()) if known else theirs
            values = new.where(F.col(claim.column).isNotNull()).select(claim.column).distinct().collect()
            names[claim.kind] = [row[0] for row in values]
    if not any(names.values()):
        return False
    set_tombstones(lake, names, at=datetime.now(UTC))
    return True
