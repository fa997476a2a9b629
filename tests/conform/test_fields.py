"""Text of landing rows becomes types by stated rules, never by what an engine happens to accept."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from jobs.conform import fields


@pytest.fixture(scope="module")
def read(engine):
    session = engine.session

    def read(reader, *texts):
        frame = session.createDataFrame(list(enumerate(texts)), "place int, text string")
        return [row.value for row in frame.select("place", reader.alias("value")).orderBy("place").collect()]

    return read


def test_reads_times_as_databases_and_iso_write_them(read):
    at_ten = int(datetime(2024, 1, 31, 10, tzinfo=UTC).timestamp() * 1_000_000)
    texts = [
        "2024-01-31 10:00:00",
        "2024-01-31T10:00:00Z",
        " 2024-01-31 10:00:00.000000+00:00 ",
        "2024-01-31 12:00:00+02",
    ]
    assert read(F.unix_micros(fields.read_time("text")), *texts) == [at_ten] * 4
    assert read(F.unix_micros(fields.read_time("text")), "2024-01-31 10:00:00.25") == [at_ten + 250_000]


def test_reads_no_time_from_what_is_none(read):
    texts = ["", None, "soon", "2024-01-31", "2024-02-30 10:00:00", "2024-01-31 25:00:00", "31.01.2024 10:00:00"]
    assert read(fields.read_time("text"), *texts) == [None] * 7


def test_reads_the_day_of_a_date_or_a_time(read):
    texts = ["1990-05-17", "1990-05-17T00:00:00Z", "1990-02-30", "17.5.1990", "unknown"]
    assert read(fields.read_date("text"), *texts) == [date(1990, 5, 17)] * 2 + [None] * 3


def test_reads_flags_and_decides_missing_and_unclear_as_told(read):
    texts = ["1", "T", "true", "0", "f", "False", None, " ", "maybe"]
    expected = [True] * 3 + [False] * 3
    assert read(fields.read_flag("text", missing=False, unclear=True), *texts) == [*expected, False, False, True]


def test_rounds_prices_half_away_from_zero(read):
    texts = ["1.005", "2.675", "0.125", "3.995", "0.30000000000000004", "-0.005"]
    expected = [Decimal(text) for text in ("1.01", "2.68", "0.13", "4.00", "0.30", "-0.01")]
    assert read(fields.round_price(fields.read_number("text")), *texts) == expected


def test_reads_no_price_from_exponents_separators_and_what_overflows(read):
    texts = ["1e3", "1,5", "NaN", "", "99999999999.00", "4 EUR"]
    assert read(fields.round_price(fields.read_number("text")), *texts) == [None] * 6


def test_reads_whole_numbers_also_with_a_zero_fraction(read):
    assert read(fields.read_whole_number("text"), "6", "6.0", "-2", "2.5", "x", None) == [6, 6, -2, None, None, None]


def test_names_the_first_rule_broken_and_skips_conditions_that_are_null(read):
    rules = {"a": F.lit(None).cast("boolean"), "b": F.col("text") == "x", "c": F.lit(True)}
    assert read(fields.first_broken(rules), "x", "y", None) == ["b", "c", "c"]
