"""What a generated shop holds, counted while it is made, so that a test can compare."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Planted:
    """Counts of everything that a generated shop planted in its source drops.

    ``events`` are distinct valid clicks, bots' included; lines of the clickstream are ``events`` +
    ``duplicate_lines`` + the malformed ones. ``late_lines`` are valid, no duplicates, and lie in the drop of a day
    after their own. ``people`` are accounts less second accounts, which share an e-mail address with a first one.
    ``addresses`` are distinct under the sophilux profile. Consents are counted by account: outdated ones were given
    before ``policy_valid_from``, missing ones never. ``fraud_orders`` are of ``fraud_accounts`` that push
    ``fraud_products`` together, ``fraud_lines_standing`` lines of them were not cancelled; in a small shop there are
    none. Carriers' lines are ``parcel_events`` + both corrections + duplicates + the malformed ones.
    """

    first_day: str
    days: int
    seed: int
    customers: int
    second_accounts: int
    people: int
    customer_email_rows: int
    addresses: int
    ads_opt_outs: int
    personalisation_opt_outs: int
    minors: int
    unknown_ages: int
    policy_valid_from: str
    outdated_consents: int
    missing_consents: int
    closed: int
    products: int
    non_merchandise: int
    lines: int
    events: int
    events_by_action: dict[str, int]
    events_with_email: int
    duplicate_lines: int
    duplicate_lines_in_later_drops: int
    malformed: dict[str, int]
    late_lines: int
    unknown_field_events: int
    declared_bot_events: int
    abusive_bot_events: int
    abusive_visitor: str
    abused_products: list[str]
    cards_in_urls: int
    cards_in_searches: int
    emails_in_urls: int
    emails_in_searches: int
    orders: int
    orders_from_clicks: int
    guest_orders: int
    unknown_person_orders: int
    cancelled: int
    order_lines: int
    order_lines_without_number: int
    non_merchandise_lines: int
    returns: int
    returns_without_order: int
    fraud_accounts: int
    fraud_orders: int
    fraud_products: list[str]
    fraud_lines_standing: int
    test_orders: int
    foreign_currency_orders: int
    parcels: int
    parcel_events: int
    parcel_events_by_kind: dict[str, int]
    address_corrections: int
    phone_corrections: int
    carrier_duplicate_lines: int
    carrier_malformed: dict[str, int]
    carrier_late_lines: int
    carriers: list[str]

    def to_json(self) -> str:
        """The counts as a JSON object."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_planted(file: Path) -> Planted:
    """The counts that ``planted.json`` holds."""
    return Planted(**json.loads(file.read_text()))
