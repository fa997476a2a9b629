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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography.hazmat.primitives import hashes, hmac
from jsonschema import Draft202012Validator

from jobs.errors import BudgetError, UsageError
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.epochs import MONTHS, epoch_of
from jobs.privacy.keyring import Key, open_keyring
from jobs.privacy.noise import find_epsilon

CHARGES: Final = "ledger.privacy_charges"
PURPOSE: Final = "budget"
CHARGED: Final = "charged"
PUBLISHED: Final = "published"
DEFAULT_FILE: Final = Path(__file__).with_name("budgets.yaml")
TOLERANCE: Final = 1e-12
SCHEMA: Final = {
    "type": "object",
    "required": ["delta", "datasets"],
    "additionalProperties": False,
    "properties": {
        "delta": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e-3},
        "datasets": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["period", "rho"],
                "additionalProperties": False,
                "properties": {
                    "period": {"enum": list(MONTHS)},
                    "rho": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Allowance:
    """What one data set may spend per calendar period."""

    dataset: str
    period: str
    rho: float


@dataclass(frozen=True)
class Budgets:
    """Allowances by data set; ``delta`` is the probability that epsilons are told with."""

    delta: float
    allowances: dict[str, Allowance]

    def allowance(self, dataset: str) -> Allowance:
        """What a data set may spend.

        Raises:
            UsageError: the budgets file does not name it.
        """
        try:
            return self.allowances[dataset]
        except KeyError:
            known = ", ".join(sorted(self.allowances)) or "none"
            message = f"The budgets file allows {known}, nothing for the data set {dataset!r}; declare it there first."
            raise UsageError(message) from None


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


def load_budgets(path: Path | None) -> Budgets:
    """Read and check the budgets file; the one that comes with the program where ``path`` is none.

    Raises:
        UsageError: there is no such file, or it has mistakes, which are all listed.
    """
    file = path or DEFAULT_FILE
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        message = f"The budgets file {file} cannot be read as YAML: {reason}."
        raise UsageError(message) from None
    mistakes = [f"{e.json_path}: {e.message[:160]}" for e in Draft202012Validator(SCHEMA).iter_errors(document)]
    if mistakes:
        raise UsageError(f"The budgets file {file} is not as it must be: " + "; ".join(sorted(mistakes)) + ".")
    allowances = {name: Allowance(name, a["period"], float(a["rho"])) for name, a in document["datasets"].items()}
    return Budgets(float(document["delta"]), allowances)


@dataclass(frozen=True)
class Charge:
    """A paid release; ``is_standing`` means that its table holds it already and nothing is to be drawn."""

    release_id: str
    is_standing: bool


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
    budgets = load_budgets(lake.settings.budgets)
    allowance = budgets.allowance(release.dataset)
    key, periods = _open(lake, release, allowance)
    chosen: list[Charge] = []

    def extend(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
        chains = {period: _chain(held, allowance.dataset, period, key) for period in periods}
        found = _find_usable(chains[periods[-1]], release, key, holds)
        chosen[:] = [found or Charge(secrets.token_hex(8), is_standing=False)]
        if found:
            return []
        for period, chain in chains.items():
            _check_affordable(chain, release, allowance, period, budgets.delta)
        rows = ((period, _charge_row(release, chosen[0].release_id, key, at)) for period in periods)
        return [_seal_row(chains[period], {**row, C.PERIOD: period}, key) for period, row in rows]

    lake.extend(CHARGES, periods, extend)
    return chosen[0]


def mark_published(lake: Lake, release: Release, release_id: str, *, at: datetime) -> None:
    """Note that the table holds a charged release; costs nothing."""
    allowance = load_budgets(lake.settings.budgets).allowance(release.dataset)
    key, periods = _open(lake, release, allowance)

    def extend(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
        chain = _chain(held, allowance.dataset, periods[-1], key)
        if any(row[C.RELEASE_ID] == release_id and row[C.EVENT] == PUBLISHED for row in chain):
            return []
        row = _charge_row(release, release_id, key, at) | {C.EVENT: PUBLISHED, C.RHO: 0.0, C.DELTA: 0.0}
        return [_seal_row(chain, {**row, C.PERIOD: periods[-1]}, key)]

    lake.extend(CHARGES, [periods[-1]], extend)


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


def _open(lake: Lake, release: Release, allowance: Allowance) -> tuple[Key, list[str]]:
    key = open_keyring(lake.settings).key(PURPOSE, may_make=not lake.exists(CHARGES))
    return key, list(_list_periods(release, allowance.period))


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


def _check_affordable(
    chain: Sequence[dict[str, Any]], release: Release, allowance: Allowance, period: str, delta: float
) -> None:
    spent = sum(row[C.RHO] for row in chain)
    if spent + release.rho <= allowance.rho + TOLERANCE:
        return
    epsilon = find_epsilon(release.rho, delta=delta)
    message = (
        f"{release.table}: the release {release.name} would overspend the privacy budget of {release.dataset} in "
        f"{period}: requested rho {release.rho:g} (epsilon {epsilon:.2f} at delta {delta:g}), spent {spent:g}, "
        f"remaining {max(0.0, allowance.rho - spent):g} of {allowance.rho:g}. The last release stays in place."
    )
    raise BudgetError(message)


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


def _seal_row(chain: Sequence[dict[str, Any]], row: dict[str, Any], key: Key) -> dict[str, Any]:
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
