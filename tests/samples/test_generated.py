import json
import re
from collections import Counter, defaultdict
from dataclasses import fields
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import UsageError
from jobs.exports.partners import load_partners_file
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.keyring import open_keyring, shared_purpose
from jobs.samples.drops import KEYED_PARTNERS, PARTNERS
from jobs.samples.generated import share_keys, write_shop
from jobs.samples.planted import Planted, read_planted
from jobs.samples.purchases import RING, RING_NIGHTS, RING_UNITS, TEST_UNITS
from jobs.settings import Settings
from jobs.sources.exchange_rates import read_rates
from tests.samples.reading import passes_luhn, read_carrier, read_lines, read_table

SIZE = {"first_day": date(2024, 2, 27), "days": 8, "customers": 400, "events": 12_000, "seed": 3}
FIRST, LAST = "2024-02-27", "2024-03-05"
ACTIONS = {"view", "search", "cart", "favourite", "buy", "install", "download_error"}
EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[a-z]+$", re.IGNORECASE)
CARD = re.compile(r"4000[ -]?00\d\d[ -]?\d{4}[ -]?\d{4}")
FIELDS = {
    "time", "visitor", "email", "action", "product", "url", "search", "dwell_ms", "scroll_pct", "response_ms", "error",
    "app", "country", "user_agent",
}  # fmt: skip
CORRECTIONS = {"address_corrected", "phone_corrected"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("shop") / "lake"
    write_shop(Settings(home=str(home)), **SIZE)
    return Path(f"{home}.sources")


@pytest.fixture(scope="module")
def planted(root: Path) -> Planted:
    return read_planted(root / "planted.json")


@pytest.fixture(scope="module")
def lines(root: Path) -> list[tuple[str, bytes]]:
    return list(read_lines(root / "clickstream"))


@pytest.fixture(scope="module")
def clicks(lines: list[tuple[str, bytes]]) -> list[tuple[str, dict]]:
    """Drop and click of every valid line at its first appearance."""
    first = dict(reversed([(line, drop) for drop, line in lines]))
    return [(drop, json.loads(line)) for line, drop in first.items() if find_defect(line) is None]


def normalise(email: str) -> str:
    local, domain = email.strip().lower().split("@")
    if domain in ("gmail.com", "googlemail.com"):
        return local.split("+")[0].replace(".", "") + "@gmail.com"
    return f"{local}@{domain}"


def is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def find_defect(line: bytes) -> str | None:
    try:
        click = json.loads(line.decode())
    except UnicodeDecodeError:
        return "not_utf8"
    except json.JSONDecodeError:
        return "truncated_json" if line.startswith(b"{") else "not_json"
    email = click.get("email")
    checks = {
        "no_time": "time" not in click,
        "bad_time": "time" in click and not is_time(click["time"]),
        "unknown_action": click["action"] not in ACTIONS,
        "no_person": not email and not click.get("visitor"),
        "bad_email": bool(email) and not EMAIL.match(email),
    }
    return next((name for name, is_wrong in checks.items() if is_wrong), None)


def files_of(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def test_the_same_seed_gives_the_same_bytes_also_over_an_earlier_shop(root: Path, tmp_path: Path):
    home = Settings(home=str(tmp_path / "lake"))
    write_shop(home, **{**SIZE, "seed": 4, "days": 9})
    other = files_of(tmp_path / "lake.sources")
    write_shop(home, **SIZE)
    again = files_of(tmp_path / "lake.sources")
    assert again == files_of(root)
    assert other["shop.db"] != again["shop.db"]


def test_clickstream_lines_are_events_duplicates_and_malformed_ones(lines, clicks, planted: Planted):
    defects = Counter(defect for _, line in lines if (defect := find_defect(line)))
    valid = Counter(line for _, line in lines if find_defect(line) is None)
    assert dict(defects) == planted.malformed
    assert len(clicks) == len(valid) == planted.events == SIZE["events"]
    assert sum(valid.values()) - len(valid) == planted.duplicate_lines
    assert len(lines) == planted.lines == planted.events + planted.duplicate_lines + sum(planted.malformed.values())


def test_no_two_events_of_one_person_share_a_time(clicks):
    keys = {(click["time"], normalise(click["email"]) if "email" in click else click["visitor"]) for _, click in clicks}
    assert len(keys) == len(clicks)


def test_late_lines_and_later_duplicates_are_counted(lines, clicks, planted: Planted):
    late = sum(click["time"][:10] < drop for drop, click in clicks)
    assert late == planted.late_lines > 0
    assert not any(click["time"][:10] > drop for drop, click in clicks)
    drops: dict[bytes, list[str]] = {}
    for drop, line in lines:
        drops.setdefault(line, []).append(drop)
    assert sum(len(set(days)) > 1 for days in drops.values()) == planted.duplicate_lines_in_later_drops > 0


def test_events_are_counted_by_what_they_are(clicks, planted: Planted):
    events = [click for _, click in clicks]
    assert dict(Counter(e["action"] for e in events)) == planted.events_by_action
    assert set(planted.events_by_action) == ACTIONS
    assert sum("email" in e for e in events) == planted.events_with_email
    assert sum(bool(e.keys() - FIELDS) for e in events) == planted.unknown_field_events > 0
    declared = re.compile(r"bot/|python-requests|curl", re.IGNORECASE)
    assert sum(bool(declared.search(e["user_agent"])) for e in events) == planted.declared_bot_events > 0


def test_the_abusive_bot_clicks_fast_on_its_products(clicks, planted: Planted):
    abusive = [click for _, click in clicks if click.get("visitor") == planted.abusive_visitor]
    times = sorted(datetime.fromisoformat(click["time"]) for click in abusive)
    assert len(abusive) == planted.abusive_bot_events >= 120
    assert {click["product"] for click in abusive} == set(planted.abused_products)
    assert (times[119] - times[0]).total_seconds() < 60


def test_card_numbers_and_addresses_hide_in_text(clicks, planted: Planted):
    def count(field: str, pattern: str) -> list[str]:
        return [m.group() for _, click in clicks if (m := re.search(pattern, click.get(field, "")))]

    cards = count("url", CARD.pattern), count("search", CARD.pattern)
    assert [len(found) for found in cards] == [planted.cards_in_urls, planted.cards_in_searches]
    assert all(passes_luhn(re.sub("[ -]", "", number)) for found in cards for number in found)
    assert len(count("url", "@|%40")) == planted.emails_in_urls > 0
    assert len(count("search", "@")) == planted.emails_in_searches > 0


def test_people_are_counted(root: Path, planted: Planted):
    accounts, further = read_table(root, "customers"), read_table(root, "customer_emails")
    primary = [normalise(str(row["email"])) for row in accounts]
    written = primary + [normalise(str(row["email"])) for row in further]
    assert len(accounts) == len(set(primary)) == planted.customers
    assert len(further) == planted.customer_email_rows
    assert len(set(written)) == planted.addresses
    assert len(written) - len(set(written)) == planted.second_accounts == planted.customers - planted.people > 0
    assert sum(row["ads_opt_out"] for row in accounts) == planted.ads_opt_outs > 0
    assert sum(row["personalisation_opt_out"] for row in accounts) == planted.personalisation_opt_outs > 0
    assert sum(row["closed_at"] is not None for row in accounts) == planted.closed > 0
    assert sum(row["consented_at"] is None for row in accounts) == planted.missing_consents > 0
    consents = [str(row["consented_at"]) for row in accounts if row["consented_at"]]
    assert sum(moment < planted.policy_valid_from for moment in consents) == planted.outdated_consents > 0
    assert (planted.policy_valid_from, max(consents) < FIRST) == ("2023-08-31", True)
    assert sum(row["birth_date"] is None for row in accounts) == planted.unknown_ages > 0
    eighteen = ("2006-02-27", "2006-03-05")
    births = [str(row["birth_date"]) for row in accounts if row["birth_date"]]
    assert sum(day > eighteen[1] for day in births) == sum(day > eighteen[0] for day in births) == planted.minors > 0


def test_the_partners_file_declares_the_policy_in_force(root: Path, planted: Planted):
    file = load_partners_file(root / "partners.yaml")
    assert file.eligibility == ExportRules(policy_valid_from=date.fromisoformat(planted.policy_valid_from))
    assert {partner.kind for partner in file.partners} == {"opaque", "shared-key", "platform"}
    assert [partner.name for partner in file.partners] == [entry["name"] for entry in (*PARTNERS, *KEYED_PARTNERS)]


def test_partners_that_share_a_key_have_one_and_keep_it(root: Path):
    home = Settings(home=str(root).removesuffix(".sources"))
    key = open_keyring(home).find(shared_purpose("loyalty"))
    assert key
    share_keys(home)
    assert open_keyring(home).find(shared_purpose("loyalty")) == key


def test_identifiers_are_invented(root: Path):
    accounts = read_table(root, "customers")
    reserved = ("+49 30 23125", "+33 6 39 98 ", "+44 7700 900", "+46 70 174 06 ", "+1 202-555-01")
    assert all(str(row["phone"]).startswith(reserved) for row in accounts)
    domains = {normalise(str(row["email"])).split("@")[1] for row in accounts}
    assert domains == {"example.com", "example.org", "example.net", "gmail.com"}
    gmail = [normalise(str(row["email"])) for row in accounts if normalise(str(row["email"])).endswith("@gmail.com")]
    assert all(address.startswith("invented") for address in gmail)


def test_purchases_are_counted(root: Path, planted: Planted):
    orders, lines = read_table(root, "orders"), read_table(root, "order_lines")
    returns, products = read_table(root, "returns"), read_table(root, "products")
    services = {row["product_id"] for row in products if not row["is_merchandise"]}
    assert (len(products), len(services)) == (planted.products, planted.non_merchandise)
    assert len(orders) == len({row["order_id"] for row in orders}) == planted.orders
    assert sum(row["status"] == "cancelled" for row in orders) == planted.cancelled > 0
    assert sum(row["cancelled_at"] is not None for row in orders) == planted.cancelled
    assert sum(row["email"] is None for row in orders) == planted.unknown_person_orders > 0
    assert sum(bool(row["email"]) and not row["customer_id"] for row in orders) == planted.guest_orders > 0
    assert len(lines) == planted.order_lines
    assert sum(row["line_no"] is None for row in lines) == planted.order_lines_without_number > 0
    assert sum(row["product_id"] in services for row in lines) == planted.non_merchandise_lines > 0
    assert {row["order_id"] for row in lines} == {row["order_id"] for row in orders}
    assert len(returns) == planted.returns > 0
    assert sum(row["order_id"] is None for row in returns) == planted.returns_without_order
    assert all(row["quantity"] > 0 for row in [*lines, *returns])


def test_a_ring_pushes_two_products_within_the_hour(root: Path, planted: Planted):
    orders = {row["order_id"]: row for row in read_table(root, "orders")}
    pushed = [row for row in read_table(root, "order_lines") if row["product_id"] in planted.fraud_products]
    ring = [
        row for row in pushed if row["quantity"] == RING_UNITS and orders[row["order_id"]]["ordered_at"][11:13] == "03"
    ]
    assert len({row["order_id"] for row in ring}) == planted.fraud_orders == planted.fraud_accounts * RING_NIGHTS > 0
    assert len({orders[row["order_id"]]["customer_id"] for row in ring}) == planted.fraud_accounts == RING


def test_test_orders_and_currencies_are_counted(root: Path, planted: Planted):
    orders = read_table(root, "orders")
    tests = {row["order_id"] for row in orders if row["is_test"]}
    assert len(tests) == planted.test_orders > 0
    assert {row["quantity"] for row in read_table(root, "order_lines") if row["order_id"] in tests} == {TEST_UNITS}
    foreign = [row["currency"] for row in orders if row["currency"]]
    assert len(foreign) == planted.foreign_currency_orders > 0
    rates = read_rates(root / "rates.csv", "EUR")
    assert {currency for currency, _, _ in rates} >= set(foreign)


def test_everything_is_updated_within_the_period(root: Path):
    for table in ("customers", "customer_emails", "products", "orders", "order_lines", "returns"):
        days = {str(row["updated_at"])[:10] for row in read_table(root, table)}
        assert FIRST <= min(days) <= max(days) <= LAST, table


def test_purchases_come_from_buy_clicks(root: Path, clicks, planted: Planted):
    """A basket is bought click by click within a minute, and ordered at the second of the first one."""
    ordered_at = {row["order_id"]: datetime.fromisoformat(row["ordered_at"]) for row in read_table(root, "orders")}
    orders_of = defaultdict(list)
    for row in read_table(root, "order_lines"):
        orders_of[row["product_id"]].append(row["order_id"])
    bought = [
        (datetime.fromisoformat(click["time"]).replace(tzinfo=None), click["product"])
        for _, click in clicks
        if click["action"] == "buy"
    ]
    since = [
        min(moment - ordered_at[order] for order in orders_of[product] if ordered_at[order] <= moment)
        for moment, product in bought
    ]
    assert max(since) < timedelta(minutes=1)
    opening = {
        order
        for moment, product in bought
        for order in orders_of[product]
        if ordered_at[order] == moment.replace(microsecond=0)
    }
    assert len(opening) == planted.orders_from_clicks > planted.orders / 2


def test_nobody_acts_on_a_closed_account(root: Path, clicks):
    closed = {
        normalise(str(row["email"])): row["closed_at"] for row in read_table(root, "customers") if row["closed_at"]
    }
    orders = [row for row in read_table(root, "orders") if row["email"]]
    assert not any(closed.get(normalise(row["email"]), "9") < row["ordered_at"] for row in orders)
    late = [
        c for _, c in clicks if "email" in c and closed.get(normalise(c["email"]), "9") < c["time"].replace("T", " ")
    ]
    assert not late


def test_parcels_are_counted(root: Path, planted: Planted):
    records = [(d, r) for carrier in planted.carriers for d, r in read_carrier(root / "carriers" / carrier)]
    known = CORRECTIONS | set(planted.parcel_events_by_kind)
    good = [
        (day, r)
        for day, r in records
        if r and r.get("tracking_no") and r["event"] in known and is_time(r["event_time"])
    ]
    distinct = {json.dumps(record, sort_keys=True): day for day, record in good}
    kinds = Counter(json.loads(text)["event"] for text in distinct)
    assert {kind: n for kind, n in kinds.items() if kind not in CORRECTIONS} == planted.parcel_events_by_kind
    assert kinds["address_corrected"] == planted.address_corrections > 0
    assert kinds["phone_corrected"] == planted.phone_corrections > 0
    assert len(good) - len(distinct) == planted.carrier_duplicate_lines > 0
    assert len(records) - len(good) == sum(planted.carrier_malformed.values()) > 0
    assert (
        sum(json.loads(text)["event_time"][:10] < day for text, day in distinct.items()) == planted.carrier_late_lines
    )
    assert len({json.loads(text)["tracking_no"] for text in distinct}) == planted.parcels
    assert sorted(folder.name for folder in (root / "carriers").iterdir()) == planted.carriers


def test_the_file_of_counts_is_complete(root: Path, planted: Planted):
    assert set(json.loads((root / "planted.json").read_text())) == {field.name for field in fields(Planted)}
    assert (planted.first_day, planted.days, planted.seed) == (FIRST, SIZE["days"], SIZE["seed"])


def test_the_smallest_shop_is_whole(tmp_path: Path):
    shop = write_shop(
        Settings(home=str(tmp_path / "lake")), first_day=date(2024, 1, 1), days=1, customers=10, events=100
    )
    assert shop.events == 100
    assert set(shop.malformed.values()) == {1}


@settings(max_examples=12, deadline=None)
@given(
    days=st.integers(1, 40),
    customers=st.integers(10, 300),
    events=st.integers(100, 2_000),
    seed=st.integers(0, 2**31),
)
def test_any_shop_writes_the_lines_it_counts(days: int, customers: int, events: int, seed: int):
    with TemporaryDirectory() as home:
        size = {"days": days, "customers": customers, "events": events, "seed": seed}
        shop = write_shop(Settings(home=f"{home}/lake"), first_day=date(2023, 12, 20), **size)
        lines = [line for _, line in read_lines(Path(f"{home}/lake.sources/clickstream"))]
        valid = [line for line in lines if find_defect(line) is None]
        assert len(lines) == shop.lines
        assert len(lines) - len(valid) == sum(shop.malformed.values())
        assert len(set(valid)) == shop.events == events
        days_written = {json.loads(line)["time"][:10] for line in valid}
        assert min(days_written) >= "2023-12-20"
        assert max(days_written) <= (date(2023, 12, 20) + timedelta(days=days - 1)).isoformat()


@pytest.mark.parametrize("wrong", [{"days": 0}, {"customers": 3}, {"events": 99}])
def test_refuses_a_shop_that_is_too_small(tmp_path: Path, wrong: dict[str, int]):
    with pytest.raises(UsageError, match="at least 1 day"):
        write_shop(Settings(home=str(tmp_path / "lake")), **{**SIZE, **wrong})


def test_refuses_to_write_to_an_object_store():
    with pytest.raises(UsageError, match="SOPHILUX_SOURCES_ROOT"):
        write_shop(Settings(home="s3://bucket/shop"), **SIZE)
