"""Numbers of erased people in lines that are no records, and so have no columns by which tombstones would know them.

Erasure finds such lines by any order, return, parcel or account number that stands in them; what brings one again is
known by the same parts of the line.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import reduce
from typing import TYPE_CHECKING, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.people.text_blocks import PARTS
from jobs.people.text_matching import SHORTEST_NAME
from jobs.privacy.keyring import SUBJECT
from jobs.privacy.pseudonyms import keyed_digest, subject_keys, with_keys
from jobs.privacy.tombstones import ORDER, PARCEL, PERSON, RETURN, find_erased

if TYPE_CHECKING:
    from pyspark.sql import Column

NUMBER: Final = "_number"


def find_numbers(lake: Lake, stack: ExitStack, texts: DataFrame, place: Sequence[str]) -> DataFrame | None:
    """Places of texts in which a number of an erased person is written; none where no text can hold one.

    Args:
        lake: the lake.
        stack: ends when the rows are not needed any more.
        texts: the columns of ``place``, ``raw``, and ``carrier`` where one sent them.
        place: columns that name a text.
    """
    parts = stack.enter_context(lake.scratch(texts.transform(list_parts, place)))
    if not parts.rows:
        return None
    account = keyed_digest(F.concat(F.lit("customer:"), NUMBER), SUBJECT)
    named = with_keys(parts.frame, subject_keys(lake)).withColumn("_account", account)
    parcel = F.concat(C.CARRIER, F.lit("/"), NUMBER)
    names = {ORDER: F.col(NUMBER), RETURN: F.col(NUMBER), PARCEL: parcel, PERSON: F.col("_account")}
    found = [_find_kind(lake, named.select(*place, name.alias("_name")), kind, place) for kind, name in names.items()]
    return reduce(DataFrame.unionByName, found).distinct()


def list_parts(texts: DataFrame, place: Sequence[str]) -> DataFrame:
    """Parts of lines that may be somebody's number, one row each.

    Args:
        texts: as for :func:`find_numbers`.
        place: as there.
    """
    carrier = F.col(C.CARRIER) if C.CARRIER in texts.columns else F.lit(None).cast("string")
    parts = F.explode(F.regexp_extract_all(F.col(C.RAW), F.lit(f"({PARTS.pattern})"), F.lit(1)))
    lines = texts.where(F.col(C.RAW).isNotNull() & ~_is_record()).select(
        *place, carrier.alias(C.CARRIER), parts.alias(NUMBER)
    )
    return lines.where((F.length(NUMBER) >= SHORTEST_NAME) & F.col(NUMBER).rlike("[0-9]")).distinct()


def _find_kind(lake: Lake, named: DataFrame, kind: str, place: Sequence[str]) -> DataFrame:
    known = named.where(F.col("_name").isNotNull())
    erased = find_erased(lake, known.select("_name"), kind).where(F.col("_lifted_at").isNull())
    return known.join(F.broadcast(erased), F.col("_name") == F.col("_erased"), how="left_semi").select(*place)


def _is_record() -> "Column":
    """True for what looks like a record from its first to its last character."""
    plain = F.trim(F.col(C.RAW))
    return (plain.startswith("{") & plain.endswith("}")) | (plain.startswith("[") & plain.endswith("]"))
