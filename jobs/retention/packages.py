"""Partners' packages as retention sees them: folders of a day, kept whole or removed whole."""

from collections.abc import Callable
from datetime import date
from typing import Final

from jobs.lake import Contract, Lake
from jobs.people.held_rows import Keeper
from jobs.retention import cleanup, terms
from jobs.retention.plans import Removal, Rule

TABLES: Final = ("exports.additions", "exports.removals", "exports.app_installs", "exports.conversions")
TABLE: Final = TABLES[0]


def plan_packages(lake: Lake, day: date, keeper: Keeper, name_rule: Callable[[Contract, date], Rule]) -> list[Removal]:
    """Packages past the longest term of their tables; none where there are none."""
    cutoff = max(terms.find_cutoff(r, day) for r in (lake.contracts[table].retention for table in TABLES) if r)
    packages = cleanup.list_packages(lake.home)
    old = [package for package in packages if package.day < cutoff]
    if not old:
        return []
    held = {package.folder: keeper.holds_of_package(package.folder, package.day) for package in old}
    going = [package for package in old if not held[package.folder]]
    return [
        Removal(
            table=TABLE,
            table_id=None,
            version=None,
            rule=name_rule(lake.contracts[TABLE], cutoff),
            folders=tuple(package.folder for package in going),
            rows=sum(package.rows for package in going),
            bytes=sum(package.bytes for package in going),
            table_rows=sum(package.rows for package in packages),
            youngest=max((package.day for package in going), default=None),
            held=sum(package.rows for package in old if held[package.folder]),
            holds=tuple(sorted({hold.hold_id for holds in held.values() for hold in holds})),
        )
    ]
