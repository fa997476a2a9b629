"""Corrections that people asked for, kept over what their account says in the shop's database.

A pull brings what the account says, which is still the wrong value until somebody changes it there too. So a correction
holds as long as the account says what it said when it was corrected; once the account says something else, the account
wins and the correction ends. What the account said stays beside the correction, as the original.

A correction is one entry by field in ``vault.customers.corrections``, as JSON: ``value``, ``replaces`` (left out where
the account said nothing) and ``at``. It is kept and erased with the account's row.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import columns as C

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FIELDS: Final = (C.FULL_NAME, C.PHONE, C.BIRTH_DATE, C.COUNTRY)
ENTRY: Final = "struct<value:string,replaces:string,at:string>"
SCHEMA: Final = f"struct<{','.join(f'{name}:{ENTRY}' for name in FIELDS)}>"


def keep_corrections(accounts: "DataFrame", customers: "DataFrame") -> "DataFrame":
    """Pulled accounts with the corrections that still hold laid over them.

    Args:
        accounts: as the shop's database has them, in the columns of ``vault.customers`` but ``corrections``.
        customers: ``vault.customers`` as it is.

    Returns:
        The same rows with ``corrections``.
    """
    corrected = customers.where(F.col(C.CORRECTIONS).isNotNull())
    known = corrected.select(C.CUSTOMER_ID, F.from_json(C.CORRECTIONS, SCHEMA).alias("_corrections"))
    beside = accounts.join(F.broadcast(known), on=C.CUSTOMER_ID, how="left")
    holds = {name: _holds(name) for name in FIELDS}
    kept = F.struct(*(F.when(is_, F.col(f"_corrections.{name}")).alias(name) for name, is_ in holds.items()))
    is_any = F.coalesce(*(F.when(is_, F.lit(True)) for is_ in holds.values()), F.lit(False))
    values = {name: _choose(accounts, name, is_) for name, is_ in holds.items()}
    return beside.withColumns({**values, C.CORRECTIONS: F.when(is_any, F.to_json(kept))}).drop("_corrections")


def correct_accounts(customers: "DataFrame", values: Mapping[str, str], at: datetime) -> "DataFrame":
    """Accounts with values that their holder asked for.

    Args:
        customers: rows of ``vault.customers``.
        values: by field; those of no field of an account change nothing.
        at: when the person asked, UTC.

    Returns:
        The same rows, with what the account said kept in ``corrections``.
    """
    parsed = customers.withColumn("_corrections", F.from_json(C.CORRECTIONS, SCHEMA))
    entries = [_correct(name, values[name], at) if name in values else _former(name) for name in FIELDS]
    changed = {name: F.lit(values[name]).cast(customers.schema[name].dataType) for name in FIELDS if name in values}
    corrected = parsed.withColumn(C.CORRECTIONS, F.to_json(F.struct(*entries))).withColumns(changed)
    return corrected.drop("_corrections")


def _former(name: str) -> "Column":
    return F.col(f"_corrections.{name}").alias(name)


def _correct(name: str, value: str, at: datetime) -> "Column":
    """The entry of a field; of one that was corrected before, the original is what the account said then."""
    former = F.col(f"_corrections.{name}")
    original = F.when(former.isNotNull(), former["replaces"]).otherwise(F.col(name).cast("string"))
    stamp = F.lit(at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return F.struct(F.lit(value).alias("value"), original.alias("replaces"), stamp.alias("at")).alias(name)


def _holds(name: str) -> "Column":
    """True where the field is corrected and the account says what it said then."""
    entry = F.col(f"_corrections.{name}")
    return F.coalesce(
        entry["value"].isNotNull() & F.col(name).cast("string").eqNullSafe(entry["replaces"]), F.lit(False)
    )


def _choose(accounts: "DataFrame", name: str, is_corrected: "Column") -> "Column":
    value = F.col(f"_corrections.{name}")["value"].cast(accounts.schema[name].dataType)
    return F.when(is_corrected, value).otherwise(F.col(name))
