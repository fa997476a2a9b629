"""What two packages tell of the same people by their content alone: no identifier in common, everything else compared.

The shop has the demo's 2,000 accounts. What the attacks find in the packages is held against what they find in the
plain facts behind them: apps with the day of their installation, purchases with their day and exact amount.
"""

from collections import defaultdict
from datetime import timedelta
from itertools import combinations

import pytest
from pyspark.sql import functions as F

from jobs.exports.partners import Partner
from jobs.lake import Days, Lake
from jobs.runner import run_step
from jobs.samples.generated import write_shop
from jobs.settings import load_settings
from jobs.steps import FLOWS
from tests.conftest import DEMO_DAYS, DEMO_FIRST_DAY

from .reading import export, folder, make_id, read_rows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LAST_DAY = DEMO_FIRST_DAY + timedelta(DEMO_DAYS - 1)
NEXT_EPOCH = LAST_DAY.replace(month=LAST_DAY.month + 1, day=1)
ONE = Partner("one", ("all",), minimum_segment=5, epoch="month")
TWO = Partner("two", ("all",), minimum_segment=5, epoch="month")
PAIRS = {"two partners": ((ONE, LAST_DAY), (TWO, LAST_DAY)), "two epochs of one": ((ONE, LAST_DAY), (ONE, NEXT_EPOCH))}
FOUND_PLAIN = 0.3
"""Share of people whom the attacks find by plain facts, at least; fewer would say that the attacks are weak."""
FOUND_AT_MOST = 0.05
"""Share of people who may be alone with what two packages tell of them alike."""
GUESSED_AT_MOST = 0.1
"""Share of people whom the best guess may get right."""
RIGHT_AT_MOST = 0.5
"""Share of its guesses that may be right, so that nobody can rely on one."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory, engine, contracts):
    settings = load_settings(str(tmp_path_factory.mktemp("joining") / "shop"))
    write_shop(settings, first_day=DEMO_FIRST_DAY, days=DEMO_DAYS, customers=2_000, events=60_000, seed=11)
    lake = Lake(settings, engine, contracts)
    for flow in FLOWS:
        if flow.name in ("pull_clickstream", "pull_purchases"):
            for step in flow.steps:
                run_step(lake, step, Days(DEMO_FIRST_DAY, LAST_DAY))
    for partner, day in ((ONE, LAST_DAY), (ONE, NEXT_EPOCH), (TWO, LAST_DAY)):
        export(lake, partner, day)
    return lake


@pytest.fixture(scope="module")
def persons(shop):
    """Who is behind a subject, which the attacks are judged by and do not use."""
    rows = shop.read("lake.subjects").select("subject_id", "person_id").collect()
    return {row["subject_id"]: row["person_id"] for row in rows}


def read_told(lake, persons, partner, day):
    """What a package tells, as (cell, apps, purchases) by (identifier, whose it is)."""
    place = folder(lake, partner, day)
    whose = {make_id(lake, subject, partner, day): person for subject, person in persons.items()}
    told = {row["ad_id"]: ((row["country"], row["segment"]), set(), set()) for row in read_rows(place, "additions")}
    for kind, part in (("app_installs", 1), ("conversions", 2)):
        for row in read_rows(place, kind):
            told[row.pop("ad_id")][part].add(tuple(row.values()))
    return {(ad_id, whose[ad_id]): tuple(map(freeze, parts)) for ad_id, parts in told.items()}


def freeze(part):
    return frozenset(part) if isinstance(part, set) else part


def read_facts(lake, persons, partner, day):
    """The same with plain facts in place of what is told of apps and purchases."""
    cells = {whose: parts[0] for whose, parts in read_told(lake, persons, partner, day).items()}
    subjects = {make_id(lake, subject, partner, day): subject for subject in persons}
    clicks = lake.read("lake.clicks").where("action = 'install' and app_id is not null")
    installed = clicks.groupBy("subject_id", "app_id").agg(F.min("day").alias("day")).collect()
    lines = lake.read("lake.order_lines").where("subject_id is not null").collect()
    apps, bought = defaultdict(set), defaultdict(set)
    for row in installed:
        apps[persons.get(row["subject_id"])].add((row["app_id"], row["day"]))
    for row in lines:
        bought[row["subject_id"]].add((row["product_id"], row["day"], row["quantity"] * (row["unit_price"] or 0)))
    return {(ad_id, person): (cell, frozenset(apps[person]), frozenset(bought[subjects[ad_id]]))
            for (ad_id, person), cell in cells.items()}  # fmt: skip


def find_alone(one, other):
    """People who alone have, in both packages, the same of some part of what these tell."""
    found = set()
    for count in (1, 2, 3):
        for parts in combinations(range(3), count):
            groups = [defaultdict(set), defaultdict(set)]
            for group, package in zip(groups, (one, other), strict=True):
                for (_, person), told in package.items():
                    group[tuple(told[part] for part in parts)].add(person)
            found |= {min(who) for what, who in groups[0].items() if len(who) == 1 and groups[1].get(what) == who}
    return found


def guess_best(one, other):
    """For each identifier the person behind the most similar one of its cell, where one stands out; and who it is."""
    cells = defaultdict(list)
    for (_, person), told in other.items():
        cells[told[0]].append((person, told))
    guesses = []
    for (_, person), told in one.items():
        scores = [(sum(4 * len(told[n] & seen[n]) - len(told[n] ^ seen[n]) for n in (1, 2)), guess)
                  for guess, seen in cells[told[0]]]  # fmt: skip
        best = max((score for score, _ in scores), default=0)
        whom = {guess for score, guess in scores if score == best}
        if best > 0 and len(whom) == 1:
            guesses.append((min(whom), person))
    return guesses


@pytest.fixture(scope="module", params=PAIRS.values(), ids=PAIRS)
def pair(request, shop, persons):
    packages, facts = ([read(shop, persons, *which) for which in request.param] for read in (read_told, read_facts))
    in_both = len({person for _, person in packages[0]} & {person for _, person in packages[1]})
    assert in_both > 1_000
    return packages, facts, in_both


def test_few_people_are_alone_with_what_two_packages_tell_alike(pair):
    packages, facts, people = pair
    assert len(find_alone(*facts)) / people > FOUND_PLAIN
    assert len(find_alone(*packages)) / people <= FOUND_AT_MOST


def test_the_best_guess_is_mostly_wrong(pair):
    packages, facts, people = pair
    for told, is_plain in ((facts, True), (packages, False)):
        guesses = guess_best(*told)
        right = [guess for guess, person in guesses if guess == person]
        share, precision = len(set(right)) / people, len(right) / len(guesses)
        if is_plain:
            assert share > FOUND_PLAIN
            assert precision > 0.9
        else:
            assert share <= GUESSED_AT_MOST
            assert precision <= RIGHT_AT_MOST


def test_all_apps_that_somebody_has_are_told(shop, persons):
    """What protects the people who have an app does not cost that it is advertised to them again."""
    packages = read_told(shop, persons, ONE, LAST_DAY)
    facts = read_facts(shop, persons, ONE, LAST_DAY)
    for whose, (_, apps, _) in facts.items():
        assert {(app,) for app, _ in apps} <= packages[whose][1]
    assert sum(len(parts[1]) for parts in facts.values()) > 200
