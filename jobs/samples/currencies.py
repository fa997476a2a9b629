"""Currencies of the generated shop: most countries pay in the shop's own, some in theirs, at two rates a period."""

from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np

from jobs.samples.drops import write_csv
from jobs.samples.plan import Numbers, Plan
from jobs.samples.words import COUNTRIES
from jobs.settings import Settings

REPORTING: Final = "EUR"
RATES: Final = {"GBP": 1.17, "SEK": 0.088, "USD": 0.92, "PLN": 0.23, "JPY": 0.0062, "CNY": 0.128}
"""What a unit was worth in the shop's own currency at first; from the middle of the period on it is worth more."""
PAID_IN: Final = {"GB": "GBP", "SE": "SEK", "US": "USD", "PL": "PLN", "JP": "JPY", "CN": "CNY"}
RISE: Final = 1.02
_BY_COUNTRY: Final = tuple(PAID_IN.get(country) for country in COUNTRIES)
_FACTORS: Final = np.array([1 / RATES[currency] if currency else 1.0 for currency in _BY_COUNTRY])


def name_currencies(countries: Numbers) -> list[str | None]:
    """The currency that each order was paid in, none for the shop's own."""
    return [_BY_COUNTRY[number] for number in countries]


def charge(
    prices: np.ndarray[tuple[int], np.dtype[np.float64]], countries: Numbers
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Prices in the currency of each country."""
    charged: np.ndarray[tuple[int], np.dtype[np.float64]] = np.round(prices * _FACTORS[countries], 2)
    return charged


def write_rates(settings: Settings, plan: Plan) -> None:
    """Replace the file of exchange rates; a shop of another reporting currency than ours has to write its own."""
    half = plan.first_day + timedelta(days=plan.days // 2)
    rows = [
        (currency, day.isoformat(), f"{rate * rise:.6f}")
        for currency, rate in RATES.items()
        for day, rise in ((plan.first_day, 1.0), (half, RISE))
        if day > plan.first_day or rise == 1.0
    ]
    write_csv(Path(settings.rates), ("currency", "valid_from", "rate"), rows)
