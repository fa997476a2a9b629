"""Flows and their steps by name; importing this loads no engine, so DAG files may.

A step is a module of ``jobs`` with ``run(lake, days) -> StepReport``.
"""

from dataclasses import dataclass

from jobs.errors import UsageError


@dataclass(frozen=True)
class Step:
    """One step; ``name`` is its module below ``jobs``.

    ``reads`` and ``writes`` order the tasks of a DAG and tell what other flows wait for. They name no
    ledger that every step obeys or may write to besides: runs, tombstones, choices that waited.
    """

    name: str
    purpose: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """Steps that run one after the other."""

    name: str
    purpose: str
    steps: tuple[Step, ...]


PULLED_PURCHASES = tuple(
    f"landing.{t}" for t in ("customers", "customer_emails", "products", "orders", "order_lines", "returns")
)
CHARTED = tuple(
    f"lake.{t}" for t in ("order_lines", "orders", "returns", "products", "subjects", "sessions", "exchange_rates")
)
EXPORTED = (
    "lake.subjects",
    "lake.clicks",
    "lake.products",
    "lake.orders",
    "lake.order_lines",
    "lake.exchange_rates",
    "ledger.choices",
    "ledger.requests",
    "vault.identities",
)

FLOWS: tuple[Flow, ...] = (
    Flow(
        "pull_clickstream",
        "Clicks from files to lake.clicks and lake.sessions",
        (
            Step("sources.clickstream", "Files to landing", (), ("landing.clickstream",)),
            Step(
                "conform.clicks",
                "Typed, deduplicated, pseudonymous clicks and visits",
                ("landing.clickstream",),
                ("lake.clicks", "lake.sessions", "vault.linked_visitors", "quarantine.clicks"),
            ),
        ),
    ),
    Flow(
        "pull_purchases",
        "Customers, orders, returns and the catalogue from the shop's database",
        (
            Step("sources.purchases", "Database windows to landing", (), PULLED_PURCHASES),
            Step(
                "sources.exchange_rates",
                "Exchange rates from a file of the shop",
                (),
                ("lake.exchange_rates",),
            ),
            Step(
                "conform.customers",
                "Accounts split into vault and pseudonyms",
                ("landing.customers", "landing.customer_emails"),
                (
                    "vault.customers",
                    "vault.identities",
                    "vault.addresses",
                    "lake.subjects",
                    "quarantine.customers",
                    "quarantine.customer_emails",
                ),
            ),
            Step("conform.products", "The catalogue", ("landing.products",), ("lake.products", "quarantine.products")),
            Step(
                "conform.orders",
                "Orders by day",
                ("landing.orders", "vault.customers", "vault.identities"),
                ("lake.orders", "vault.linked_purchases", "quarantine.orders"),
            ),
            Step(
                "conform.order_lines",
                "Order lines by day of their order",
                ("landing.order_lines", "lake.orders"),
                ("lake.order_lines", "quarantine.order_lines"),
            ),
            Step(
                "conform.returns",
                "Returns by day, with the day of the sale where it is known",
                ("landing.returns", "lake.orders", "vault.customers", "vault.identities"),
                ("lake.returns", "vault.linked_purchases", "quarantine.returns"),
            ),
        ),
    ),
    Flow(
        "pull_carrier_updates",
        "Parcel events and corrected addresses from carriers' files",
        (
            Step("sources.carrier_updates", "Files to landing", (), ("landing.carrier_updates",)),
            Step(
                "conform.carrier_updates",
                "Parcel events, where each parcel stands, and corrected addresses as history",
                ("landing.carrier_updates", "lake.orders", "vault.addresses"),
                ("lake.parcel_events", "lake.parcels", "vault.addresses", "quarantine.carrier_updates"),
            ),
        ),
    ),
    Flow(
        "build_marts",
        "Best-sellers and recommendations",
        (
            Step(
                "marts.bestsellers_exact",
                "Exact charts of products per day, week, month, year and trailing days, for inside use",
                CHARTED,
                ("marts.bestsellers_exact", "ledger.chart_exclusions"),
            ),
            Step(
                "marts.bestsellers",
                "The same charts by buyers, published with noise",
                (*CHARTED, "marts.bestsellers_exact"),
                ("marts.bestsellers", "ledger.privacy_charges", "ledger.chart_utility"),
            ),
            Step(
                "marts.also_bought",
                "Products bought together",
                ("lake.order_lines", "lake.orders", "lake.products", "lake.sessions", "lake.subjects"),
                ("marts.also_bought",),
            ),
            Step(
                "marts.also_viewed",
                "Products viewed in one visit",
                ("lake.clicks", "lake.products", "lake.subjects"),
                ("marts.also_viewed",),
            ),
            Step(
                "marts.recommended_for_you",
                "Recommendations per person",
                (
                    "lake.clicks",
                    "lake.order_lines",
                    "lake.orders",
                    "lake.products",
                    "lake.subjects",
                    "ledger.choices",
                    "marts.also_bought",
                    "marts.also_viewed",
                ),
                ("marts.recommended_for_you",),
            ),
            Step(
                "marts.recently_viewed",
                "Latest products per person",
                ("lake.clicks", "lake.subjects", "ledger.choices"),
                ("marts.recently_viewed",),
            ),
            Step(
                "report.site",
                "Pages of the published tables for marketing, in the lake's folder report",
                ("marts.bestsellers", "marts.also_bought", "marts.also_viewed", "lake.products"),
                (),
            ),
        ),
    ),
    Flow(
        "export_audiences",
        "A package of advertising identifiers for every partner",
        (
            Step(
                "exports.packages",
                "Packages of all partners",
                EXPORTED,
                ("ledger.exports", "ledger.audience_changes"),
            ),
        ),
    ),
    Flow(
        "export_overdue",
        "Packages for partners whom a day's clicks or purchases keep waiting",
        (
            Step(
                "exports.overdue",
                "Packages of partners who have none of the day yet",
                EXPORTED,
                ("ledger.exports", "ledger.audience_changes"),
            ),
        ),
    ),
    Flow(
        "measure_ads",
        "What partners' ads brought, from their reports of whom they showed one",
        (
            Step("sources.impressions", "Files to landing", (), ("landing.impressions",)),
            Step(
                "exports.impressions",
                "Impressions of the people behind a partner's identifiers",
                ("landing.impressions", "lake.subjects", "vault.identities"),
                ("lake.impressions", "quarantine.impressions"),
            ),
            Step(
                "marts.ad_effectiveness",
                "People reached and purchases per week and campaign, with noise",
                (
                    "lake.impressions",
                    "lake.subjects",
                    "lake.orders",
                    "lake.order_lines",
                    "lake.products",
                    "lake.exchange_rates",
                ),
                ("marts.ad_effectiveness", "ledger.privacy_charges"),
            ),
        ),
    ),
    Flow(
        "rotate_keys",
        "Destroys keys whose epoch is over",
        (Step("exports.keys", "Keys past their last day destroyed and recorded", (), ("ledger.key_events",)),),
    ),
    Flow(
        "serve_requests",
        "What people ask for about their data, and what closing an account asks for",
        (
            Step(
                "requests.closed_accounts",
                "A request to erase for every account that was closed",
                ("vault.customers", "ledger.requests"),
                ("ledger.requests", "ledger.request_events"),
            ),
            Step(
                "requests.serving",
                "What can be served at once, and erasure that somebody agreed to",
                ("ledger.requests", "vault.request_payloads", "vault.identities"),
                ("ledger.requests", "ledger.request_events", "ledger.choices", "vault.request_payloads"),
            ),
        ),
    ),
    Flow(
        "enforce_retention",
        "Deletes what is older than its contract allows",
        (
            Step(
                "retention.ages",
                "Plan retention by age, and apply the plan where it is routine or was approved",
                ("ledger.holds",),
                ("ledger.retention_plans", "ledger.retention_runs"),
            ),
            Step("retention.optimize", "Files put together and clustered by person; no row changes", (), ()),
        ),
    ),
)
STEPS: dict[str, Step] = {step.name: step for flow in FLOWS for step in flow.steps}


def find_steps(name: str) -> tuple[Step, ...]:
    """The steps of a flow, or the one step of that name.

    Raises:
        UsageError: there is neither; the message lists what there is.
    """
    for flow in FLOWS:
        if flow.name == name:
            return flow.steps
    if name in STEPS:
        return (STEPS[name],)
    known = ", ".join([flow.name for flow in FLOWS] + list(STEPS))
    message = f"There is no flow or step {name!r}; there are {known}."
    raise UsageError(message)
