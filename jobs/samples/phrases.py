"""Pieces of JSON that the clickstream's lines are joined from, and the card numbers and addresses hidden in them."""

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.samples.catalogue import LEAVES, Catalogue
from jobs.samples.people import People
from jobs.samples.plan import Numbers, Plan
from jobs.samples.visits import (
    ACTIONS,
    BUY,
    CART,
    DOWNLOAD_ERROR,
    FAVOURITE,
    INSTALL,
    PAGE,
    SEARCH,
    VIEW,
    Clicks,
)
from jobs.samples.words import APPS, BOTS, BROWSERS, CAMPAIGNS, COLOURS, COUNTRIES, ERRORS

TOPIC: Final = 4
SITE: Final = "https://shop.example"
HIDDEN_SHARE: Final = 0.0004
KINDS: Final = ("cards_in_urls", "cards_in_searches", "emails_in_urls", "emails_in_searches")
UNKNOWN_FIELDS: Final = (
    "",
    ', "experiment": "B"',
    ', "viewport": {"width": 1280, "height": 720}',
    ', "tags": ["a", "b"]',
)


@dataclass(frozen=True)
class Places:
    """What each event is about: its product, address of the page, search text, app and error as one piece of JSON."""

    pieces: pa.Array
    rows: Numbers
    """Number of the event's piece."""
    hidden: dict[str, int]
    """How many events hold a card number or an e-mail address, by where."""


def make_places(plan: Plan, people: People, catalogue: Catalogue, clicks: Clicks) -> Places:
    """Pieces for all events, some with a payment-card number or an e-mail address in them."""
    random = plan.random(TOPIC)
    size = len(clicks.time_ms)
    products = catalogue.merchandise
    parts = {
        VIEW: [_about(product=p, url=f"/p/{p}{c}") for c in CAMPAIGNS for p in catalogue.ids[:products]],
        CART: [_about(product=p, url="/cart") for p in catalogue.ids[:products]],
        FAVOURITE: [_about(product=p, url="/favourites") for p in catalogue.ids[:products]],
        BUY: [_about(product=p, url="/checkout/done") for p in catalogue.ids[:products]],
        PAGE: [_about(url="/")] + [_about(url=_category_url(number)) for number in range(len(LEAVES))],
        SEARCH: [_search(text) for text in _search_texts()],
        INSTALL: [_about(url=f"/apps/{app}", app=app) for app in APPS],
        DOWNLOAD_ERROR: [_about(url=f"/apps/{app}/download", app=app, error=e) for e in ERRORS for app in APPS],
    }
    product = np.maximum(clicks.product, 0)
    rows = np.zeros(size, np.int64)
    start = 0
    for action, pieces in parts.items():
        is_action = clicks.action == action
        chosen = random.integers(0, len(pieces) if action not in (CART, FAVOURITE, BUY) else 1, size)
        spread = {VIEW: chosen // products * products + product, CART: product, FAVOURITE: product, BUY: product}
        rows = np.where(is_action, start + spread.get(action, chosen), rows)
        start += len(pieces)
    texts = [piece for pieces in parts.values() for piece in pieces]
    hidden = _hide(random, people, clicks, texts, rows)
    return Places(pa.array(texts, pa.string()), rows, hidden)


def action_pieces() -> pa.Array:
    """A piece per action."""
    return pa.array([_about(action="view" if name == "page" else name) for name in ACTIONS])


def agent_pieces() -> pa.Array:
    """A piece per country and browser or bot."""
    return pa.array([_about(country=c, user_agent=a) for c in COUNTRIES for a in (*BROWSERS, *BOTS)])


def email_pieces(people: People) -> pa.Array:
    """A piece per spelling of an account's address, and at the end an empty one."""
    spellings = pa.array(people.spellings, pa.string())
    return pa.concat_arrays([pc.binary_join_element_wise(', "email": "', spellings, '"', ""), pa.array([""])])


def visitor_pieces(highest: int) -> pa.Array:
    """A piece per visitor, and at the end an empty one."""
    numbers = pa.array(np.arange(highest + 1)).cast(pa.string())
    return pa.concat_arrays([pc.binary_join_element_wise(', "visitor": "v', numbers, '"', ""), pa.array([""])])


def number_pieces(name: str, values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> pa.Array:
    """A piece per value, and at the end an empty one."""
    texts = pa.array(values).cast(pa.string())
    return pa.concat_arrays([pc.binary_join_element_wise(f', "{name}": ', texts, "", ""), pa.array([""])])


def make_card(number: int) -> str:
    """A 16-digit number of a range for testing that passes the Luhn check."""
    digits = f"400000{number % 10**9:09d}"
    doubled = [int(d) * 2 if place % 2 == 0 else int(d) for place, d in enumerate(digits)]
    check = -sum(d - 9 if d > 9 else d for d in doubled) % 10
    return f"{digits}{check}"


def _about(**fields: str) -> str:
    if "url" in fields:
        fields["url"] = SITE + fields["url"]
    return ", " + json.dumps(fields)[1:-1]


def _search(text: str) -> str:
    return _about(url="/search?q=" + text.replace(" ", "+"), search=text)


def _search_texts() -> list[str]:
    return [f"{colour} {leaf[2]}".lower() for leaf in LEAVES for colour in COLOURS]


def _category_url(leaf: int) -> str:
    return "/c/" + "/".join(LEAVES[leaf]).lower().replace(" ", "-")


def _hide(
    random: np.random.Generator, people: People, clicks: Clicks, texts: list[str], rows: Numbers
) -> dict[str, int]:
    """Point some rows to new pieces that hold a card number or an address; the pieces are added to ``texts``."""
    pages = random.permutation(np.flatnonzero(clicks.action == PAGE))
    searches = random.permutation(np.flatnonzero(clicks.action == SEARCH))
    wanted = max(3, int(len(rows) * HIDDEN_SHARE))
    hidden = {}
    for kind, events in zip(KINDS, (pages[::2], searches[::2], pages[1::2], searches[1::2]), strict=True):
        chosen = events[:wanted]
        numbers = random.integers(0, 10**9, len(chosen))
        for event, number in zip(chosen, numbers, strict=True):
            rows[event] = len(texts)
            texts.append(_hiding_piece(kind, int(number), people))
        hidden[kind] = len(chosen)
    return hidden


def _hiding_piece(kind: str, number: int, people: People) -> str:
    card = make_card(number)
    email = people.spellings[number % len(people.spellings)]
    way = number % 2
    if kind == "cards_in_urls":
        return _about(url=f"/pay/{card}" if way else f"/checkout?step=2&card={'-'.join(_quarters(card))}")
    if kind == "cards_in_searches":
        return _about(url="/search", search=f"order {card}" if way else f"paid with {' '.join(_quarters(card))}")
    if kind == "emails_in_urls":
        return _about(url=f"/newsletter/{email}/confirm" if way else f"/login?user={email.replace('@', '%40')}")
    return _about(url="/search", search=f"my orders {email}" if way else email)


def _quarters(card: str) -> list[str]:
    return [card[start : start + 4] for start in range(0, 16, 4)]
