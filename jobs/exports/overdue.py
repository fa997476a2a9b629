"""Packages for partners who have none of a day yet although it is late: whoever opted out must not wait for the clicks.

They are packages like any other, made of what is in: whoever may no longer be in an audience is removed, and segments,
apps and purchases are as of the last day that is known whole, which the manifest names.
"""

from datetime import date

from jobs.exports import packages, register
from jobs.exports.partners import find_recipients, load_eligibility
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport


def has_package(lake: Lake, partner: str, day: date) -> bool:
    """Whether a partner was sent the package of a day, or of a later one."""
    return any(entry[C.DAY] >= day for entry in register.list_entries(lake, partner))


def list_waiting(lake: Lake, day: date | None) -> list[str]:
    """Names of the partners who were sent neither a day's package nor a later one; without a day, of all."""
    names = [partner.name for partner in find_recipients(lake.settings.partners)]
    return [name for name in names if day is None or not has_package(lake, name, day)]


def is_overdue(lake: Lake, partner: str, day: date) -> bool:
    """Whether a partner was told of people, and has no package of the day; who was told of nobody can wait."""
    return bool(register.list_entries(lake, partner)) and not has_package(lake, partner, day)


def run(lake: Lake, days: Days) -> StepReport:
    """Export the last day's packages that are overdue.

    Raises:
        SophiluxError: some could not be exported; the others were.
    """
    file, day = lake.settings.partners, days.last
    late = [partner for partner in find_recipients(file) if is_overdue(lake, partner.name, day)]
    return packages.export_all(lake, late, day, rules=load_eligibility(file))
