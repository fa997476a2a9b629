"""Accounts of the generated shop, each with several spellings of its e-mail addresses."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from jobs.lake import columns as C
from jobs.samples.drops import text_times
from jobs.samples.plan import DAY_S, Flags, Numbers, Plan
from jobs.samples.words import (
    CITIES,
    COUNTRIES,
    COUNTRY_SHARES,
    FIRST_NAMES,
    LAST_NAMES,
    OTHER_PHONE,
    PHONES,
    STREETS,
)

TOPIC: Final = 2
DOMAINS: Final = ("example.com", "example.org", "example.net", "gmail.com")
SPELLINGS: Final = 3
POLICY_DAYS: Final = 180
"""How long before the first day the privacy policy in force became valid."""
NEVER: Final = 2**40
YEAR: Final = 365.25


@dataclass(frozen=True)
class People:
    """One entry per account; ``owner`` is the account's person (another account's number for second accounts)."""

    names: list[str]
    emails: list[str]
    spellings: list[str]
    """``SPELLINGS`` ways to write each account's own address, account by account."""
    owner: Numbers
    country: Numbers
    born: list[date | None]
    ads_opt_out: Flags
    personalisation_opt_out: Flags
    consented_s: Numbers
    """Seconds from the start at which a privacy policy was agreed to, all before it; ``NEVER`` where none was."""
    closed_s: Numbers
    """Seconds from the start at which the account was closed, ``NEVER`` where it is open."""
    further: list[tuple[int, str, str]]
    """Account, address and its spelling in ``customer_emails``."""
    minors: int

    def spelling(self, account: int, way: int) -> str:
        """One of the ways to write the account's own address."""
        return self.spellings[account * SPELLINGS + way % SPELLINGS]


def make_people(plan: Plan) -> People:
    """Accounts with ages, wishes and addresses."""
    random = plan.random(TOPIC)
    size = plan.customers
    first = random.integers(0, len(FIRST_NAMES), size)
    last = random.integers(0, len(LAST_NAMES), size)
    domain = random.integers(0, len(DOMAINS), size)
    names = [f"{FIRST_NAMES[f]} {LAST_NAMES[n]}" for f, n in zip(first, last, strict=True)]
    emails = [
        make_address(name, number, DOMAINS[d]) for number, (name, d) in enumerate(zip(names, domain, strict=True))
    ]
    owner = np.arange(size)
    second = size // 100
    owner[size - second :] = np.arange(second)
    born, minors = _draw_births(plan, random)
    is_closed = random.random(size) < 0.02
    return People(
        names=names,
        emails=emails,
        spellings=[spell(email, way) for email in emails for way in range(SPELLINGS)],
        owner=owner,
        country=random.choice(len(COUNTRIES), size, p=COUNTRY_SHARES),
        born=born,
        ads_opt_out=random.random(size) < 0.12,
        personalisation_opt_out=random.random(size) < 0.06,
        consented_s=_draw_consents(plan),
        closed_s=np.where(is_closed, random.integers(plan.seconds // 2, plan.seconds, size), NEVER),
        further=_draw_further(random, names, emails, owner),
        minors=minors,
    )


def policy_day(plan: Plan) -> date:
    """First day of the privacy policy in force."""
    return plan.first_day - timedelta(days=POLICY_DAYS)


def is_outdated(people: People) -> Flags:
    """Accounts that agreed to an earlier policy only."""
    return people.consented_s < -POLICY_DAYS * DAY_S


def make_address(name: str, number: int, domain: str) -> str:
    """An invented address in the form that the sophilux profile gives it."""
    first, last = name.lower().split(" ")
    return f"invented{first}{last}{number}@{domain}" if domain == "gmail.com" else f"{first}.{last}{number}@{domain}"


def spell(email: str, way: int) -> str:
    """Another way to write the same address: letter case, and for gmail dots and tags too."""
    local, domain = email.split("@")
    if domain == "gmail.com":
        dotted = f"{local[:8]}.{local[8:]}"
        return (email, f"{dotted}+shop@gmail.com", f"{dotted.title()}@GoogleMail.com")[way]
    return (email, email.upper(), f"{local.title()}@{domain}")[way]


def tabulate_customers(plan: Plan, people: People) -> pa.Table:
    """Rows of the shop's ``customers``; a closed account was last changed when it was closed."""
    random = plan.random(TOPIC + 100)
    size = len(people.names)
    changed = random.random(size) < 0.2
    updated = np.where(changed, random.integers(0, plan.seconds, size), random.integers(0, 3600, size))
    is_closed = people.closed_s < NEVER
    updated = np.where(is_closed, people.closed_s, updated)
    created = np.where(random.random(size) < 0.1, np.minimum(updated, 3600), -random.integers(1, 900 * DAY_S, size))
    closed = pa.array(plan.epoch_s + people.closed_s, mask=~is_closed)
    consented = pa.array(plan.epoch_s + people.consented_s, mask=people.consented_s == NEVER)
    streets = random.integers(0, len(STREETS), size)
    numbers = random.integers(1, 200, size)
    codes = random.integers(10_000, 99_999, size)
    countries = [COUNTRIES[number] for number in people.country]
    return pa.table(
        {
            C.CUSTOMER_ID: [customer_id(number) for number in range(size)],
            C.EMAIL: [people.spelling(number, number % SPELLINGS) for number in range(size)],
            C.FULL_NAME: people.names,
            C.PHONE: [make_phone(country, int(n)) for country, n in zip(countries, codes, strict=True)],
            C.BIRTH_DATE: pa.array([day.isoformat() if day else None for day in people.born], pa.string()),
            C.COUNTRY: countries,
            C.STREET: [f"{STREETS[s]} {n}" for s, n in zip(streets, numbers, strict=True)],
            C.CITY: [CITIES[country] for country in countries],
            C.POSTCODE: [str(code) for code in codes],
            C.ADS_OPT_OUT: people.ads_opt_out.astype(np.int64),
            C.PERSONALISATION_OPT_OUT: people.personalisation_opt_out.astype(np.int64),
            C.CONSENTED_AT: text_times(consented),
            C.CLOSED_AT: text_times(closed),
            C.CREATED_AT: text_times(plan.epoch_s + created),
            C.UPDATED_AT: text_times(plan.epoch_s + updated),
        }
    )


def tabulate_customer_emails(plan: Plan, people: People) -> pa.Table:
    """Rows of the shop's ``customer_emails``."""
    times = plan.random(TOPIC + 200).integers(0, 3600, len(people.further))
    return pa.table(
        {
            C.CUSTOMER_ID: pa.array([customer_id(account) for account, _, _ in people.further], pa.string()),
            C.EMAIL: pa.array([written for _, _, written in people.further], pa.string()),
            C.IS_PRIMARY: np.zeros(len(people.further), np.int64),
            C.UPDATED_AT: text_times(plan.epoch_s + times),
        }
    )


def customer_id(account: int) -> str:
    """The shop's number of an account."""
    return f"C{account + 1:07d}"


def make_phone(country: str, number: int) -> str:
    """A phone number that no one can have."""
    pattern = PHONES.get(country, OTHER_PHONE)
    return pattern.format(n=number % 1000, a=number % 10, b=number % 100, s=5 + number % 95)


def _draw_births(plan: Plan, random: np.random.Generator) -> tuple[list[date | None], int]:
    """Birth dates, none for unknown ages, and how many are minors throughout the period."""
    kind = random.choice(3, plan.customers, p=(0.89, 0.03, 0.08))
    adult = random.integers(int(19 * YEAR), int(85 * YEAR), plan.customers)
    minor = random.integers(int(13 * YEAR), int(17 * YEAR), plan.customers)
    last = plan.first_day + timedelta(days=plan.days - 1)
    ages = np.where(kind == 1, minor, adult)
    births = [
        None if k == 2 else (last if k == 1 else plan.first_day) - timedelta(days=int(age))
        for k, age in zip(kind, ages, strict=True)
    ]
    return births, int((kind == 1).sum())


def _draw_consents(plan: Plan) -> Numbers:
    """Consents to the policy in force, to an earlier one, and none."""
    random = plan.random(TOPIC + 300)
    kind = random.choice(3, plan.customers, p=(0.9, 0.07, 0.03))
    current = random.integers(-POLICY_DAYS * DAY_S, 0, plan.customers)
    earlier = random.integers(-900 * DAY_S, -POLICY_DAYS * DAY_S, plan.customers)
    return np.select([kind == 0, kind == 1], [current, earlier], NEVER)


def _draw_further(
    random: np.random.Generator, names: list[str], emails: list[str], owner: Numbers
) -> list[tuple[int, str, str]]:
    further: list[tuple[int, str, str]] = []
    counts = random.choice(3, len(names), p=(0.82, 0.15, 0.03))
    domains = random.integers(0, len(DOMAINS), (len(names), 2))
    for account, name in enumerate(names):
        for place in range(counts[account]):
            email = make_address(name, 10_000_000 * (place + 1) + account, DOMAINS[domains[account, place]])
            further.append((account, email, spell(email, (account + place) % SPELLINGS)))
        if owner[account] != account:
            shared = emails[owner[account]]
            further.append((account, shared, spell(shared, account % SPELLINGS)))
    return further
