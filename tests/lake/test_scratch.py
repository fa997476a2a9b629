"""Rows that are computed once; on Spark see :mod:`tests.engines.test_parity`."""

from tests.lake.sliced import EXPECTED, read_sliced


def test_rows_kept_by_a_column_are_read_by_it(lake):
    assert read_sliced(lake) == EXPECTED
