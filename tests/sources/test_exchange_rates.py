"""The file of exchange rates: whole, or refused with every mistake in it."""

from datetime import date
from decimal import Decimal

import pytest

from jobs.errors import UsageError
from jobs.lake import Days
from jobs.sources import exchange_rates
from jobs.sources.exchange_rates import read_rates

TODAY = Days.single(date(2024, 1, 3))
GOOD = "currency,valid_from,rate\nUSD,2024-01-01,0.9\nUSD,2024-02-01,0.95\nJPY,2024-01-01,0.0062\n"


@pytest.fixture
def write(lake):
    def put(text):
        lake.settings.rates.parent.mkdir(parents=True, exist_ok=True)
        lake.settings.rates.write_text(text)
        return lake.settings.rates

    return put


def test_rates_become_a_table_that_the_next_file_replaces(lake, write):
    write(GOOD)
    assert exchange_rates.run(lake, TODAY).rows_out == 3
    write("currency,valid_from,rate\nUSD,2024-01-01,0.91\n")
    exchange_rates.run(lake, TODAY)
    (row,) = lake.read("lake.exchange_rates").collect()
    assert (row.currency, row.valid_from, row.rate) == ("USD", date(2024, 1, 1), Decimal("0.91"))
    assert row.reporting_currency == "EUR"


def test_a_shop_of_one_currency_needs_no_file(lake):
    assert exchange_rates.run(lake, TODAY).rows_out == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("money,rate\n", "line 1: the columns must be currency, valid_from, rate"),
        ("currency,valid_from,rate\nusd,2024-01-01,1\n", "line 2: currency must be three capital letters"),
        ("currency,valid_from,rate\nEUR,2024-01-01,1\n", "EUR is the reporting currency"),
        ("currency,valid_from,rate\nUSD,yesterday,1\n", "valid_from must be a day"),
        ("currency,valid_from,rate\nUSD,2024-01-01,free\n", "rate must be a number"),
        ("currency,valid_from,rate\nUSD,2024-01-01,0\n", "rate must be above 0"),
        ("currency,valid_from,rate\nUSD,2024-01-01,-1\n", "rate must be above 0"),
        ("currency,valid_from,rate\nUSD,2024-01-01,NaN\n", "rate must be above 0"),
        (
            "currency,valid_from,rate\nUSD,2024-01-01,1\nUSD,2024-01-01,2\n",
            "line 3: the same currency and day stand twice",
        ),
        ("currency,valid_from,rate\nUSD,2024-01-01,1,5\n", "too many values"),
    ],
)
def test_a_file_with_mistakes_is_refused_by_line(write, text, told):
    with pytest.raises(UsageError, match=told) as caught:
        read_rates(write(text), "EUR")
    assert "\n" not in str(caught.value)


def test_a_refused_file_leaves_the_rates_as_they_were(lake, write):
    write(GOOD)
    exchange_rates.run(lake, TODAY)
    write("currency,valid_from,rate\nUSD,2024-01-01,-1\nXXX\n")
    with pytest.raises(UsageError, match=r"line 2: .*; line 3: "):
        exchange_rates.run(lake, TODAY)
    assert lake.count("lake.exchange_rates") == 3
