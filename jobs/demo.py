"""A generated shop through every flow, and what was planted in it held against what the lake has."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.errors import UsageError
from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.abuse import BURST
from jobs.privacy.minimisation.masks import mask_text
from jobs.requests.closed_accounts import CLOSED_ACCOUNT
from jobs.runner import run_step
from jobs.samples.generated import write_shop
from jobs.samples.impressions import PlantedImpressions, write_impressions
from jobs.samples.planted import Planted
from jobs.steps import FLOWS, STEPS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FIRST_DAY: Final = date(2024, 1, 1)
CARD: Final = "[card]"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """A count the generator planted, and the same count taken from the lake."""

    what: str
    where: str
    planted: int
    found: int


@dataclass(frozen=True)
class Demo:
    """Outcome of a demo."""

    days: Days
    reports: dict[str, StepReport]
    findings: list[Finding]


def run_demo(lake: Lake, *, days: int, customers: int, events: int, seed: int, progress: Progress) -> Demo:
    """Generate a shop beside the lake, run every flow over its days, and compare.

    Raises:
        UsageError: the lake's home holds something already that is no demo's.
    """
    check_home(lake.home, lake.settings.sources)
    progress("generating the shop")
    planted = write_shop(lake.settings, first_day=FIRST_DAY, days=days, customers=customers, events=events, seed=seed)
    period = Days(FIRST_DAY, FIRST_DAY + timedelta(days=days - 1))
    reports: dict[str, StepReport] = {}
    shown = PlantedImpressions(0, 0, 0)
    for flow in FLOWS:
        if flow.name == "measure_ads":
            shown = write_impressions(lake.settings, period)
        for step in flow.steps:
            progress(f"{flow.name}: {step.name}")
            reports[step.name] = run_step(lake, step, period)
    progress("writing the report")
    reports["report.site"] = run_step(lake, STEPS["report.site"], period)
    progress("comparing")
    findings = [
        *_find_in_reports(planted, reports),
        *_find_in_tables(lake, planted),
        _find_pushed(lake, planted),
        *_find_shown(shown, reports),
    ]
    return Demo(period, reports, findings)


def check_home(home: str, sources: str) -> None:
    """Refuse to mix a generated shop into a lake of something else.

    Raises:
        UsageError: the home exists without the drops of a generated shop.
    """
    is_used = Path(home).is_dir() and any(Path(home).iterdir())
    if is_used and not (Path(sources) / "planted.json").exists():
        message = f"{home} holds something that is no demo; give another --home."
        raise UsageError(message)


def _find_in_reports(planted: Planted, reports: dict[str, StepReport]) -> list[Finding]:
    clicks, parcels = reports["conform.clicks"], reports["conform.carrier_updates"]
    malformed, spoilt = sum(planted.malformed.values()), sum(planted.carrier_malformed.values())
    return [
        Finding("duplicate click lines", "step_runs", planted.duplicate_lines, clicks.duplicates or 0),
        Finding("malformed click lines", "quarantine.clicks", malformed, clicks.quarantined or 0),
        Finding("malformed carrier lines", "quarantine.carrier_updates", spoilt, parcels.quarantined or 0),
    ]


def _find_shown(planted: PlantedImpressions, reports: dict[str, StepReport]) -> list[Finding]:
    found = reports["exports.impressions"]
    return [
        Finding("impressions", "lake.impressions", planted.impressions, found.rows_out or 0),
        Finding("duplicate impression lines", "step_runs", planted.duplicates, found.duplicates or 0),
        Finding("unusable impression lines", "quarantine.impressions", planted.unusable, found.quarantined or 0),
    ]


def _find_in_tables(lake: Lake, planted: Planted) -> list[Finding]:
    bots = planted.declared_bot_events + planted.abusive_bot_events
    searches_card = F.contains(C.SEARCH_TEXT, F.lit(CARD))
    is_readable = (mask_text(F.col(C.PAGE_PATH)) != F.col(C.PAGE_PATH)) | (
        mask_text(F.col(C.SEARCH_TEXT)) != F.col(C.SEARCH_TEXT)
    )
    is_cancelled = F.col(C.STATUS) == "cancelled"
    is_outdated = F.to_date(C.CONSENTED_AT) < F.lit(planted.policy_valid_from).cast("date")
    compared: list[tuple[str, str, int, Column | None]] = [
        ("clicks", "lake.clicks", planted.events, None),
        ("clicks of bots, flagged", "lake.clicks", bots, F.col(C.FLAG).isNotNull()),
        ("cards and e-mails left readable", "lake.clicks", 0, is_readable),
        ("card numbers masked in searches", "lake.clicks", planted.cards_in_searches, searches_card),
        ("e-mail addresses as pseudonyms", "lake.subjects", planted.addresses, None),
        ("accounts", "vault.customers", planted.customers, None),
        ("accounts that agreed to an older policy", "vault.customers", planted.outdated_consents, is_outdated),
        ("accounts that agreed to none", "vault.customers", planted.missing_consents, F.col(C.CONSENTED_AT).isNull()),
        ("orders", "lake.orders", planted.orders, None),
        ("cancelled orders", "lake.orders", planted.cancelled, is_cancelled),
        ("test orders", "lake.orders", planted.test_orders, F.col(C.IS_TEST)),
        ("orders in other currencies", "lake.orders", planted.foreign_currency_orders, F.col(C.CURRENCY).isNotNull()),
        ("order lines", "lake.order_lines", planted.order_lines, None),
        ("returns", "lake.returns", planted.returns, None),
        ("parcels", "lake.parcels", planted.parcels, None),
        ("parcel events", "lake.parcel_events", planted.parcel_events, None),
        ("products", "lake.products", planted.products, None),
        ("closed accounts that ask for erasure", "ledger.requests", planted.closed, F.col(C.SOURCE) == CLOSED_ACCOUNT),
    ]
    return [
        Finding(what, table, expected, lake.count(table) if rows is None else _count(lake.read(table), rows))
        for what, table, expected, rows in compared
    ]


def _find_pushed(lake: Lake, planted: Planted) -> Finding:
    """Purchases by which the ring pushed its products, as the charts left them out."""
    of_ring = lake.read("ledger.chart_exclusions").where(F.col(C.PRODUCT_ID).isin(planted.fraud_products))
    counted = of_ring.where(F.col(C.RULE) == BURST).agg(F.sum(C.ORDERS)).collect()
    what = "purchases of a fraud ring, not in charts"
    return Finding(what, "ledger.chart_exclusions", planted.fraud_lines_standing, int(counted[0][0] or 0))


def _count(rows: "DataFrame", condition: "Column") -> int:
    """Rows that meet a condition; counted, not filtered, because Sail cannot push a lambda into a scan."""
    counted = rows.agg(F.count(F.when(condition, 1))).collect()
    return int(counted[0][0])
