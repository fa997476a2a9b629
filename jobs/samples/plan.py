"""The size and the period of a generated shop."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

DAY_S: Final = 86_400
DAY_MS: Final = 86_400_000
HOUR_WEIGHTS: Final = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 12, 14, 16, 17, 15, 10, 6)


@dataclass(frozen=True)
class Plan:
    """How large the shop is and which days it covers; times are counted from the start of the first day, in UTC."""

    first_day: date
    days: int
    customers: int
    events: int
    seed: int

    @property
    def epoch_s(self) -> int:
        """Start of the first day in seconds since 1970."""
        first = datetime(self.first_day.year, self.first_day.month, self.first_day.day, tzinfo=UTC)
        return int(first.timestamp())

    @property
    def seconds(self) -> int:
        """Length of the period."""
        return self.days * DAY_S

    def day_name(self, number: int) -> str:
        """ISO date of the day with this number, from 0."""
        return (self.first_day + timedelta(days=number)).isoformat()

    def random(self, topic: int) -> np.random.Generator:
        """A generator of its own per topic, so that changing one topic leaves the others as they were."""
        return np.random.Generator(np.random.PCG64([self.seed, topic]))

    def draw_seconds(self, random: np.random.Generator, size: int) -> Numbers:
        """Times within the period, few at night and many in the evening."""
        weights = np.array(HOUR_WEIGHTS) / sum(HOUR_WEIGHTS)
        hours = random.choice(24, size, p=weights)
        return random.integers(0, self.days, size) * DAY_S + hours * 3600 + random.integers(0, 3600, size)
