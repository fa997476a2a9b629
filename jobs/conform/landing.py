"""What landing still has to give: days past its retention, and rows that came before what they belong to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.errors import SophiluxError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    TypeRows = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Waiting:
    """Rows in quarantine that a later pull may make understandable: where they lie, whence they came, and why."""

    quarantine: str
    landing: str
    reasons: tuple[str, ...]


def current_day() -> date:
    """Today, in UTC."""
    return datetime.now(UTC).date()


def check_not_expired(lake: Lake, landing: str, table: str, days: Days) -> None:
    """Keep rows of days that landing no longer has: conforming such a day again would take them out of the lake.

    Args:
        lake: the lake.
        landing: the table the rows came from.
        table: the table they were folded into, with ``pull_day``.
        days: days of the pull.

    Raises:
        SophiluxError: a day is past landing's retention and empty there, and the table holds rows of it.
    """
    first_kept = current_day() - _kept_for(lake, landing)
    landed = {file.partition for file in lake.list_files(landing) if file.rows}
    expired = [day for day in days if day < first_kept and str(day) not in landed]
    if not expired:
        return
    from_pull = F.col(C.PULL_DAY).between(expired[0], expired[-1])
    held = {row[C.PULL_DAY] for row in lake.read(table).where(from_pull).select(C.PULL_DAY).distinct().collect()}
    lost = [day for day in expired if day in held]
    if lost:
        others = f" and of {len(lost) - 1:,} other days" if len(lost) > 1 else ""
        message = (
            f"{table}: landing of {lost[0]}{others} is past its retention; pull the day again first, "
            "else its rows would be removed. Nothing was changed."
        )
        raise SophiluxError(message)


def list_days_to_repeat(lake: Lake, days: Days, waiting: Waiting, type_rows: "TypeRows") -> tuple[date, ...]:
    """Days of other pulls that have a row in quarantine which can be understood by now.

    Args:
        lake: the lake.
        days: days that were conformed just now.
        waiting: rows to look at, from landing's retention before the last of these days on.
        type_rows: gives rows of landing their ``reason``.
    """
    earliest = days.last - _kept_for(lake, waiting.landing)
    held = {date.fromisoformat(f.partition) for f in lake.list_files(waiting.quarantine) if f.rows and f.partition}
    others = [day for day in held if day >= earliest and day not in days]
    if not others:
        return ()
    near = Days(min(others), max(others))
    may_wait = F.col(C.PULL_DAY).isin(*others) & F.col(C.REASON).isin(*waiting.reasons)
    landed = lake.read(waiting.landing, days=near)
    is_of_file = C.SOURCE in landed.columns
    place = (C.PULL_DAY, C.SOURCE, C.POSITION) if is_of_file else (C.PULL_DAY, C.POSITION)
    position = F.col(C.LINE_NO if is_of_file else C.ROW_NO).cast("string")
    rejects = lake.read(waiting.quarantine, days=near).where(may_wait).select(*place)
    rows = landed.withColumn(C.POSITION, position).join(rejects, on=list(place), how="left_semi")
    understood = rows.select(*landed.columns).transform(type_rows).where(F.col(C.REASON).isNull())
    return tuple(sorted(row[C.PULL_DAY] for row in understood.select(C.PULL_DAY).distinct().collect()))


def repeat_days(report: StepReport, days: tuple[date, ...], conform: Callable[[Days], StepReport]) -> StepReport:
    """Conform days again; the report stays that of the asked range, with a warning that it was not all."""
    for day in days:
        conform(Days.single(day))
    if days:
        warning = f"{len(days):,} other days were conformed again, because what some of their rows belong to came later"
        report.warnings.append(warning)
    return report


def _kept_for(lake: Lake, landing: str) -> timedelta:
    retention = lake.contracts[landing].retention
    if retention is None or retention.unit != "d":
        message = f"{landing}: its contract must say in days how long rows are kept."
        raise SophiluxError(message)
    return timedelta(days=retention.value)
