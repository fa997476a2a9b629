"""Orders, order lines and returns of the generated shop; most orders come from purchases among the clicks.

A ring of accounts pushes two products that nobody wants: on some nights all of them buy both within less than an hour.
One order in some hundreds is a test of the shop's own people, of absurdly many pieces.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from jobs.lake import columns as C
from jobs.samples.catalogue import Catalogue
from jobs.samples.currencies import charge, name_currencies
from jobs.samples.drops import text_times
from jobs.samples.people import SPELLINGS, People, customer_id
from jobs.samples.plan import DAY_S, Flags, Numbers, Plan
from jobs.samples.visits import BUY, Clicks
from jobs.samples.words import COUNTRIES, COUNTRY_SHARES, REASONS

TOPIC: Final = 6
STATUSES: Final = ("placed", "paid", "shipped", "delivered", "cancelled")
PLACED, PAID, SHIPPED, DELIVERED, CANCELLED = range(len(STATUSES))
TELEPHONE_SHARE: Final = 0.15
CANCELLED_SHARE: Final = 0.06
RETURNED_SHARE: Final = 0.12
RING: Final = 30
"""Accounts of the ring; in a shop where they would be more than one in ten there is none."""
RING_NIGHTS: Final = 3
RING_UNITS: Final = 12
TEST_EVERY: Final = 251
TEST_UNITS: Final = 500


@dataclass(frozen=True)
class Orders:
    """One entry per order, earliest first; seconds count from the start, and past the end means never."""

    ordered_s: Numbers
    account: Numbers
    guest: Flags
    """A guest who left an e-mail address."""
    country: Numbers
    paid_s: Numbers
    shipped_s: Numbers
    delivered_s: Numbers
    cancelled_s: Numbers
    """Past the end where it was not cancelled."""
    from_clicks: int
    ring: Flags
    """Placed by the ring of accounts."""
    test: Flags

    def order_id(self, number: int | np.int64) -> str:
        """The shop's number of an order."""
        return f"O{number + 1:08d}"

    def email(self, people: People, number: int | np.int64) -> str | None:
        """The contact address as it was written in the order."""
        if self.account[number] >= 0:
            return people.spelling(int(self.account[number]), int(number) % SPELLINGS)
        return f"guest.invented{number}@example.net" if self.guest[number] else None

    def customer(self, number: int | np.int64) -> str | None:
        """The account's number, none for guests."""
        return customer_id(int(self.account[number])) if self.account[number] >= 0 else None


@dataclass(frozen=True)
class _Baskets:
    """One entry per basket, then one per product in it."""

    moment_s: Numbers
    account: Numbers
    country: Numbers
    basket: Numbers
    product: Numbers


@dataclass(frozen=True)
class OrderLines:
    """One entry per order line, in the orders' order."""

    order: Numbers
    number: Numbers
    """0 where the shop gave none."""
    product: Numbers
    quantity: Numbers
    price: np.ndarray[tuple[int], np.dtype[np.float64]]


def make_orders(plan: Plan, people: People, catalogue: Catalogue, clicks: Clicks) -> tuple[Orders, OrderLines]:
    """Orders of visits that bought something, orders by telephone, and those of the ring."""
    random = plan.random(TOPIC)
    online, calls = _find_purchases(clicks), _draw_calls(plan, people, catalogue, random, clicks)
    parts = (online, calls, _push_products(plan, people, catalogue))
    from_clicks = len(online.moment_s)
    starts = np.cumsum([0, *(len(part.moment_s) for part in parts)])
    moment_s = np.concatenate([part.moment_s for part in parts])
    earliest = np.argsort(moment_s, kind="stable")
    rank = np.argsort(earliest, kind="stable")
    account = np.concatenate([part.account for part in parts])[earliest]
    country = np.concatenate([part.country for part in parts])[earliest]
    is_ring = earliest >= starts[2]
    orders = _draw_fates(plan, random, moment_s[earliest], account, country, from_clicks, is_ring)
    stride = len(catalogue.ids)
    baskets = np.concatenate([part.basket + start for part, start in zip(parts, starts[:-1], strict=True)])
    pairs = np.unique(rank[baskets] * stride + np.concatenate([part.product for part in parts]))
    return orders, _draw_lines(catalogue, random, orders, pairs // stride, pairs % stride)


def find_ring(plan: Plan, people: People) -> Numbers:
    """Accounts of the ring: open ones of different people, none in a small shop."""
    if plan.customers < RING * 10:
        return np.zeros(0, np.int64)
    is_open = (people.closed_s > plan.seconds) & (people.owner == np.arange(plan.customers))
    accounts = np.flatnonzero(is_open)
    return accounts[:: len(accounts) // RING][:RING]


def find_pushed(catalogue: Catalogue) -> Numbers:
    """The two products of the ring: last of their category."""
    return catalogue.leaf_starts[4:6] - 1


def tabulate_orders(plan: Plan, people: People, orders: Orders) -> pa.Table:
    """Rows of the shop's ``orders`` as they stand at the end of the last day."""
    size = range(len(orders.ordered_s))
    status, updated = stand(plan, orders)
    cancelled = pa.array(plan.epoch_s + orders.cancelled_s, mask=orders.cancelled_s >= plan.seconds)
    return pa.table(
        {
            C.ORDER_ID: [orders.order_id(n) for n in size],
            C.CUSTOMER_ID: pa.array([orders.customer(n) for n in size], pa.string()),
            C.EMAIL: pa.array([orders.email(people, n) for n in size], pa.string()),
            C.COUNTRY: [COUNTRIES[n] for n in orders.country],
            C.STATUS: [STATUSES[n] for n in status],
            C.CURRENCY: pa.array(name_currencies(orders.country), pa.string()),
            C.IS_TEST: orders.test.astype(np.int64),
            C.ORDERED_AT: text_times(plan.epoch_s + orders.ordered_s),
            C.CANCELLED_AT: text_times(cancelled),
            C.UPDATED_AT: text_times(plan.epoch_s + updated),
        }
    )


def tabulate_order_lines(plan: Plan, catalogue: Catalogue, orders: Orders, lines: OrderLines) -> pa.Table:
    """Rows of the shop's ``order_lines``; the shop touches them whenever it touches their order."""
    _, updated = stand(plan, orders)
    return pa.table(
        {
            C.ORDER_ID: [orders.order_id(n) for n in lines.order],
            C.LINE_NO: pa.array(lines.number, mask=lines.number == 0),
            C.PRODUCT_ID: [catalogue.ids[n] for n in lines.product],
            C.QUANTITY: lines.quantity,
            C.UNIT_PRICE: lines.price,
            C.UPDATED_AT: text_times(plan.epoch_s + updated[lines.order]),
        }
    )


def tabulate_returns(plan: Plan, people: People, catalogue: Catalogue, orders: Orders, lines: OrderLines) -> pa.Table:
    """Rows of the shop's ``returns``: merchandise sent back after delivery, one in seven without its order."""
    random = plan.random(TOPIC + 100)
    is_delivered = (orders.delivered_s < plan.seconds) & (orders.cancelled_s >= plan.seconds)
    may_return = is_delivered[lines.order] & (lines.product < catalogue.merchandise)
    wanted = may_return & (random.random(len(lines.order)) < RETURNED_SHARE)
    returned_s = orders.delivered_s[lines.order] + random.integers(3600, 5 * DAY_S, len(lines.order))
    rows = np.flatnonzero(wanted & (returned_s < plan.seconds))
    rows = rows[np.argsort(returned_s[rows], kind="stable")]
    of = lines.order[rows]
    forgotten = np.arange(len(rows)) % 7 == 3
    times = text_times(plan.epoch_s + returned_s[rows])
    reasons = random.integers(0, len(REASONS), len(rows))
    return pa.table(
        {
            C.RETURN_ID: pa.array([f"R{n + 1:07d}" for n in range(len(rows))], pa.string()),
            C.ORDER_ID: pa.array([orders.order_id(n) for n in of], pa.string(), mask=forgotten),
            C.CUSTOMER_ID: pa.array([orders.customer(n) for n in of], pa.string()),
            C.EMAIL: pa.array([orders.email(people, n) for n in of], pa.string()),
            C.COUNTRY: pa.array([COUNTRIES[orders.country[n]] for n in of], pa.string()),
            C.PRODUCT_ID: pa.array([catalogue.ids[n] for n in lines.product[rows]], pa.string()),
            C.QUANTITY: 1 + random.integers(0, lines.quantity[rows]),
            C.UNIT_PRICE: lines.price[rows],
            C.CURRENCY: pa.array(name_currencies(orders.country[of]), pa.string()),
            C.REASON: pa.array([REASONS[n] for n in reasons], pa.string()),
            C.RETURNED_AT: times,
            C.UPDATED_AT: times,
        }
    )


def stand(plan: Plan, orders: Orders) -> tuple[Numbers, Numbers]:
    """Status and time of the last change of every order at the end of the last day."""
    status = np.full(len(orders.ordered_s), PLACED)
    updated = orders.ordered_s.copy()
    steps = ((PAID, orders.paid_s), (SHIPPED, orders.shipped_s), (DELIVERED, orders.delivered_s))
    for reached, moment in (*steps, (CANCELLED, orders.cancelled_s)):
        has_happened = moment < plan.seconds
        status = np.where(has_happened, reached, status)
        updated = np.where(has_happened, np.maximum(updated, moment), updated)
    return status, updated


def _find_purchases(clicks: Clicks) -> _Baskets:
    rows = np.flatnonzero(clicks.action == BUY)
    _, first, basket = np.unique(clicks.visit[rows], return_index=True, return_inverse=True)
    opening = rows[first]
    return _Baskets(
        moment_s=clicks.time_ms[opening] // 1000,
        account=clicks.account[opening],
        country=clicks.country[opening],
        basket=basket,
        product=clicks.product[rows],
    )


def _draw_calls(
    plan: Plan, people: People, catalogue: Catalogue, random: np.random.Generator, clicks: Clicks
) -> _Baskets:
    """Orders by telephone, mostly of open accounts."""
    size = int((clicks.action == BUY).sum() * TELEPHONE_SHARE) + 3
    moment_s = plan.draw_seconds(random, size)
    caller = random.integers(0, plan.customers, size)
    account = np.where((random.random(size) < 0.9) & (people.closed_s[caller] > moment_s), caller, -1)
    anywhere = random.choice(len(COUNTRIES), size, p=COUNTRY_SHARES)
    basket = np.repeat(np.arange(size), random.integers(1, 4, size))
    return _Baskets(
        moment_s=moment_s,
        account=account,
        country=np.where(account >= 0, people.country[caller], anywhere),
        basket=basket,
        product=catalogue.draw(random, np.full(len(basket), -1)),
    )


def _push_products(plan: Plan, people: People, catalogue: Catalogue) -> _Baskets:
    """Orders of the ring: each of its accounts buys both products on a few nights, between three and twenty to four."""
    ring, pushed = find_ring(plan, people), find_pushed(catalogue)
    nights = np.unique(np.linspace(0, plan.days - 1, RING_NIGHTS).astype(np.int64))
    size = len(ring) * len(nights)
    moment_s = np.repeat(nights, len(ring)) * DAY_S + 3 * 3600 + np.arange(size) * 7919 % 2400
    account = np.tile(ring, len(nights))
    basket = np.repeat(np.arange(size), len(pushed))
    return _Baskets(moment_s, account, people.country[account], basket, np.tile(pushed, size))


def _draw_fates(
    plan: Plan,
    random: np.random.Generator,
    ordered_s: Numbers,
    account: Numbers,
    country: Numbers,
    from_clicks: int,
    is_ring: Flags,
) -> Orders:
    size = len(ordered_s)
    never = plan.seconds + DAY_S
    paid = ordered_s + random.integers(5, 1800, size)
    shipped = paid + random.integers(3 * 3600, 40 * 3600, size)
    delivered = shipped + random.integers(12 * 3600, 4 * DAY_S, size)
    is_cancelled = random.random(size) < CANCELLED_SHARE
    is_after_hand_over = is_cancelled & (random.random(size) < 0.2)
    cancelled = np.where(is_after_hand_over, shipped, paid) + random.integers(60, 3 * 3600, size)
    cancelled = np.where(is_cancelled, cancelled, never)
    has_shipped = (shipped < cancelled) & (shipped < plan.seconds)
    return Orders(
        ordered_s=ordered_s,
        account=account,
        guest=(account < 0) & (random.random(size) < 0.6),
        country=country,
        paid_s=paid,
        shipped_s=np.where(has_shipped, shipped, never),
        delivered_s=np.where(has_shipped & ~is_cancelled, delivered, never),
        cancelled_s=cancelled,
        from_clicks=from_clicks,
        ring=is_ring,
        test=(np.arange(size) % TEST_EVERY == TEST_EVERY // 2) & ~is_ring,
    )


def _draw_lines(
    catalogue: Catalogue, random: np.random.Generator, orders: Orders, order: Numbers, product: Numbers
) -> OrderLines:
    """Lines of the products bought, and for some orders one of postage or another service."""
    size = len(orders.ordered_s)
    served = np.flatnonzero(random.random(size) < 0.35)
    service = catalogue.merchandise + random.integers(0, len(catalogue.ids) - catalogue.merchandise, len(served))
    order, product = np.append(order, served), np.append(product, service)
    sort = np.lexsort((product, order))
    order, product = order[sort], product[sort]
    number = np.arange(len(order)) - np.searchsorted(order, order) + 1
    has_numbers = random.random(size) > 0.05
    is_service = product >= catalogue.merchandise
    quantity = np.where(is_service, 1, np.minimum(random.geometric(0.65, len(order)), 12))
    discount = np.where((random.random(len(order)) < 0.1) & ~is_service, 0.9, 1.0)
    quantity = np.where(orders.ring[order] & ~is_service, RING_UNITS, quantity)
    quantity = np.where(orders.test[order], TEST_UNITS, quantity)
    price = charge(np.round(catalogue.prices[product] * discount, 2), orders.country[order])
    return OrderLines(order, np.where(has_numbers[order], number, 0), product, quantity, price)
