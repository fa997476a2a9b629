"""Rows that the law keeps, with the person taken out of them: amounts, days, products and countries stay.

* Pseudonyms of the person go.
* Numbers of orders, returns and parcels become digests under the tombstones' key, so that lines still belong to their
  order and nobody can look the order up elsewhere. So do row ids that were made from such a number.
* Times are cut to their day, and what a customer wrote in own words goes.

The form depends on the row and the key alone, so a row that comes again is severed into the same row. It is there for
frames and for Arrow, and the two are the same.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.errors import ContractError
from jobs.lake import Contract
from jobs.lake import columns as C
from jobs.lake.contracts import PSEUDONYM, SUBJECT_BUCKET
from jobs.lake.contracts import Column as ContractColumn
from jobs.privacy.keyring import TOMBSTONE
from jobs.privacy.pseudonyms import keyed_digest, with_keys

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

PREFIX: Final = "severed-"
PEOPLE: Final = (C.SUBJECT_ID, SUBJECT_BUCKET, C.PERSON_ID)
NUMBERS: Final = (C.RETURN_ID, C.PARCEL_ID, C.ORDER_ID)
"""What a row of its own is called, the most specific first: its form tells whether the row was severed."""
OWN_WORDS: Final = (C.REASON,)
FACTS: Final = "lake"
"""The zone whose times say when a person did something; those of a ledger say what we did."""
FINGERPRINT_SEED: Final = 42
HALF: Final = 2**63
Digest = Callable[[str], str]


def severed_id(number: "Column", kind: str) -> "Column":
    """What becomes of the number of an order, return or parcel; a severed one stays, null stays null.

    Args:
        number: the number; beside it must stand the key relation with the name ``tombstone``.
        kind: name of its column.
    """
    digest = keyed_digest(F.concat(F.lit(f"severed {kind}:"), number), TOMBSTONE)
    return F.when(F.startswith(number, F.lit(PREFIX)), number).otherwise(F.concat(F.lit(PREFIX), digest))


def severed_id_text(number: str, kind: str, digest: Digest) -> str:
    """The same as :func:`severed_id` for one number."""
    return number if number.startswith(PREFIX) else PREFIX + digest(f"severed {kind}:{number}")


def is_severed(contract: Contract) -> "Column":
    """True for rows that have been severed already; false for tables that have no number to tell it by."""
    number = find_number(contract)
    return F.lit(False) if number is None else F.coalesce(F.startswith(F.col(number), F.lit(PREFIX)), F.lit(False))


def sever(rows: "DataFrame", contract: Contract, keys: "DataFrame", *, where: "Column") -> "DataFrame":
    """Rows of a table, some of them severed.

    Args:
        rows: with the table's columns and others.
        contract: the table's.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``tombstone``.
        where: which rows; null is none.

    Returns:
        The same rows and columns.
    """
    chosen = F.coalesce(where, F.lit(False)) & ~is_severed(contract)
    marked = with_keys(rows.withColumn("_is_to_sever", chosen), keys)
    replaced = {
        column.name: F.when(F.col("_is_to_sever"), _sever_column(column, contract)).otherwise(F.col(column.name))
        for column in contract.columns
        if _is_touched(column, contract)
    }
    return marked.withColumns(replaced).select(*rows.columns)


def sever_rows(rows: "pa.Table", contract: Contract, digest: Digest, found: "pa.ChunkedArray") -> "pa.Table":
    """Rows of a table, those found severed; fits :class:`jobs.lake.parquet.rewriting.Edit`.

    Args:
        rows: of the table, in any order of columns.
        contract: the table's.
        digest: of :func:`jobs.privacy.tombstones.tombstone_digest`.
        found: which rows; null is none.
    """
    import pyarrow.compute as pc

    chosen = pc.fill_null(found, fill_value=False)
    number = find_number(contract)
    if number is not None:
        chosen = pc.and_not(chosen, pc.fill_null(pc.starts_with(rows[number], PREFIX), fill_value=False))
    for place, field in enumerate(rows.schema):
        column = contract.column(field.name)
        if _is_touched(column, contract):
            severed = _sever_array(column, rows[field.name], chosen, digest)
            rows = rows.set_column(place, field, pc.if_else(chosen, severed, rows[field.name]))
    return rows


def find_number(contract: Contract) -> str | None:
    """The column by which a severed row of a table is told."""
    return next((name for name in NUMBERS if name in contract.column_names), None)


def check_severable(contract: Contract) -> None:
    """Hold a table that is to be severed against what can be.

    Raises:
        ContractError: a pseudonym would stay, or what must go is required.
    """
    strange = [c.name for c in contract.columns if c.classification == PSEUDONYM and not _is_touched(c, contract)]
    kept = [name for name in (*PEOPLE, *OWN_WORDS) if name in contract.required and _is_touched_name(name, contract)]
    if strange or kept:
        message = f"{contract.name}: rows cannot be severed, because of {', '.join([*strange, *kept])}."
        raise ContractError(message)


def _is_touched(column: ContractColumn, contract: Contract) -> bool:
    is_id = column.name in NUMBERS or (column.type == "bigint" and column.classification == PSEUDONYM)
    is_time = column.type == "timestamp" and contract.zone == FACTS
    return is_id or is_time or _is_touched_name(column.name, contract)


def _is_touched_name(name: str, contract: Contract) -> bool:
    return name in PEOPLE or (name in OWN_WORDS and contract.zone == FACTS)


def _sever_column(column: ContractColumn, contract: Contract) -> "Column":
    value = F.col(column.name)
    if _is_touched_name(column.name, contract):
        return F.lit(None).cast(column.type)
    if column.name in NUMBERS:
        return severed_id(value, column.name)
    if column.type == "timestamp":
        return F.date_trunc("day", value)
    return F.xxhash64(keyed_digest(F.concat(F.lit(f"severed {column.name}:"), value.cast("string")), TOMBSTONE))


def _sever_array(
    column: ContractColumn, values: "pa.ChunkedArray", chosen: "pa.ChunkedArray", digest: Digest
) -> "pa.ChunkedArray | pa.Scalar":
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type == "timestamp":
        return pc.floor_temporal(values, unit="day")
    make = MAKERS.get(column.type) if column.name not in (*PEOPLE, *OWN_WORDS) else None
    if make is None:
        return pa.scalar(None, values.type)
    pairs = zip(values.to_pylist(), chosen.to_pylist(), strict=True)
    made = [make(value, column.name, digest) if is_chosen and value is not None else None for value, is_chosen in pairs]
    return pa.chunked_array([pa.array(made, values.type)])


def _fingerprint(value: int, name: str, digest: Digest) -> int:
    import xxhash

    hashed = xxhash.xxh64_intdigest(digest(f"severed {name}:{value}").encode(), FINGERPRINT_SEED)
    return hashed if hashed < HALF else hashed - 2 * HALF


MAKERS: Final[Mapping[str, Callable[..., object]]] = {"string": severed_id_text, "bigint": _fingerprint}
