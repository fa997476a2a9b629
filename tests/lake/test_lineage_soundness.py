"""Whatever a plan computes: a value never stands in a column whose lineage lacks the value's own column."""

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyarrow import ArrowException
from pyspark.errors import PySparkException

from jobs.lake.lineage.lookalikes import LookalikeError
from tests.lake.random_plans import plans, tables, values_by_column

pytestmark = [pytest.mark.slow]


@given(data=st.data())
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_value_comes_from_a_column_that_lineage_names(shared_lake, data):
    rows = data.draw(plans(tables(shared_lake.session)))
    try:
        lineages = shared_lake.tracer.trace(rows)
    except LookalikeError:
        assume(False)
    try:
        found = values_by_column(rows)
    except (PySparkException, ArrowException):
        assume(False)
    for name, values in zip(rows.columns, found, strict=True):
        assert values <= {trace.source.split(".")[1] for trace in lineages[name.lower()]}, name
