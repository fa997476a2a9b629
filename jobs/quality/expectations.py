"""Run expectations with Great Expectations; the only module that knows it.

Counting comes first: all row-wise expectations share one pass over the rows, and a query is run once. The rows
themselves are looked at only for expectations that failed, and only where their keys are public. Results are read by
``meta``, because Great Expectations puts checks that raised before the others.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from jobs.engine import active_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NUMBER = "number"
QUERY_TYPE = "unexpected_rows_expectation"
COUNT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


def find_configuration_mistakes(type_: str, kwargs: Mapping[str, Any]) -> Iterator[str]:
    """What Great Expectations would refuse about an expectation."""
    _load()
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from pydantic.v1 import ValidationError

    try:
        ExpectationConfiguration(type=type_, kwargs=dict(kwargs)).to_domain_obj()
    except ExpectationNotFoundError:
        yield f"there is no expectation of the type {type_}"
    except ValidationError as error:
        for mistake in error.errors():
            yield f"{'.'.join(str(part) for part in mistake['loc'])}: {mistake['msg']}"


def count_failures(rows: "DataFrame", configurations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Validate rows; one result per expectation, in their order, with counts and no row values."""
    return _validate(rows, configurations, COUNT_FORMAT)


def list_failing_keys(
    rows: "DataFrame", configurations: Sequence[Mapping[str, Any]], key: Sequence[str], *, limit: int
) -> list[list[dict[str, str]]]:
    """Keys of some failing rows per expectation, at most ``limit`` rows each; sorted, without repeats."""
    wanted = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": limit,
        "unexpected_index_column_names": list(key),
        "return_unexpected_index_query": False,
    }
    found: list[list[dict[str, str]]] = []
    for result in _validate(rows, configurations, wanted):
        places = (result.get("result") or {}).get("partial_unexpected_index_list") or []
        distinct = sorted({tuple(str(place.get(name)) for name in key) for place in places})
        found.append([dict(zip(key, values, strict=True)) for values in distinct])
    return found


def read_exception(result: Mapping[str, Any]) -> tuple[str, str] | None:
    """Class and message of the error that a check raised, or none when it ran."""
    information = result.get("exception_info") or {}
    entries = [information] if "raised_exception" in information else list(information.values())
    for entry in entries:
        if entry.get("raised_exception"):
            lines = str(entry.get("exception_message") or "no message").strip().splitlines()
            last = (str(entry.get("exception_traceback") or "").strip().splitlines() or ["Exception"])[-1]
            return last.partition(":")[0].rpartition(".")[2].strip(), lines[0].strip()
    return None


def _load() -> None:
    """Import Great Expectations with everything off that talks to the net or draws on the terminal."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    os.environ.setdefault("TQDM_DISABLE", "1")
    import great_expectations

    logging.getLogger(great_expectations.__name__).setLevel(logging.CRITICAL)


@cache
def _count_queries() -> str:
    """Type of an expectation that counts the rows of a query; ``QUERY_TYPE`` also runs it again and fetches some."""
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

    class CountUnexpectedRows(UnexpectedRowsExpectation):
        metric_dependencies = ("unexpected_rows_query.row_count",)

        def _validate(self, metrics: dict[str, int], *_: object, **__: object) -> dict[str, object]:
            count = metrics["unexpected_rows_query.row_count"]
            return {"success": count == 0, "result": {"observed_value": count}}

    return str(CountUnexpectedRows.expectation_type)


def _validate(
    rows: "DataFrame", configurations: Sequence[Mapping[str, Any]], result_format: Mapping[str, Any]
) -> list[dict[str, Any]]:
    _load()
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    counted = {QUERY_TYPE: _count_queries()}
    numbered = [
        {**entry, "type": counted.get(entry["type"], entry["type"]), "meta": {NUMBER: number}}
        for number, entry in enumerate(configurations)
    ]
    suite = gx.ExpectationSuite(name="rows", expectations=numbered)
    with active_session(rows.sparkSession):
        source = context.data_sources.add_spark("rows", persist=False)
        definition = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("rows")
        batch = definition.get_batch({"dataframe": rows})
        outcome = batch.validate(suite, result_format=dict(result_format))
    results = [result.to_json_dict() for result in outcome.results]
    return sorted(results, key=lambda result: int(result["expectation_config"]["meta"][NUMBER]))
