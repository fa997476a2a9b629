"""Plain words for tables, columns and terms, so that a person understands a file about themselves.

A table or column without words of its own is called by its name, written out; what it means is told by its contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jobs.lake import Contract
from jobs.lake import columns as C
from jobs.lake.contracts import Column

ACCOUNT: Final = "Your account"
PURCHASES: Final = "Your purchases"
VISITS: Final = "Your visits"
ADVERTISING: Final = "Advertising"
WISHES: Final = "Your requests and choices"
COPIES: Final = "Copies of what came in"
OTHER: Final = "Other records"
CHAPTERS: Final = (ACCOUNT, PURCHASES, VISITS, ADVERTISING, WISHES, OTHER, COPIES)


@dataclass(frozen=True)
class Title:
    """What a table is called, the chapter it stands in, and what it is, which its contract says where this is none."""

    text: str
    chapter: str
    about: str | None = None


TITLES: Final[Mapping[str, Title]] = {
    "vault.customers": Title("Account", ACCOUNT, "What you told us when you made your account, and changed since."),
    "vault.identities": Title(
        "E-mail addresses",
        ACCOUNT,
        "The addresses of your account, and the internal identifiers we use in their place.",
    ),
    "vault.addresses": Title(
        "Delivery addresses and phone numbers",
        ACCOUNT,
        "Where we deliver to, with every former version; corrections by carriers are among them.",
    ),
    "lake.subjects": Title(
        "Settings of your account", ACCOUNT, "What decides whether you get recommendations and ads."
    ),
    "lake.orders": Title("Orders", PURCHASES, "When you ordered, and what became of it."),
    "lake.order_lines": Title("What you ordered", PURCHASES, "The products of your orders, with pieces and prices."),
    "lake.returns": Title("Returns", PURCHASES, "What you sent back."),
    "vault.linked_purchases": Title(
        "Purchases under other addresses",
        PURCHASES,
        "Orders and returns that name your account and an e-mail address that your account does not have.",
    ),
    "lake.parcels": Title("Parcels", PURCHASES, "How far each parcel got."),
    "lake.parcel_events": Title("Where your parcels were", PURCHASES, "What carriers told us about each parcel."),
    "lake.clicks": Title(
        "Pages, searches and carts", VISITS, "What you looked at, searched for and put into the cart."
    ),
    "vault.linked_visitors": Title(
        "Cookies with your address", VISITS, "Cookies that came with one of your e-mail addresses."
    ),
    "lake.sessions": Title("Visits", VISITS, "Your clicks, summed up by visit."),
    "marts.recently_viewed": Title("Recently viewed products", VISITS, "What we show you as looked at before."),
    "marts.recommended_for_you": Title(
        "Recommendations for you", VISITS, "What we recommend to you, and whence it comes."
    ),
    "lake.impressions": Title(
        "Ads that partners showed you", ADVERTISING, "Which partners told us that they showed you one of our ads."
    ),
    "ledger.audience_members": Title(
        "Advertising groups you are in",
        ADVERTISING,
        "What each partner holds about you, under an identifier of its own.",
    ),
    "ledger.audience_changes": Title(
        "Changes of advertising groups on their way", ADVERTISING, "What partners were told and have not confirmed yet."
    ),
    "vault.platform_members": Title(
        "Advertising groups of platforms you are in",
        ADVERTISING,
        "What each platform holds about you, under a hash of your address.",
    ),
    "vault.platform_changes": Title(
        "Changes of platforms' groups on their way", ADVERTISING, "What platforms were told and have not confirmed yet."
    ),
    "ledger.choices": Title("Opt-outs and opt-ins", WISHES, "What you chose about ads and recommendations."),
    "ledger.requests": Title("Requests", WISHES, "What you asked us for, and when it was answered."),
    "vault.request_payloads": Title(
        "What you wrote with a request", WISHES, "Kept until your request is answered, and then removed."
    ),
    "ledger.holds": Title(
        "Why the law keeps records longer",
        WISHES,
        "Cases for which we must keep something although its period is over.",
    ),
}
"""In the order in which a person reads them."""
HEADINGS: Final[Mapping[str, str]] = {
    C.ADS_OPT_OUT: "Opted out of interest-based ads",
    C.ADULT_FROM: "Counted as adult from",
    C.AD_ID: "Advertising identifier",
    C.APP_ID: "App",
    C.ASKED_AT: "Asked on",
    C.AS_OF: "As of",
    C.CIRCLE_ID: "Internal identifier of accounts that belong together",
    C.CLICKS: "Number of pages",
    C.CLOSED_ON: "Account closed on",
    C.CONSENTED_AT: "Agreed to the privacy policy on",
    C.CONTENT: "What was written",
    C.CORRECTIONS: "What you had corrected",
    C.CUSTOMER_ID: "Account number",
    C.DEFECT: "What was wrong with it",
    C.DUE_ON: "To be answered by",
    C.DWELL_MS: "Time on the page (ms)",
    C.EMAIL: "E-mail address",
    C.EMAIL_NORMALISED: "E-mail address, simplified",
    C.EPOCH: "Period of the identifier",
    C.EVENT_TIME: "When",
    C.FLAG: "Why it does not count",
    C.FULL_NAME: "Name",
    C.IDENTITY_ID: "Internal identifier of account and address",
    C.IS_CLICK: "You clicked it",
    C.IS_CURRENT: "Used now",
    C.IS_OPT_OUT: "Opted out",
    C.IS_PRIMARY: "Main address",
    C.KEY_ID: "Key used",
    C.LINE_ID: "Internal number of the line",
    C.LINK_ID: "Internal identifier of the link",
    C.ORDERED_AT: "Ordered on",
    C.ORDER_ID: "Order number",
    C.PAGE_PATH: "Page",
    C.PARCEL_ID: "Parcel (carrier and number)",
    C.PERSONALISATION_OPT_OUT: "Opted out of personal recommendations",
    C.PERSON_ID: "Internal identifier of your account",
    C.PRODUCT_ID: "Product number",
    C.PULL_DAY: "Copied to this system on",
    C.QUANTITY: "Pieces",
    C.RANK: "Place",
    C.RAW: "As it came in",
    C.RECORD: "As it came in, by field",
    C.REPORTS: "Where each detail came from",
    C.REQUEST_ID: "Request",
    C.RESPONSE_MS: "Time until the page came (ms)",
    C.ROW_NO: "Row",
    C.SCROLL_PCT: "Scrolled through (percent)",
    C.SEARCH_TEXT: "Searched for",
    C.SEGMENT: "Interest",
    C.SESSION_ID: "Internal number of the visit",
    C.SOURCE: "Came from",
    C.SUBJECT_BUCKET: "Internal number of the storage place",
    C.SUBJECT_ID: "Internal identifier of your address",
    C.UNIT_PRICE: "Price per piece",
    C.UPDATED_AT: "Last changed on",
    C.VALID_FROM: "Used from",
    C.VALID_TO: "Used until",
    C.VISITOR: "Cookie",
    C.VISITOR_ID: "Internal identifier of the cookie",
    C.VERSION_ID: "Internal identifier of this version",
}
INTERNAL: Final = frozenset(
    {C.SUBJECT_BUCKET, C.VERSION_ID, C.IDENTITY_ID, C.LINE_ID, C.LINK_ID, C.EVENT_ID, C.SESSION_ID, C.ROW_NO, C.KEY_ID}
    | {
        C.SUBJECT_ID,
        C.PERSON_ID,
        C.CIRCLE_ID,
        C.IMPRESSION_ID,
        C.VISITOR_ID,
        C.PULL_DAY,
        C.REPORTS,
        C.CORRECTIONS,
        C.POSITION,
        C.LINE_NO,
    }
)
"""Columns that tell a reader little."""
UNITS: Final = {"d": ("day", "days"), "m": ("month", "months"), "y": ("year", "years")}
UTC_TIME: Final = " (UTC)"
CONSENT: Final = {
    "consent": "because you agreed",
    "contract": "to fulfil our contract with you",
    "legal obligation": "because a law obliges us",
    "legitimate interest": "for our legitimate interest",
}


def title_of(table: str) -> Title:
    """What a table is called."""
    zone, _, name = table.partition(".")
    if table in TITLES:
        return TITLES[table]
    words = _write_out(name)
    if zone == "landing":
        return Title(f"{words}, as they came in", COPIES)
    if zone == "quarantine":
        return Title(f"{words} that could not be understood", COPIES)
    return Title(words, OTHER)


def place_of(table: str) -> tuple[int, str]:
    """Where a table stands in its chapter."""
    known = list(TITLES)
    return (known.index(table) if table in TITLES else len(known), table)


def tell_purpose(contract: Contract) -> str:
    """What a table is."""
    return title_of(contract.name).about or contract.purpose


def heading_of(column: Column) -> str:
    """What a column is called."""
    heading = HEADINGS.get(column.name) or _write_out(column.name)
    return heading + UTC_TIME if column.type == "timestamp" else heading


def order_columns(contract: Contract) -> list[Column]:
    """The columns, those that tell a reader little last."""
    return sorted(contract.columns, key=lambda column: column.name in INTERNAL)


def tell_term(contract: Contract) -> str:
    """How long rows are kept, such as ``3 years, counted from “Account closed”``."""
    retention = contract.retention
    if retention is None:
        return "as long as we exist"
    unit = UNITS[retention.unit][retention.value != 1]
    named = next((column for column in contract.columns if column.name == retention.element), None)
    element = heading_of(named).removesuffix(UTC_TIME) if named else _write_out(retention.element)
    return f"{retention.value} {unit}, counted from “{element}”"


def tell_reason(contract: Contract) -> str:
    """Why rows are kept so long, and on what ground."""
    retention, basis = contract.retention, str(contract.properties.get("legalBasis", ""))
    ground = CONSENT.get(basis, f"on the ground of {basis}" if basis else "")
    rule = retention.rule if retention else ""
    return "; ".join(part for part in (ground, rule) if part) or "not stated"


def _write_out(name: str) -> str:
    words = name.removesuffix("_at").removesuffix("_on") if name.endswith(("_at", "_on")) else name
    return words.replace("_", " ").strip().capitalize()
