"""What is kept of text that may hold anything."""

import pytest
from pyspark.sql import functions as F

from jobs.privacy.minimisation import readings
from jobs.privacy.minimisation.ages import adult_from

CARD = "4111111111111111"


def kept(engine, texts, keep):
    rows = engine.session.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, text string")
    return [row.kept for row in rows.select("n", keep(F.col("text")).alias("kept")).sort("n").collect()]


def test_only_listed_values_are_kept(engine):
    assert kept(engine, ["view", "View", None, ""], lambda t: readings.keep_listed(t, ("view", "buy"))) == [
        "view", None, None, None,
    ]  # fmt: skip


def test_codes_are_kept_and_what_tells_of_people_is_not(engine):
    codes = ["app-7", "Red mug 3", "4000000000006", "0123456789abcdef" * 2]
    assert kept(engine, codes, readings.keep_code) == codes
    others = [CARD, "jane@example.com", "jane%40example.com", "two\nlines", "x" * 65, ""]
    assert kept(engine, others, readings.keep_code) == [None] * len(others)


def test_identifiers_and_parcel_numbers_are_kept_without_cards(engine):
    assert kept(engine, ["o-1", "a b", CARD, None], readings.keep_identifier) == ["o-1", None, None, None]
    long = ["00" + "1" * 18, "92" + "0" * 20, CARD]
    assert kept(engine, long, readings.keep_parcel_number) == [*long[:2], None]
    assert kept(engine, ["Spring sale_1", "a/b", CARD], readings.keep_campaign) == ["Spring sale_1", None, None]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1200", 1200), ("-5", -5), ("999999999", 999_999_999), ("1000000000", None), (CARD, None), (f"-{CARD}", None),
     ("-9223372036854775808", None), ("x", None), ("", None), (None, None)],
)  # fmt: skip
def test_a_measure_has_at_most_nine_digits(engine, text, number):
    assert kept(engine, [text], lambda t: readings.keep_measure(t, "bigint")) == [number]


def test_a_measure_may_have_a_fraction_but_no_end_of_numbers(engine):
    texts = ["55.5", "1e300", "NaN", "Infinity"]
    assert kept(engine, texts, lambda t: readings.keep_measure(t, "double")) == [55.5, None, None, None]


@pytest.mark.parametrize(
    ("born", "adult"),
    [
        ("1990-05-17", "2008-06-01"),
        ("1990-05-01", "2008-06-01"),
        ("1990-12-31", "2009-01-01"),
        ("2000-02-29", "2018-03-01"),
    ],
)
def test_majority_is_the_first_of_the_month_after_the_birthday(engine, born, adult):
    (found,) = kept(engine, [born], lambda text: adult_from(text.cast("date")))
    assert str(found) == adult
