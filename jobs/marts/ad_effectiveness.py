"""``marts.ad_effectiveness``: what a partner's campaigns brought per ISO week, as noisy numbers only.

A purchase belongs to the last ad that its buyer was shown by the partner before it, while that ad counts. A week is
released once it has ended and no purchase can count for it any more, so that its numbers do not change by waiting.

The released numbers of a week and partner are differentially private for every human, all of a human's addresses and
accounts taken together: who was in it and who was not cannot be told apart beyond what the budget allows. One human
counts in at most ``MAX_CAMPAIGNS`` campaigns of the partner, once in each number of people, and with at most
``REVENUE_CAP``. The exact numbers are never stored; :mod:`jobs.privacy.budget.ledger` keeps a keyed digest of them.
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.conform.currencies import convert_prices, read_rates
from jobs.errors import BudgetError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.attribution import (
    ALL,
    MAX_CAMPAIGNS,
    PERSON,
    REVENUE_CAP,
    bound_contributions,
    count_campaigns,
    name_people,
    sum_contributions,
    touch_last,
)
from jobs.marts.periods import WEEK, Period, period_of
from jobs.marts.purchases import keep_sales
from jobs.privacy.budget.ledger import Release, charge, mark_published
from jobs.privacy.budget.noise import add_noise, find_interval, find_threshold
from jobs.privacy.keyring import open_keyring
from jobs.privacy.shuffling import add_order, order_key
from jobs.quality import gate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE: Final = "marts.ad_effectiveness"
IMPRESSIONS, ORDERS, ORDER_LINES = "lake.impressions", "lake.orders", "lake.order_lines"
DATASET: Final = "impressions"
PEOPLE: Final = math.sqrt(MAX_CAMPAIGNS + 1)
"""Length of the largest change by one human: 1 in each campaign, and 1 in the row of all."""
MONEY: Final = REVENUE_CAP * math.sqrt(2)
"""The cap spread over campaigns, and the cap in the row of all."""
RHO: Final = 0.005
"""Of one release; three partners' weeks fit into a month of the budget that comes with the program."""
DELTA: Final = 1e-6
SHARES: Final = {C.REACHED: 0.4, C.CLICKED: 0.2, C.BOUGHT: 0.2, C.REVENUE: 0.2}
"""Of ``RHO``. Most goes to the people reached, because they decide over what is published."""
SENSITIVITIES: Final = {C.REACHED: PEOPLE, C.CLICKED: PEOPLE, C.BOUGHT: PEOPLE, C.REVENUE: MONEY}
LONGEST_WINDOW: Final = timedelta(days=90)
_CHOICE, _WINDOW, _IS_NEW = "_choice", "_window", "_is_new"


@dataclass(frozen=True, order=True)
class Part:
    """What is released at once: one week of one partner, closed on the last day on which a purchase may count."""

    week: Period
    partner: str
    closed_on: date

    @property
    def name(self) -> str:
        """The release's name, the same in every re-run."""
        return f"week {self.week.id} of {self.partner}"

    @property
    def days(self) -> Days:
        """Days of the impressions and purchases that it depends on."""
        return Days(self.week.start, self.closed_on)


def publish_noisy(exact: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Numbers with noise and their margins, of campaigns that enough people were reached by, and of all together.

    Args:
        exact: rows of :func:`count_campaigns`, to which one human adds no more than ``SENSITIVITIES``.

    Returns:
        ``campaign``, and each number with its ``…_margin``; numbers below zero are told as zero.
    """
    rows = [{C.CAMPAIGN: row[C.CAMPAIGN]} for row in exact]
    for name, share in SHARES.items():
        cost = {"rho": RHO * share, "sensitivity": SENSITIVITIES[name]}
        margin = find_interval(**cost)
        for row, number in zip(rows, add_noise([row[name] for row in exact], **cost), strict=True):
            row |= {name: max(0, number), f"{name}_margin": margin}
    threshold = find_release_threshold()
    return [row for row in rows if row[C.CAMPAIGN] == ALL or row[C.REACHED] >= threshold]


def find_release_threshold() -> int:
    """Noisy number of people reached that a campaign needs for its name to be published."""
    rho = RHO * SHARES[C.REACHED]
    return find_threshold(rho=rho, sensitivity=PEOPLE, groups=MAX_CAMPAIGNS, delta=DELTA)


def find_parts(impressions: "DataFrame", days: Days) -> list[Part]:
    """Weeks that closed on ``days``, and closed ones of which something was pulled on them."""
    window = F.max(F.datediff(C.COUNTS_UNTIL, C.DAY)).alias(_WINDOW)
    pulled = F.max(F.col(C.PULL_DAY).between(days.first, days.last)).alias(_IS_NEW)
    by_day = impressions.groupBy(C.PARTNER, C.DAY).agg(window, pulled).collect()
    windows: dict[tuple[Period, str], int] = {}
    news: set[tuple[Period, str]] = set()
    for row in by_day:
        part = (period_of(WEEK, row[C.DAY]), row[C.PARTNER])
        windows[part] = max(row[_WINDOW], windows.get(part, 0))
        news |= {part} if row[_IS_NEW] else set()
    parts = [Part(week, name, week.days.last + timedelta(days)) for (week, name), days in windows.items()]
    closed = (part for part in parts if part.closed_on <= days.last)
    return sorted(part for part in closed if part.closed_on in days or (part.week, part.partner) in news)


def run(lake: Lake, days: Days) -> StepReport:
    """Release the weeks that closed on ``days``, and closed ones for which partners reported more on them.

    Raises:
        BudgetError: a release would overspend the budget, or the ledger was changed by hand; the others were released,
            and the last release of this one stays in place.
        CommitConflictError: another run published the same week meanwhile; nothing of this one was.
        GateError: a week did not pass its expectations and was not published.
    """
    with lake.alone(TABLE):
        return _release_all(lake, days)


def _release_all(lake: Lake, days: Days) -> StepReport:
    reach = Days(days.first - LONGEST_WINDOW - timedelta(7), days.last)
    rows_out, refused = 0, []
    recent = lake.read(IMPRESSIONS).where(
        F.col(C.PULL_DAY).between(days.first, days.last) | F.col(C.DAY).between(reach.first, reach.last)
    )
    for part in find_parts(recent, days):
        try:
            rows_out += _release(lake, part)
        except BudgetError as error:
            refused.append(str(error))
    if refused:
        raise BudgetError(" ".join(refused))
    return StepReport(rows_in=lake.count(IMPRESSIONS), rows_out=rows_out)


def _release(lake: Lake, part: Part) -> int:
    """Publish one week of one partner, unless the table holds it; returns its rows."""
    exact = _count_exactly(lake, part)
    week = part.week.days
    method = json.dumps([MAX_CAMPAIGNS, REVENUE_CAP, SHARES, exact])
    release = Release(DATASET, TABLE, part.name, week.first, week.last, RHO, DELTA, method.encode())
    # The files first: whatever is published from here on is a conflict for what is drawn below.
    files, held = lake.current_files(TABLE, [part.week.id]), lake.read_records(TABLE, [part.week.id])
    ids = {row[C.RELEASE_ID] for row in held}
    paid = charge(lake, release, holds=ids.__contains__, at=datetime.now(UTC))
    fresh: list[dict[str, Any]] = []
    if not paid.is_standing:
        whole = {C.WEEK: part.week.id, C.WEEK_START: part.week.start, C.PARTNER: part.partner}
        fresh = [{**whole, **row, C.RELEASE_ID: paid.release_id} for row in publish_noisy(exact)]
        _publish(lake, part, held, fresh, files)
    mark_published(lake, release, paid.release_id, at=datetime.now(UTC))
    return len(fresh)


def _publish(
    lake: Lake, part: Part, held: list[dict[str, Any]], fresh: list[dict[str, Any]], base: frozenset[str]
) -> None:
    """Put a partner's rows beside those that the week holds of other partners."""
    others = [row for row in held if row[C.PARTNER] != part.partner]
    contract = lake.contracts[TABLE]
    values = [tuple(row[name] for name in contract.column_names) for row in (*others, *fresh)]
    rows = lake.session.createDataFrame(values, contract.engine_schema())
    lake.replace(TABLE, rows, partitions=[part.week.id], gate=gate(lake, TABLE), base=base)


def _count_exactly(lake: Lake, part: Part) -> list[dict[str, Any]]:
    """Exact numbers of bounded contributions, for the noise and nobody else, by campaign's name."""
    subjects = lake.read("lake.subjects")
    shown = lake.read(IMPRESSIONS, days=part.days).where(F.col(C.PARTNER) == part.partner)
    impressions = shown.transform(name_people, subjects)
    lines, orders = (lake.read(table, days=part.days) for table in (ORDER_LINES, ORDERS))
    valued = convert_prices(lines, orders, read_rates(lake), reporting=lake.settings.currency)
    sales = keep_sales(valued, orders, lake.read("lake.products")).where(F.col(C.SUBJECT_ID).isNotNull())
    touches = touch_last(impressions, sales.transform(name_people, subjects))
    of_week = F.col(C.DAY).between(part.week.days.first, part.week.days.last)
    contributions = sum_contributions(impressions.where(of_week), touches.where(of_week))
    key = order_key(open_keyring(lake.settings), f"{TABLE}/{part.partner}", part.week.id)
    text = F.concat_ws(" ", PERSON, C.CAMPAIGN)
    ordered = add_order(contributions, by=text, name=_CHOICE, key=key, session=lake.session)
    rows = bound_contributions(ordered, by=_CHOICE).transform(count_campaigns).collect()
    return sorted((row.asDict() for row in rows), key=lambda row: str(row[C.CAMPAIGN]))
