"""A generated shop that looks like one: deterministic source drops of any size, and what was planted in them."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.errors import UsageError
from jobs.lake import columns as C
from jobs.privacy.keyring import open_keyring, shared_purpose
from jobs.samples.catalogue import Catalogue, make_catalogue, tabulate_products
from jobs.samples.clickstream import Traffic, write_clickstream
from jobs.samples.currencies import name_currencies, write_rates
from jobs.samples.drops import (
    KEYED_PARTNERS,
    PLANTED,
    Progress,
    clear_generated,
    local_root,
    write_budgets,
    write_database,
    write_file,
    write_partners,
)
from jobs.samples.parcels import (
    ADDRESS_CORRECTED,
    CARRIERS,
    PHONE_CORRECTED,
    Parcels,
    make_parcels,
    write_parcels,
)
from jobs.samples.people import (
    NEVER,
    People,
    is_outdated,
    make_people,
    policy_day,
    tabulate_customer_emails,
    tabulate_customers,
)
from jobs.samples.phrases import make_places
from jobs.samples.plan import Plan
from jobs.samples.planted import Planted
from jobs.samples.purchases import (
    OrderLines,
    Orders,
    find_pushed,
    find_ring,
    make_orders,
    tabulate_order_lines,
    tabulate_orders,
    tabulate_returns,
)
from jobs.samples.visits import (
    ABUSIVE_BOT,
    ACTIONS,
    DECLARED_BOT,
    Clicks,
    abused_products,
    bot_visitor,
    make_clicks,
)
from jobs.settings import Settings

FEWEST_CUSTOMERS = 10
FEWEST_EVENTS = 100


def write_shop(
    settings: Settings,
    *,
    first_day: date,
    days: int = 14,
    customers: int = 2_000,
    events: int = 100_000,
    seed: int = 1,
    progress: Progress = None,
) -> Planted:
    """Write the source drops of a generated shop below ``settings.sources``; the same arguments give the same bytes.

    Args:
        settings: where the drops go.
        first_day: first day of the shop, UTC.
        days: days it covers, 1 or more; everything is updated within them.
        customers: accounts, 10 or more.
        events: distinct valid clicks, bots' included, 100 or more; orders and parcels follow from them.
        seed: another seed gives another shop.
        progress: called with a line per finished part.

    Returns:
        What was planted; it also lies beside the drops as ``planted.json``. Keys shared with partners are in the key
        ring.

    Raises:
        UsageError: the shop would be too small, or the sources lie on an object store.
    """
    if days < 1 or customers < FEWEST_CUSTOMERS or events < FEWEST_EVENTS:
        message = (
            f"A generated shop has at least 1 day, {FEWEST_CUSTOMERS} customers and {FEWEST_EVENTS} events, "
            f"got {days}, {customers} and {events}."
        )
        raise UsageError(message)
    plan = Plan(first_day, days, customers, events, seed)
    root = local_root(settings)
    clear_generated(root)
    people, catalogue = make_people(plan), make_catalogue(plan)
    clicks = make_clicks(plan, people, catalogue)
    places = make_places(plan, people, catalogue, clicks)
    traffic, texts = write_clickstream(root / "clickstream", plan, people, clicks, places, progress)
    orders, lines = make_orders(plan, people, catalogue, clicks)
    tables = _write_purchases(root, plan, people, catalogue, orders, lines)
    parcels = make_parcels(plan, people, orders)
    write_parcels(root / "carriers", plan, parcels)
    write_partners(root, policy_valid_from=policy_day(plan), keyed=True)
    write_budgets(root)
    write_rates(settings, plan)
    share_keys(settings)
    counts: dict[str, Any] = {
        **_count_people(people),
        "policy_valid_from": policy_day(plan).isoformat(),
        **_count_traffic(plan, catalogue, clicks, traffic),
        **texts,
        **places.hidden,
        **_count_purchases(catalogue, orders, lines, tables),
        **_count_tricks(plan, people, catalogue, orders),
        **_count_parcels(parcels),
    }
    planted = Planted(first_day=first_day.isoformat(), days=days, seed=seed, **counts)
    write_file(root / PLANTED, [planted.to_json().encode()])
    if progress:
        progress(f"shop: {planted.orders} orders, {planted.parcels} parcels")
    return planted


def share_keys(settings: Settings) -> None:
    """Put a key for every partner that shares one into the key ring, as if it had been exchanged."""
    ring = open_keyring(settings)
    for partner in KEYED_PARTNERS:
        if partner["kind"] == "shared-key" and ring.is_writable:
            ring.key(shared_purpose(str(partner["name"])))


def _write_purchases(
    root: Path, plan: Plan, people: People, catalogue: Catalogue, orders: Orders, lines: OrderLines
) -> dict[str, pa.Table]:
    tables = {
        "customers": tabulate_customers(plan, people),
        "customer_emails": tabulate_customer_emails(plan, people),
        "products": tabulate_products(plan, catalogue),
        "orders": tabulate_orders(plan, people, orders),
        "order_lines": tabulate_order_lines(plan, catalogue, orders, lines),
        "returns": tabulate_returns(plan, people, catalogue, orders, lines),
    }
    write_database(root, tables)
    return tables


def _count_people(people: People) -> dict[str, int]:
    size = len(people.names)
    second = int((people.owner != np.arange(size)).sum())
    return {
        "customers": size,
        "second_accounts": second,
        "people": size - second,
        "customer_email_rows": len(people.further),
        "addresses": len({*people.emails, *(email for _, email, _ in people.further)}),
        "ads_opt_outs": int(people.ads_opt_out.sum()),
        "personalisation_opt_outs": int(people.personalisation_opt_out.sum()),
        "minors": people.minors,
        "unknown_ages": sum(day is None for day in people.born),
        "outdated_consents": int(is_outdated(people).sum()),
        "missing_consents": int((people.consented_s == NEVER).sum()),
        "closed": int((people.closed_s < NEVER).sum()),
    }


def _count_traffic(plan: Plan, catalogue: Catalogue, clicks: Clicks, traffic: Traffic) -> dict[str, object]:
    by_action = Counter("view" if name == "page" else name for name in np.array(ACTIONS)[clicks.action].tolist())
    return {
        "lines": len(traffic.line),
        "events": len(clicks.time_ms),
        "events_by_action": dict(sorted(by_action.items())),
        "duplicate_lines": traffic.duplicates,
        "duplicate_lines_in_later_drops": traffic.later_duplicates,
        "malformed": traffic.malformed,
        "late_lines": traffic.late,
        "declared_bot_events": int((clicks.kind == DECLARED_BOT).sum()),
        "abusive_bot_events": int((clicks.kind == ABUSIVE_BOT).sum()),
        "abusive_visitor": f"v{bot_visitor(plan, 0)}",
        "abused_products": [catalogue.ids[number] for number in abused_products(catalogue)],
    }


def _count_purchases(
    catalogue: Catalogue, orders: Orders, lines: OrderLines, tables: dict[str, pa.Table]
) -> dict[str, int]:
    has_account = orders.account >= 0
    return {
        "products": len(catalogue.ids),
        "non_merchandise": len(catalogue.ids) - catalogue.merchandise,
        "orders": len(orders.ordered_s),
        "orders_from_clicks": orders.from_clicks,
        "guest_orders": int(orders.guest.sum()),
        "unknown_person_orders": int((~has_account & ~orders.guest).sum()),
        "cancelled": tables["orders"][C.STATUS].to_pylist().count("cancelled"),
        "order_lines": len(lines.order),
        "order_lines_without_number": int((lines.number == 0).sum()),
        "non_merchandise_lines": int((lines.product >= catalogue.merchandise).sum()),
        "returns": tables["returns"].num_rows,
        "returns_without_order": tables["returns"][C.ORDER_ID].null_count,
    }


def _count_tricks(plan: Plan, people: People, catalogue: Catalogue, orders: Orders) -> dict[str, object]:
    ring = find_ring(plan, people)
    return {
        "fraud_accounts": len(ring),
        "fraud_orders": int(orders.ring.sum()),
        "fraud_products": [catalogue.ids[number] for number in find_pushed(catalogue)],
        "fraud_lines_standing": 2 * int((orders.ring & (orders.cancelled_s >= plan.seconds)).sum()),
        "test_orders": int(orders.test.sum()),
        "foreign_currency_orders": sum(currency is not None for currency in name_currencies(orders.country)),
    }


def _count_parcels(parcels: Parcels) -> dict[str, object]:
    corrections = (ADDRESS_CORRECTED, PHONE_CORRECTED)
    kinds = {kind: count for kind, count in sorted(parcels.events.items()) if kind not in corrections}
    return {
        "parcels": parcels.parcels,
        "parcel_events": sum(kinds.values()),
        "parcel_events_by_kind": kinds,
        "address_corrections": parcels.events[ADDRESS_CORRECTED],
        "phone_corrections": parcels.events[PHONE_CORRECTED],
        "carrier_duplicate_lines": parcels.duplicates,
        "carrier_malformed": dict(sorted(parcels.malformed.items())),
        "carrier_late_lines": parcels.late,
        "carriers": list(CARRIERS),
    }
