"""Amounts in one currency, by the rate of the day; a currency without a rate stops everything."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.conform.currencies import CENTS, add_cents, check_rates, convert_prices
from jobs.errors import ContractError

LINES = "day date, order_id string, quantity bigint, unit_price decimal(12,2), currency string"
RATES = "currency string, valid_from date, rate decimal(18,8), reporting_currency string"
KNOWN = [
    ("USD", date(2024, 1, 1), Decimal("0.9"), "EUR"),
    ("USD", date(2024, 1, 10), Decimal("0.95"), "EUR"),
    ("JPY", date(2024, 1, 1), Decimal("0.0062"), "EUR"),
    ("GBP", date(2024, 1, 1), Decimal("1.3"), "USD"),
]


@pytest.fixture
def cents(engine):
    def value(*lines):
        rows = [
            (day, f"o{n}", quantity, Decimal(price), currency)
            for n, (day, quantity, price, currency) in enumerate(lines)
        ]
        frame = engine.session.createDataFrame(rows, LINES)
        return add_cents(frame, engine.session.createDataFrame(KNOWN, RATES), reporting="EUR")

    return value


def values(frame):
    return [row[CENTS] for row in frame.orderBy("order_id").collect()]


def test_an_amount_is_valued_by_the_rate_of_its_day(cents):
    days = [date(2024, 1, 1), date(2024, 1, 9), date(2024, 1, 10), date(2024, 3, 1)]
    assert values(cents(*((day, 2, "10.00", "USD") for day in days))) == [1800, 1800, 1900, 1900]


def test_without_a_currency_or_in_the_reporting_one_an_amount_is_what_it_is(cents):
    assert values(cents((date(2024, 1, 1), 3, "0.29", None), (date(1990, 1, 1), 1, "5.00", "EUR"))) == [87, 500]


def test_a_currency_without_a_rate_is_named_with_its_first_day(cents):
    frame = cents(
        (date(2024, 1, 5), 1, "1.00", "GBP"),
        (date(2023, 12, 31), 1, "1.00", "USD"),
        (date(2024, 1, 2), 1, "1.00", "USD"),
    )
    with pytest.raises(
        ContractError, match="no rate to EUR for GBP on 2024-01-05, USD on 2023-12-31; nothing was published"
    ):
        check_rates(frame, reporting="EUR")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 500), st.decimals(0, 5000, places=2)), min_size=1, max_size=20))
def test_values_are_those_of_exact_arithmetic(cents, lines):
    found = cents(*((date(2024, 1, 2), quantity, str(price), "JPY") for quantity, price in lines)).collect()
    expected = {f"o{n}": quantity * price * Decimal("0.62") for n, (quantity, price) in enumerate(lines)}
    assert all(abs(row[CENTS] - expected[row.order_id]) <= Decimal("0.500001") for row in found)


def test_prices_are_converted_piece_by_piece(engine):
    lines = engine.session.createDataFrame([(date(2024, 1, 2), "o1", 7, Decimal("10.00"))], LINES.rpartition(",")[0])
    orders = engine.session.createDataFrame([("o1", "USD")], "order_id string, currency string")
    rates = engine.session.createDataFrame(KNOWN, RATES)
    (row,) = convert_prices(lines, orders, rates, reporting="EUR").collect()
    assert (row.quantity, row.unit_price) == (7, Decimal("9.00"))
