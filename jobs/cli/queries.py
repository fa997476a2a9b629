"""SQL over the lake's tables, by the names their contracts have, and for reading only.

``zone.table`` outside strings and comments becomes a view of this session alone, so that nothing is registered in a
catalogue that others share. Whether a text is a query is the engine's word: it must parse as a subquery.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from jobs.errors import UsageError
from jobs.lake.contracts import ZONES, Contract

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.lake import Lake

SKIPPED: Final = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|--[^\n]*|/\*.*?\*/"
NAME: Final = rf"(?<![\w.`])(?P<zone>{'|'.join(ZONES)})\s*\.\s*(?P<name>\w+)(?P<dot>\s*\.)?"
TOKENS: Final = re.compile(f"(?P<skipped>{SKIPPED})|{NAME}", re.IGNORECASE | re.DOTALL)
FILES: Final = re.compile(
    r"\b(delta|parquet|csv|json|text|orc|avro|binaryfile)`?\s*\.\s*[`\"']|[`\"][^`\"]*[/:\\][^`\"]*[`\"]\s*(?!\s*\.)",
    re.IGNORECASE,
)
QUERY_STARTS: Final = ("select", "with", "values", "(")
NO_ALIAS: Final = re.compile(
    r"\s*($|[),;]|--|/\*|(where|group|order|having|limit|offset|join|left|right|inner|full|cross|natural|semi|anti|on|"
    r"using|union|except|intersect|minus|window|lateral|sort|cluster|distribute|tablesample|pivot|unpivot)\b)",
    re.IGNORECASE,
)


def query(lake: "Lake", text: str, *, restricted: bool) -> "DataFrame":
    """The rows of a query.

    Args:
        lake: whose tables may be named.
        text: one SELECT.
        restricted: whether tables with personal data may be read.

    Raises:
        UsageError: not a query, not a table, or a restricted table that was not asked for.
    """
    from pyspark.errors import PySparkException

    rewritten, tables = rewrite(text, lake.contracts)
    check_readable([lake.contracts[table] for table in tables], restricted=restricted)
    for table in tables:
        lake.read(table).createOrReplaceTempView(name_view(table))
    try:
        _ = lake.session.sql(f"SELECT * FROM (\n{rewritten}\n) AS checked").schema  # noqa: S608
        return lake.session.sql(rewritten)
    except PySparkException as error:
        reason = str(error).splitlines()[0][:300]
        message = f"The query cannot be run: {reason}"
        raise UsageError(message) from None


def rewrite(text: str, contracts: Mapping[str, Contract]) -> tuple[str, list[str]]:
    """A query with views in place of tables, and the tables it names.

    Raises:
        UsageError: it does not start like a query, or names files instead of tables.
    """
    stripped = text.strip().rstrip(";").strip()
    bare = re.sub(SKIPPED, lambda match: "''" if match[0][0] in "'\"" else " ", stripped, flags=re.DOTALL).lstrip()
    if not bare.lower().startswith(QUERY_STARTS):
        message = "Only queries are run here: start with SELECT, WITH or VALUES. Tables change by 'sophilux run'."
        raise UsageError(message)
    if FILES.search(bare):
        message = "Queries name tables, not files; 'sophilux tables' lists them."
        raise UsageError(message)
    known = set(contracts)
    found: list[str] = []

    def place_view(match: re.Match[str]) -> str:
        table = f"{match['zone']}.{match['name']}".lower() if match["zone"] else ""
        if table not in known:
            return match[0]
        if match["dot"]:
            return f"{match['name']}."
        found.append(table)
        alias = f" AS {match['name']}" if NO_ALIAS.match(stripped, match.end()) else ""
        return name_view(table) + alias

    return TOKENS.sub(place_view, stripped), sorted(set(found))


def name_view(table: str) -> str:
    """The session's view of a table."""
    return table.replace(".", "__")


def check_readable(contracts: list[Contract], *, restricted: bool) -> None:
    """Refuse tables with personal data that were not asked for.

    Raises:
        UsageError: says which, and how to ask.
    """
    closed = sorted(contract.name for contract in contracts if contract.is_restricted)
    if closed and not restricted:
        message = (
            f"{', '.join(closed)} may hold personal data, which only those who need it for their task should see; "
            "add --restricted if you do."
        )
        raise UsageError(message)
