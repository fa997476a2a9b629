"""Clicks of the generated shop: visits with a funnel from view to cart to purchase, and bots."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from jobs.samples.catalogue import LEAVES, Catalogue
from jobs.samples.people import People
from jobs.samples.plan import DAY_MS, Flags, Numbers, Plan
from jobs.samples.words import BOTS, BROWSER_SHARES, BROWSERS, COUNTRIES, COUNTRY_SHARES

TOPIC: Final = 3
ACTIONS: Final = ("view", "search", "cart", "favourite", "buy", "install", "download_error", "page")
VIEW, SEARCH, CART, FAVOURITE, BUY, INSTALL, DOWNLOAD_ERROR, PAGE = range(len(ACTIONS))
"""PAGE is a view of a page that shows no single product."""
INTENTS: Final = (VIEW, PAGE, SEARCH, CART, FAVOURITE, INSTALL, DOWNLOAD_ERROR)
INTENT_SHARES: Final = (0.62, 0.12, 0.10, 0.09, 0.05, 0.013, 0.007)
OPENINGS: Final = (PAGE, SEARCH, VIEW)
OPENING_SHARES: Final = (0.35, 0.2, 0.45)
LONGEST_VISIT: Final = 60
DEVICES: Final = 2
HUMAN, DECLARED_BOT, ABUSIVE_BOT = range(3)
BURST: Final = 3_000


@dataclass(frozen=True)
class Clicks:
    """One entry per valid distinct event, visits in no order."""

    time_ms: Numbers
    """Milliseconds since the start of the first day."""
    visit: Numbers
    account: Numbers
    """Account whose visit it is, -1 for guests."""
    visitor: Numbers
    logged_in: Flags
    action: Numbers
    product: Numbers
    country: Numbers
    agent: Numbers
    """Browser, or past the browsers a declared bot."""
    kind: Numbers
    """HUMAN, DECLARED_BOT or ABUSIVE_BOT."""


@dataclass(frozen=True)
class _Visits:
    account: Numbers
    visitor: Numbers
    start_ms: Numbers
    length: Numbers
    login_at: Numbers
    leaf: Numbers
    country: Numbers
    agent: Numbers


def make_clicks(plan: Plan, people: People, catalogue: Catalogue) -> Clicks:
    """Exactly ``plan.events`` events; no person has two in the same millisecond."""
    random = plan.random(TOPIC)
    abusive = min(max(300, plan.events // 100), plan.events // 4)
    declared = plan.events * 15 // 1000
    visits = _draw_visits(plan, people, random, plan.events - abusive - declared)
    human = _walk_visits(visits, catalogue, random)
    human = _cut(human, plan.events - abusive - declared)
    robots = _declared_bots(plan, catalogue, random, declared), _abusive_bot(plan, catalogue, random, abusive)
    return _separate(plan, people, _join(human, *robots))


def first_free_visitor(plan: Plan) -> int:
    """Number of the first visitor that is no customer's device."""
    return plan.customers * DEVICES


def bot_visitor(plan: Plan, number: int) -> int:
    """Visitor of a bot; 0 is the abusive one."""
    return first_free_visitor(plan) + plan.events // 6 + 100 + number


def _draw_visits(plan: Plan, people: People, random: np.random.Generator, events: int) -> _Visits:
    length = np.minimum(1 + np.exp(random.normal(1.4, 0.8, events // 2 + 100)).astype(np.int64), LONGEST_VISIT)
    length = length[: np.searchsorted(np.cumsum(length), events) + 1]
    size = len(length)
    start_s = plan.draw_seconds(random, size)
    activity = np.floor(plan.customers * random.random(size) ** 1.5).astype(np.int64)
    account = np.where(random.random(size) < 0.6, activity, -1)
    account = np.where((account >= 0) & (start_s > people.closed_s[account] - 7200), -1, account)
    is_guest = account < 0
    guest = first_free_visitor(plan) + random.integers(0, max(1, size // 3), size)
    device = random.integers(0, DEVICES, size)
    home = random.choice(len(COUNTRIES), size, p=COUNTRY_SHARES)
    taste = (account * 7 + random.integers(0, 3, size) * 11) % len(LEAVES)
    return _Visits(
        account=account,
        visitor=np.where(is_guest, guest, account * DEVICES + device),
        start_ms=start_s * 1000 + random.integers(0, 1000, size),
        length=length,
        login_at=np.where(
            is_guest, LONGEST_VISIT, np.where(random.random(size) < 0.75, 0, random.integers(1, 5, size))
        ),
        leaf=np.where(is_guest | (random.random(size) < 0.3), random.integers(0, len(LEAVES), size), taste),
        country=np.where(is_guest, home, people.country[account]),
        agent=np.where(
            random.random(size) < 0.9,
            (account * 5 + device * 3) % len(BROWSERS),
            random.choice(len(BROWSERS), size, p=BROWSER_SHARES),
        ),
    )


def _walk_visits(visits: _Visits, catalogue: Catalogue, random: np.random.Generator) -> Clicks:
    """Events of the visits in order; purchases end a visit."""
    visit = np.repeat(np.arange(len(visits.length)), visits.length)
    first = (np.cumsum(visits.length) - visits.length)[visit]
    place = np.arange(len(visit)) - first
    gaps = np.where(place == 0, 0, np.clip(np.exp(random.normal(9.8, 1.1, len(visit))), 400, 600_000).astype(np.int64))
    elapsed = np.cumsum(gaps)
    time_ms = visits.start_ms[visit] + elapsed - elapsed[first]
    action, product = _draw_actions(visits.leaf[visit], first, place, catalogue, random)
    bought_visit, bought = _draw_purchases(visits, visit, action, product, random)
    paid = time_ms[np.cumsum(visits.length)[bought_visit] - 1] + 20_000 + random.integers(0, 20_000, len(bought_visit))
    of = np.concatenate([visit, bought_visit])
    order = np.argsort(of, kind="stable")
    of = of[order]
    places = np.concatenate([place, np.full(len(bought), LONGEST_VISIT - 1)])[order]
    return Clicks(
        time_ms=np.concatenate([time_ms, paid])[order],
        visit=of,
        account=visits.account[of],
        visitor=visits.visitor[of],
        logged_in=places >= visits.login_at[of],
        action=np.concatenate([action, np.full(len(bought), BUY)])[order],
        product=np.concatenate([product, bought])[order],
        country=visits.country[of],
        agent=visits.agent[of],
        kind=np.full(len(of), HUMAN),
    )


def _draw_actions(
    leaf: Numbers, first: Numbers, place: Numbers, catalogue: Catalogue, random: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Actions and products; carts and favourites are of the product viewed last, or become a view."""
    size = len(leaf)
    action = np.array(INTENTS)[random.choice(len(INTENTS), size, p=INTENT_SHARES)]
    opening = np.array(OPENINGS)[random.choice(len(OPENINGS), size, p=OPENING_SHARES)]
    action = np.where(place == 0, opening, action)
    viewed = catalogue.draw(random, np.where(random.random(size) < 0.75, leaf, -1))
    last_view = np.maximum.accumulate(np.where(action == VIEW, np.arange(size), -1))
    needs_view = (action == CART) | (action == FAVOURITE)
    action = np.where(needs_view & (last_view < first), VIEW, action)
    keeps_product = (action == CART) | (action == FAVOURITE)
    product = np.where(keeps_product, viewed[np.maximum(last_view, 0)], viewed)
    has_product = (action == VIEW) | keeps_product
    return action, np.where(has_product, product, -1)


def _draw_purchases(
    visits: _Visits, visit: Numbers, action: Numbers, product: Numbers, random: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Visit and product of every purchase: products of the cart of visits that end at the till."""
    pays = random.random(len(visits.length)) < np.where(visits.account >= 0, 0.45, 0.15)
    in_cart = (action == CART) & pays[visit] & (random.random(len(visit)) < 0.85)
    stride = int(product.max(initial=0)) + 1
    bought = np.unique(visit[in_cart] * stride + product[in_cart])
    return bought // stride, bought % stride


def _declared_bots(plan: Plan, catalogue: Catalogue, random: np.random.Generator, size: int) -> Clicks:
    """Crawlers that say so: each walks through the catalogue, one page every few seconds."""
    walker = np.sort(random.integers(0, len(BOTS), size))
    step = np.arange(size) - np.searchsorted(walker, walker)
    time_ms = (step * (plan.days * DAY_MS // (size + 1)) + walker * 1017) % (plan.days * DAY_MS)
    return _robots(
        plan, random, time_ms, step % catalogue.merchandise, 1 + walker, len(BROWSERS) + walker, DECLARED_BOT
    )


def _abusive_bot(plan: Plan, catalogue: Catalogue, random: np.random.Generator, size: int) -> Clicks:
    """One visitor with a browser's name who pushes two products in bursts of several clicks a second."""
    bursts = int(np.clip(size // BURST, 1, plan.days))
    burst = np.sort(np.arange(size) % bursts)
    step = np.arange(size) - np.searchsorted(burst, burst)
    days = burst * plan.days // bursts
    time_ms = days * DAY_MS + 3 * 3_600_000 + step * 250 + random.integers(0, 100, size)
    product = abused_products(catalogue)[step % 2]
    return _robots(plan, random, time_ms, product, np.zeros(size, np.int64), np.zeros(size, np.int64), ABUSIVE_BOT)


def abused_products(catalogue: Catalogue) -> Numbers:
    """The two products that the abusive bot pushes: last of their category."""
    return catalogue.leaf_starts[1:3] - 1


def _robots(
    plan: Plan,
    random: np.random.Generator,
    time_ms: Numbers,
    product: Numbers,
    number: Numbers,
    agent: Numbers,
    kind: int,
) -> Clicks:
    size = len(time_ms)
    is_cart = (kind == ABUSIVE_BOT) & (random.random(size) < 0.2)
    return Clicks(
        time_ms=time_ms,
        visit=np.full(size, -1),
        account=np.full(size, -1),
        visitor=bot_visitor(plan, 0) + number,
        logged_in=np.zeros(size, np.bool_),
        action=np.where(is_cart, CART, VIEW),
        product=product,
        country=np.full(size, COUNTRIES.index("US")),
        agent=agent,
        kind=np.full(size, kind),
    )


def _select(clicks: Clicks, rows: Numbers | slice) -> Clicks:
    return Clicks(**{name: values[rows] for name, values in vars(clicks).items()})


def _cut(clicks: Clicks, size: int) -> Clicks:
    return _select(clicks, slice(0, size))


def _join(*parts: Clicks) -> Clicks:
    return Clicks(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def _separate(plan: Plan, people: People, clicks: Clicks) -> Clicks:
    """Sorted by time, with every event moved into the period and to a millisecond of its person's own."""
    span = plan.days * DAY_MS
    last = np.zeros(int(clicks.visit.max(initial=0)) + 2, np.int64)
    np.maximum.at(last, clicks.visit, clicks.time_ms)
    late = np.maximum(last - (span - 60_000), 0)
    late[-1] = 0
    time_ms = np.maximum(clicks.time_ms - late[clicks.visit], 0)
    person = np.where(clicks.account >= 0, people.owner[clicks.account], plan.customers + clicks.visitor)
    stride = 2 * span
    keys = person * stride + time_ms
    order = np.argsort(keys, kind="stable")
    steps = np.arange(len(keys))
    distinct = np.maximum.accumulate(keys[order] - steps) + steps
    spread = np.empty_like(keys)
    spread[order] = np.minimum(distinct % stride, span - 1)
    moved = Clicks(**{**vars(clicks), "time_ms": spread})
    return _select(moved, np.lexsort((moved.visitor, spread)))
