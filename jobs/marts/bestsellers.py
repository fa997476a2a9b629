"""``marts.bestsellers``: the charts that are published, as noisy numbers only.

A period is released when its last day is run; again when late orders restated its exact chart, or when somebody runs
its last day again and the numbers changed. Charts go by distinct buyers. Products are those of the catalogue, which
anybody can see; names of countries come from the data, so a country's product needs enough buyers to be named. The
chart of a category is read off the numbers of all countries together and costs nothing.

Of two runs at once the second waits for the first and finds its releases. Where nothing can be locked, the one that
publishes second has a conflict, throws away what it drew, and finds them when it runs again.

The released numbers are differentially private for every human, all addresses and accounts taken together: see
docs/privacy-numbers.md. The exact numbers stay in ``marts.bestsellers_exact``; the ledger keeps a keyed digest of them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.errors import BudgetError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.commits import TableFile
from jobs.lake.reports import StepReport
from jobs.marts.bounding import bound_contributions, count_cells, order_movements, tabulate_limits
from jobs.marts.charts import (
    CHART,
    OVERALL,
    SCOPE_KEY,
    add_scopes,
    add_weeks,
    describe_products,
    move_places,
    read_weekly,
)
from jobs.marts.movements import ORDER_LINES, PRODUCTS, read_movements
from jobs.marts.periods import (
    ORDINAL,
    RESTATED,
    Period,
    build_calendar,
    describe_periods,
    find_ending,
    list_days,
    period_from,
)
from jobs.marts.releases import (
    CUTOFF,
    DELTA,
    NUMBERS,
    SCALES,
    Account,
    fill_zeros,
    keep_significant,
    list_planned,
    tabulate_accounts,
    tabulate_cuts,
    tabulate_noise,
)
from jobs.marts.restatements import COUNT, HIGH, LATE_ORDERS, LOW, sum_hashes
from jobs.marts.utility import UTILITY, measure_utility
from jobs.privacy.budget.allowances import Budgets, ChartTerms, load_budgets
from jobs.privacy.budget.ledger import Release, charge_all, mark_all_published
from jobs.privacy.budget.noise import draw_noise, find_epsilon
from jobs.privacy.keyring import open_keyring
from jobs.privacy.shuffling import order_key
from jobs.quality import gate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE: Final = "marts.bestsellers"
EXACT: Final = "marts.bestsellers_exact"
RUN_AGAIN: Final = "run again"
LOOK_BACK: Final = timedelta(92)
"""How long ago a period may have ended that late orders restate by themselves; running its last day always does."""


def digest_cells(cells: "DataFrame", periods: Sequence[Period]) -> dict[Period, str]:
    """Text that tells whether the exact numbers of a period changed; they themselves cannot be read off it.

    Args:
        cells: of :func:`jobs.marts.bounding.count_cells`.
        periods: those that are counted.
    """
    told = (F.coalesce(C.COUNTRY, F.lit("")), C.PRODUCT_ID, *NUMBERS)
    rows = cells.groupBy(ORDINAL).agg(*sum_hashes(*told)).collect()
    found = {row[ORDINAL]: f"{row[COUNT]}:{row[LOW]}:{row[HIGH]}" for row in rows}
    return {period: found.get(period.ordinal, "0") for period in periods}


def make_releases(digests: Mapping[Period, str], terms: ChartTerms) -> dict[Period, Release]:
    """A release of each period, under the costs that the terms state."""
    method = json.dumps(terms.tell(), sort_keys=True)
    return {
        period: Release(
            dataset=terms.dataset,
            table=TABLE,
            name=period.id,
            first_day=period.start,
            last_day=period.last,
            rho=terms.windows[period.kind].rho,
            delta=DELTA,
            exact=f"{method}:{digest}".encode(),
        )
        for period, digest in digests.items()
    }


def rank_noisy(noisy: "DataFrame", products: "DataFrame") -> "DataFrame":
    """The first ``CHART`` places of every chart, by noisy buyers; numbers below zero are told as zero.

    Args:
        noisy: cells with noise that are to be shown.
        products: the catalogue.
    """
    counted = noisy.withColumns({name: F.greatest(F.col(name), F.lit(0)) for name in (C.UNITS, C.REVENUE)})
    chart = Window.partitionBy(ORDINAL, *SCOPE_KEY).orderBy(F.desc(C.BUYERS), C.PRODUCT_ID)
    ranked = counted.transform(add_scopes, products).withColumn(C.RANK, F.row_number().over(chart))
    return ranked.where(F.col(C.RANK) <= CHART)


def run(lake: Lake, days: Days) -> StepReport:
    """Release the periods that ended on ``days``, and earlier ones whose charts late orders restated.

    Raises:
        BudgetError: a period that ended on ``days`` would overspend the budget, or the ledger was changed by hand; the
            others were released, and the last releases of those that were refused stay in place.
        CommitConflictError: another run published the same periods meanwhile; nothing of this one was.
        GateError: the charts did not pass their expectations; the last good ones stay.
    """
    with lake.alone(TABLE):
        return _release(lake, days)


def _release(lake: Lake, days: Days) -> StepReport:
    budgets = load_budgets(lake.settings.budgets)
    terms = budgets.charts
    due = find_due(lake, days, terms)
    products = lake.read(PRODUCTS).where(C.IS_MERCHANDISE)
    catalogue = products.count()
    if not (due and catalogue):
        return StepReport(rows_in=0, rows_out=0, warnings=[f"{TABLE}: there is no product to publish for {days}."])
    periods, epochs = sorted(due), lambda epoch: list_planned(terms, epoch)
    with _count(lake, periods, products, terms) as cells:
        releases = make_releases(digest_cells(cells, periods), terms)
        # The files first: whatever is published from here on is a conflict for what is drawn below.
        files, held = lake.list_files(TABLE), _list_held(lake, periods)
        at, listed = datetime.now(UTC), [releases[period] for period in periods]
        outcomes = charge_all(lake, listed, holds=held.__contains__, at=at, planned=epochs)
        paid = {period: o for period in periods if not isinstance(o := outcomes[period.id], BudgetError)}
        fresh = {period: charge.release_id for period, charge in paid.items() if not charge.is_standing}
        accounts = _open_accounts(lake, fresh, due, budgets, at)
        rows = _publish(lake, cells, accounts, terms, catalogue, files) if accounts else 0
    mark_all_published(lake, {c.release_id: releases[p] for p, c in paid.items()}, at=datetime.now(UTC))
    refused = {period: str(o) for period in periods if isinstance(o := outcomes[period.id], BudgetError)}
    if own := [text for period, text in refused.items() if period.last in days]:
        raise BudgetError(" ".join(own))
    counted = sum(lake.count(ORDER_LINES, days=part) for part in list_days(periods, with_previous=False))
    return StepReport(rows_in=counted, rows_out=rows, warnings=list(refused.values()))


@contextmanager
def _count(lake: Lake, periods: Sequence[Period], products: "DataFrame", terms: ChartTerms) -> "Iterator[DataFrame]":
    """Exact counts of bounded contributions, computed once."""
    key = order_key(open_keyring(lake.settings), TABLE, None)
    calendar = build_calendar(lake.session, periods, with_previous=False)
    limits = tabulate_limits(lake.session, periods, terms)
    with read_movements(lake, list_days(periods, with_previous=False)) as movements:
        ordered = order_movements(movements.frame, products, key=key)
        bounded = bound_contributions(ordered, calendar, limits, terms=terms)
        with lake.scratch(count_cells(bounded)) as cells:
            yield cells.frame


def find_due(lake: Lake, days: Days, terms: ChartTerms) -> dict[Period, str]:
    """Periods to release, with the reason where it is not the first time."""
    ending = dict.fromkeys(find_ending(days, terms.windows), RUN_AGAIN)
    exact, published = lake.read(EXACT), lake.read(TABLE)  # First, because columns need a session.
    recent = F.col(C.PERIOD_END).between(days.first - LOOK_BACK, days.last) & F.col(C.PERIOD).isin(*RESTATED)
    is_late = F.contains(C.RESTATED_WHY, F.lit(LATE_ORDERS))
    key = (C.PERIOD, C.PERIOD_START)
    changed = exact.where(recent & is_late).groupBy(*key).agg(F.max(C.RESTATED_AT).alias(C.RESTATED_AT))
    told = published.where(recent).groupBy(*key).agg(F.max(C.RELEASED_AT).alias(C.RELEASED_AT))
    both = changed.join(told, list(key), how="inner").where(F.col(C.RESTATED_AT) > F.col(C.RELEASED_AT)).collect()
    late = {period_from(row[C.PERIOD], row[C.PERIOD_START]): LATE_ORDERS for row in both}
    return {**{period: why for period, why in late.items() if period.kind in terms.windows}, **ending}


def _list_held(lake: Lake, periods: Sequence[Period]) -> set[str]:
    """Ids of the releases that the table holds; of those without any place the ledger of utility knows."""
    of_periods = F.col(C.PERIOD_ID).isin([period.id for period in periods])
    shown = lake.read(TABLE).where(of_periods & F.col(C.RELEASE_ID).isNotNull()).select(C.RELEASE_ID)
    is_empty = (F.col(C.PLACES) == 0) & (F.col(C.SCOPE) == OVERALL)
    empty = lake.read(UTILITY).where(of_periods & is_empty).select(C.RELEASE_ID)
    return {row[C.RELEASE_ID] for row in shown.unionByName(empty).distinct().collect()}


def _open_accounts(
    lake: Lake, fresh: Mapping[Period, str], due: Mapping[Period, str], budgets: Budgets, at: datetime
) -> list[Account]:
    """What is told beside the numbers of fresh releases."""
    ids = [period.id for period in fresh]
    held = lake.read(TABLE).where(F.col(C.PERIOD_ID).isin(ids) & F.col(C.RELEASE_ID).isNotNull())
    rows = held.groupBy(C.PERIOD_ID).agg(F.max(C.REVISION).alias(C.REVISION)).collect() if ids else []
    revisions = {row[C.PERIOD_ID]: row[C.REVISION] for row in rows}
    accounts = []
    for period, release_id in fresh.items():
        rho, before = budgets.charts.windows[period.kind].rho, revisions.get(period.id, 0)
        epsilon = round(find_epsilon(rho, delta=budgets.delta), 6)
        why = due[period] if before else None
        accounts.append(Account(period, release_id, rho, epsilon, budgets.delta + DELTA, at, before + 1, why))
    return accounts


def _publish(
    lake: Lake,
    cells: "DataFrame",
    accounts: Sequence[Account],
    terms: ChartTerms,
    catalogue: int,
    files: Sequence[TableFile],
) -> int:
    """Draw the noise of fresh releases and put them in the place of the last ones; returns their rows."""
    session, products, periods = lake.session, lake.read(PRODUCTS), [account.period for account in accounts]
    noise = tabulate_noise(session, periods, terms, catalogue=catalogue)
    filled = fill_zeros(cells, products.where(C.IS_MERCHANDISE), noise)
    with lake.scratch(draw_noise(filled, SCALES, above=CUTOFF)) as noisy:
        cuts = tabulate_cuts(session, {period.kind for period in periods}, terms, catalogue=catalogue)
        ranked = noisy.frame.transform(keep_significant, cuts).transform(rank_noisy, products)
        described = describe_periods(session, periods).join(tabulate_accounts(session, accounts), ORDINAL, how="inner")
        moved = _join_previous(lake, ranked, periods).transform(move_places)
        with lake.scratch(F.broadcast(described).join(moved, ORDINAL, how="inner")) as places:
            weekly = read_weekly(lake, TABLE, places.frame, periods)
            named = places.frame.transform(add_weeks, weekly).transform(describe_products, products)
            whole = named.withColumns(
                {
                    C.REVENUE: F.col(C.REVENUE).cast("decimal(18,2)"),
                    C.CURRENCY: F.lit(lake.settings.currency),
                }
            )
            rows = whole.select(*lake.contracts[TABLE].column_names)
            parts = sorted({*(period.id for period in periods), *_list_unreleased(lake)})
            base = frozenset(file.path for file in files if file.partition in parts)
            staged = lake.replace(
                TABLE, rows, partitions=parts, gate=gate(lake, TABLE), base=base, notes=_note(accounts, terms)
            )
            _report_utility(lake, accounts)
    return staged.rows


def _join_previous(lake: Lake, ranked: "DataFrame", periods: Sequence[Period]) -> "DataFrame":
    """Places with those that were released of the periods before, for ``previous_rank``."""
    names = (ORDINAL, *SCOPE_KEY, C.PRODUCT_ID, C.RANK)
    before = sorted({period.previous for period in periods} - set(periods))
    calendar = describe_periods(lake.session, before).select(ORDINAL, C.PERIOD_ID)
    released = lake.read(TABLE).where(F.col(C.RELEASE_ID).isNotNull())
    held = released.join(F.broadcast(calendar), C.PERIOD_ID, how="inner").select(*names)
    return ranked.unionByName(held, allowMissingColumns=True)


def _list_unreleased(lake: Lake) -> list[str]:
    """Partitions of an earlier program, whose numbers are without noise."""
    old = lake.read(TABLE).where(F.col(C.RELEASE_ID).isNull()).select(C.PERIOD_ID).distinct()
    return [row[C.PERIOD_ID] for row in old.collect()]


def _report_utility(lake: Lake, accounts: Sequence[Account]) -> None:
    ids = [account.period.id for account in accounts]
    rows = [(account.period.id, account.period.start, account.release_id) for account in accounts]
    schema = f"{C.PERIOD_ID} string, {C.PERIOD_START} date, {C.RELEASE_ID} string"
    releases = lake.session.createDataFrame(rows, schema)
    shown, exact = (lake.read(table).where(F.col(C.PERIOD_ID).isin(ids)) for table in (TABLE, EXACT))
    found = measure_utility(shown, exact, releases)
    earlier = lake.read(UTILITY).where(F.col(C.PERIOD_ID).isin(ids))
    kept = earlier.where(~F.col(C.RELEASE_ID).isin([account.release_id for account in accounts]))
    lake.replace(UTILITY, kept.unionByName(found), partitions=ids)


def _note(accounts: Sequence[Account], terms: ChartTerms) -> dict[str, str]:
    """What the commit says about the privacy of its rows."""
    costs = {a.period.kind: {"rho": a.rho, "epsilon": a.epsilon, "delta": a.delta} for a in accounts}
    told: dict[str, Any] = {
        "unit": "one person: all accounts and addresses together",
        "mechanism": "discrete Gaussian (OpenDP)",
        "composition": "zCDP; costs add up per data set and calendar period",
        "dataset": terms.dataset,
        "releases": len(accounts),
        "cost of a release": costs,
    }
    return {"privacy": json.dumps(told, sort_keys=True)}
