"""The types contracts may use, in the words of the engine and of Arrow."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import DataType, StructType

NAMES = ("string", "boolean", "int", "bigint", "double", "date", "timestamp", "binary")
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


def is_known(name: str) -> bool:
    """True for the types a contract may name."""
    return name in NAMES or _DECIMAL.fullmatch(name) is not None


def engine_schema(columns: Iterable[tuple[str, str]]) -> "StructType":
    """Names and type names to the engine's schema; every field nullable."""
    from pyspark.sql import types as spark

    return spark.StructType([spark.StructField(name, _engine_type(type_)) for name, type_ in columns])


def arrow_schema(columns: Iterable[tuple[str, str]]) -> "pa.Schema":
    """Names and type names to Arrow's schema; timestamps are microseconds in UTC."""
    import pyarrow as pa

    return pa.schema([(name, _arrow_type(type_)) for name, type_ in columns])


def _engine_type(name: str) -> "DataType":
    from pyspark.sql import types as spark

    if decimal := _DECIMAL.fullmatch(name):
        return spark.DecimalType(int(decimal[1]), int(decimal[2]))
    plain = {
        "string": spark.StringType(),
        "boolean": spark.BooleanType(),
        "int": spark.IntegerType(),
        "bigint": spark.LongType(),
        "double": spark.DoubleType(),
        "date": spark.DateType(),
        "timestamp": spark.TimestampType(),
        "binary": spark.BinaryType(),
    }
    return plain[name]


def _arrow_type(name: str) -> "pa.DataType":
    import pyarrow as pa

    if decimal := _DECIMAL.fullmatch(name):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    plain = {
        "string": pa.string(),
        "boolean": pa.bool_(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "binary": pa.binary(),
    }
    return plain[name]
