"""The privacy budget: what each data set may spend per calendar period, and the ledger of what was spent.

Costs are ``rho`` of zero-concentrated differential privacy and add up over the releases of one data set and period
(Bun and Steinke 2016, lemma 1.7). A release over days of several periods is charged to each of them.

A release is charged before its noise is drawn and marked as published after its table holds it. A re-run on unchanged
numbers finds the table holding it and draws nothing. After a crash in between, the noise is drawn under the charge
there is, because nobody saw the first. Anything else, changed numbers or a table that lost its release, is a new
release with a new charge: noise drawn twice over one charge could be averaged away.

Every row carries a seal, a keyed digest over itself and the seal before it; a row that was edited, removed or put
in between breaks the chain, and nothing is released until a person has looked.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, hmac

from jobs.errors import BudgetError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.budget.allowances import Allowance, load_budgets
from jobs.privacy.budget.noise import find_epsilon
from jobs.privacy.epochs import epoch_of
from jobs.privacy.keyring import Key, open_keyring

CHARGES: Final = "ledger.privacy_charges"
PURPOSE: Final = "budget"
CHARGED: Final = "charged"
PUBLISHED: Final = "published"
TOLERANCE: Final = 1e-12
Chain = list[dict[str, Any]]


@dataclass(frozen=True)
class Release:
    """One publication of noisy numbers: what it covers and costs.

    Attributes:
        dataset: whose people it is about, as the budgets file calls it.
        table: table it is published in.
        name: what is released, the same in every re-run, such as ``month 2026-11``.
        first_day: first day of data in it.
        last_day: last day of data in it.
        rho: cost of all its noise together.
        delta: probability added by names that come from the data.
        exact: the exact numbers in a fixed order; only a keyed digest of them is kept.
    """

    dataset: str
    table: str
    name: str
    first_day: date
    last_day: date
    rho: float
    delta: float
    exact: bytes


@dataclass(frozen=True)
class Charge:
    """A paid release; ``is_standing`` means that its table holds it already and nothing is to be drawn."""

    release_id: str
    is_standing: bool


Planned = Callable[[str], Mapping[str, float]]


def charge(lake: Lake, release: Release, *, holds: Callable[[str], bool], at: datetime) -> Charge:
    """Charge a release to its data set and periods, unless it was charged before and may be used still.

    Args:
        lake: the lake whose ledger is charged.
        release: what is to be published.
        holds: tells whether the published table holds the release of an id.
        at: time of the charge, UTC.

    Raises:
        BudgetError: a period lacks the budget (nothing is charged to any), or the ledger was changed by hand.
        UsageError: the budgets file does not know the data set.
    """
    outcome = charge_all(lake, [release], holds=holds, at=at)[release.name]
    if isinstance(outcome, BudgetError):
        raise outcome
    return outcome


def charge_all(
    lake: Lake,
    releases: Sequence[Release],
    *,
    holds: Callable[[str], bool],
    at: datetime,
    planned: "Planned | None" = None,
) -> dict[str, Charge | BudgetError]:
    """Charge releases of one data set in their order; each that cannot be paid is refused alone.

    Args:
        lake: the lake whose ledger is charged.
        releases: what is to be published, with names of their own.
        holds: tells whether the published table holds the release of an id.
        at: time of the charges, UTC.
        planned: costs of the first releases that a calendar period has to pay for, by release's name; a restatement
            may not spend what those of them need that are still to come.

    Returns:
        By release's name what was charged, or why it was refused.

    Raises:
        BudgetError: the ledger was changed by hand.
        UsageError: the budgets file does not know the data set.
    """
    if not releases:
        return {}
    budgets = load_budgets(lake.settings.budgets)
    allowance = budgets.allowance(releases[0].dataset)
    key = open_keyring(lake.settings).key(PURPOSE, may_make=not lake.exists(CHARGES))
    periods = sorted({period for release in releases for period in _list_periods(release, allowance.period)})
    outcomes: dict[str, Charge | BudgetError] = {}

    def extend(held: Chain) -> Chain:
        outcomes.clear()
        chains = {period: _chain(held, allowance.dataset, period, key) for period in periods}
        book = _Book(chains, allowance, budgets.delta, key, at, planned)
        for release in releases:
            outcomes[release.name] = book.charge(release, holds)
        return book.written

    lake.extend(CHARGES, periods, extend)
    return outcomes


def mark_published(lake: Lake, release: Release, release_id: str, *, at: datetime) -> None:
    """Note that the table holds a charged release; costs nothing."""
    mark_all_published(lake, {release_id: release}, at=at)


def mark_all_published(lake: Lake, releases: Mapping[str, Release], *, at: datetime) -> None:
    """Note that the table holds charged releases of one data set, by their ids; costs nothing."""
    if not releases:
        return
    allowance = load_budgets(lake.settings.budgets).allowance(next(iter(releases.values())).dataset)
    key = open_keyring(lake.settings).key(PURPOSE, may_make=not lake.exists(CHARGES))
    last = {name: list(_list_periods(release, allowance.period))[-1] for name, release in releases.items()}

    def extend(held: Chain) -> Chain:
        chains = {period: _chain(held, allowance.dataset, period, key) for period in set(last.values())}
        noted = {row[C.RELEASE_ID] for chain in chains.values() for row in chain if row[C.EVENT] == PUBLISHED}
        book = _Book(chains, allowance, 0.0, key, at, None)
        for release_id, release in releases.items():
            if release_id not in noted:
                row = _charge_row(release, release_id, key, at) | {C.EVENT: PUBLISHED, C.RHO: 0.0, C.DELTA: 0.0}
                book.write(last[release_id], row)
        return book.written

    lake.extend(CHARGES, sorted(set(last.values())), extend)


def read_spending(lake: Lake) -> list[dict[str, Any]]:
    """What was spent: a row of ``dataset``, ``period``, ``releases``, ``spent``, ``allowed`` and ``epsilon`` for each.

    Raises:
        BudgetError: the ledger was changed by hand.
    """
    budgets = load_budgets(lake.settings.budgets)
    rows = lake.read_records(CHARGES)
    if not rows:
        return []
    key = open_keyring(lake.settings).key(PURPOSE, may_make=False)
    found = []
    for dataset, period in sorted({(row[C.DATASET], row[C.PERIOD]) for row in rows}):
        chain = _chain(rows, dataset, period, key)
        spent = sum(row[C.RHO] for row in chain)
        allowed = budgets.allowances.get(dataset)
        found.append(
            {
                "dataset": dataset,
                "period": period,
                "releases": sum(row[C.EVENT] == CHARGED for row in chain),
                "spent": spent,
                "allowed": None if allowed is None else allowed.rho,
                "epsilon": find_epsilon(spent, delta=budgets.delta),
            }
        )
    return found


class _Book:
    """The charges of one data set, by calendar period, while some are added."""

    def __init__(
        self,
        chains: dict[str, Chain],
        allowance: Allowance,
        delta: float,
        key: Key,
        at: datetime,
        planned: "Planned | None",
    ) -> None:
        self._chains, self._allowance, self._delta = chains, allowance, delta
        self._key, self._at, self._planned = key, at, planned
        self.written: Chain = []

    def charge(self, release: Release, holds: Callable[[str], bool]) -> Charge | BudgetError:
        """The charge that a release may use still, or a new one, or why there can be none."""
        periods = list(_list_periods(release, self._allowance.period))
        found = _find_usable(self._chains[periods[-1]], release, self._key, holds)
        if found:
            return found
        for period in periods:
            if refusal := self._refuse(release, period):
                return refusal
        release_id = secrets.token_hex(8)
        for period in periods:
            self.write(period, _charge_row(release, release_id, self._key, self._at))
        return Charge(release_id, is_standing=False)

    def write(self, period: str, row: dict[str, Any]) -> None:
        """Add a row to the chain of a period."""
        chain = self._chains[period]
        sealed = _seal_row(chain, {**row, C.PERIOD: period}, self._key)
        chain.append(sealed)
        self.written.append(sealed)

    def _refuse(self, release: Release, period: str) -> BudgetError | None:
        chain, allowed = self._chains[period], self._allowance.rho
        spent, kept = sum(row[C.RHO] for row in chain), self._keep_back(release, period)
        if spent + release.rho + kept <= allowed + TOLERANCE:
            return None
        epsilon = find_epsilon(release.rho, delta=self._delta)
        first = f" (of which {kept:g} is kept for first releases still to come)" if kept else ""
        message = (
            f"{release.table}: the release {release.name} would overspend the privacy budget of {release.dataset} "
            f"in {period}: requested rho {release.rho:g} (epsilon {epsilon:.2f} at delta {self._delta:g}), spent "
            f"{spent:g}, remaining {max(0.0, allowed - spent):g} of {allowed:g}{first}. The last release stays."
        )
        return BudgetError(message)

    def _keep_back(self, release: Release, period: str) -> float:
        """What a restatement must leave to first releases."""
        names = {row[C.RELEASE_NAME] for row in self._chains[period] if row[C.TABLE_NAME] == release.table}
        if self._planned is None or release.name not in names:
            return 0.0
        return sum(rho for name, rho in self._planned(period).items() if name not in names)


def _chain(rows: Sequence[dict[str, Any]], dataset: str, period: str, key: Key) -> list[dict[str, Any]]:
    """The charges of a data set and period in order, after their seals were checked."""
    own = [row for row in rows if row[C.DATASET] == dataset and row[C.PERIOD] == period]
    chain = sorted(own, key=lambda row: int(row[C.CHARGE_NO]))
    before = ""
    for number, row in enumerate(chain, start=1):
        if row[C.CHARGE_NO] != number or row[C.SEAL] != _seal(row, before, key):
            message = (
                f"{CHARGES}: charge {number} of {dataset} in {period} is missing or not as it was written; nothing is "
                "released until the ledger is restored from a backup."
            )
            raise BudgetError(message)
        before = row[C.SEAL]
    return chain


def _list_periods(release: Release, length: str) -> Iterator[str]:
    day = release.first_day
    while day <= release.last_day:
        epoch = epoch_of(day, length)
        yield epoch.name
        day = epoch.last + timedelta(days=1)


def _find_usable(
    chain: Sequence[dict[str, Any]], release: Release, key: Key, holds: Callable[[str], bool]
) -> Charge | None:
    """The latest charge of a release, where its exact numbers are the same and its noise was seen at most once."""
    own = [row for row in chain if (row[C.TABLE_NAME], row[C.RELEASE_NAME]) == (release.table, release.name)]
    if not own or own[-1][C.INPUT_DIGEST] != _digest_input(release, key):
        return None
    release_id, is_standing = str(own[-1][C.RELEASE_ID]), holds(str(own[-1][C.RELEASE_ID]))
    if own[-1][C.EVENT] == PUBLISHED and not is_standing:
        return None
    return Charge(release_id, is_standing)


def _charge_row(release: Release, release_id: str, key: Key, at: datetime) -> dict[str, Any]:
    return {
        C.DATASET: release.dataset,
        C.EVENT: CHARGED,
        C.RELEASE_ID: release_id,
        C.TABLE_NAME: release.table,
        C.RELEASE_NAME: release.name,
        C.INPUT_DIGEST: _digest_input(release, key),
        C.RHO: release.rho,
        C.DELTA: release.delta,
        C.CHARGED_AT: at,
    }


def _seal_row(chain: Chain, row: dict[str, Any], key: Key) -> dict[str, Any]:
    numbered = {**row, C.CHARGE_NO: len(chain) + 1}
    return {**numbered, C.SEAL: _seal(numbered, chain[-1][C.SEAL] if chain else "", key)}


def _seal(row: dict[str, Any], before: str, key: Key) -> str:
    told = {name: str(value) for name, value in sorted(row.items()) if name not in (C.SEAL, C.CHARGED_AT)}
    charged_at = row[C.CHARGED_AT].astimezone(UTC).isoformat(timespec="seconds")
    return _digest(json.dumps([told, charged_at, before]).encode(), key)


def _digest_input(release: Release, key: Key) -> str:
    return _digest(f"{release.rho!r}:{release.delta!r}:".encode() + release.exact, key)


def _digest(text: bytes, key: Key) -> str:
    code = hmac.HMAC(key.secret, hashes.SHA256())
    code.update(text)
    return code.finalize().hex()
