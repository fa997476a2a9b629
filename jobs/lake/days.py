"""Ranges of days, the unit every step works on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from jobs.errors import UsageError


@dataclass(frozen=True)
class Days:
    """All days from ``first`` to ``last``, both included, in UTC."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            message = f"--until must not be before --day, got {self.first} to {self.last}."
            raise UsageError(message)

    @classmethod
    def single(cls, day: date) -> "Days":
        """The range of one day."""
        return cls(day, day)

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(n) for n in range(len(self)))

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"
