"""What somebody could do with packages: guess addresses, and line up two packages by identifier, order or content."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from pyspark.sql import functions as F

from jobs.lake import columns as C
from jobs.privacy.emails import PROFILES, normalise_email
from jobs.privacy.keyring import SUBJECT, open_keyring
from jobs.privacy.pseudonyms import key_relation, keyed_digest, subject_bucket, with_keys

from .conftest import DAY
from .conftest import SUBJECT as COMMON
from .reading import EUROPE, PLATFORM, WORLD, export, folder, make_id, read_rows

pytestmark = [pytest.mark.slow]

CANDIDATES = 1_000_000
EVERY = 2_500
PEOPLE = CANDIDATES // EVERY
NEXT_EPOCH = date(2024, 4, 1)
FOUR_DEVIATIONS = 4.5 / np.sqrt(PEOPLE)


def guess_addresses(session, step=1):
    """Every combination of a hundred first names, a hundred last names and a hundred mail servers."""
    numbers, number = session.range(0, CANDIDATES, step), F.col("id")
    first, last, server = number % 100, F.floor(number / 100) % 100, F.floor(number / 10_000)
    parts = [F.lit("first"), first, F.lit(".last"), last, F.lit("@mail"), server, F.lit(".example")]
    return numbers.select(F.concat(*(part.cast("string") for part in parts)).alias("email"))


@pytest.fixture(scope="module")
def crowd(shared_lake):
    """Four hundred people, each with an address that a million guesses contain."""
    lake = shared_lake
    key = open_keyring(lake.settings).key(SUBJECT)
    people = guess_addresses(lake.session, EVERY).transform(with_keys, key_relation(lake.session, subject=key))
    subject = keyed_digest(normalise_email(F.col(C.EMAIL)), "subject")
    named = people.select(C.EMAIL, subject.alias(C.SUBJECT_ID)).withColumn(C.PERSON_ID, F.col(C.SUBJECT_ID))
    filled = named.withColumn(C.SUBJECT_BUCKET, subject_bucket(F.col(C.SUBJECT_ID)))
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    facts = {**COMMON, "identity_id": "i", "customer_id": "c", "email_normalised": "e", "is_primary": True}
    for table in ("lake.subjects", "vault.identities"):
        contract = lake.contracts[table]
        values = [F.col(c.name) if c.name in filled.columns else F.lit(facts.get(c.name)).cast(c.type).alias(c.name)
                  for c in contract.columns]  # fmt: skip
        lake.replace(table, filled.withColumn(C.UPDATED_AT, F.lit(moment)).select(*values))
    for partner in (EUROPE, WORLD, PLATFORM):
        export(lake, partner, DAY)
    export(lake, EUROPE, NEXT_EPOCH)
    return lake


def ordered_ids(lake, partner, day=DAY):
    return [row["ad_id"] for row in read_rows(folder(lake, partner, day), "additions")]


def attack(lake, ad_ids):
    """How many of a package's people a list of a million addresses finds, by every hash that needs no key."""
    guesses, address = guess_addresses(lake.session), F.col("email")
    profiles = [profile for profile in PROFILES.values() if profile.encoding]
    text = F.encode(address, "UTF-8")
    hashes = [
        *(profile.digest(profile.normalise(address)) for profile in profiles),
        *(F.sha2(text, bits) for bits in (224, 384, 512)),
        F.md5(text),
        F.sha1(text),
        F.hex(F.xxhash64(address)),
    ]
    guesses = guesses.select(F.explode(F.array(*hashes)).alias("guess"))
    whole = [(ad_id, ad_id.rpartition("-")[2]) for ad_id in ad_ids]
    wanted = lake.session.createDataFrame(whole, "ad_id string, digits string")
    size = len(whole[0][1])
    matches = wanted.join(guesses, F.col("digits") == F.substring("guess", 1, size), how="inner")
    return matches.select("ad_id").distinct().count()


def test_a_million_guesses_find_everybody_behind_an_unkeyed_hash(crowd):
    ad_ids = ordered_ids(crowd, PLATFORM)
    assert len(ad_ids) == PEOPLE
    assert attack(crowd, ad_ids) == PEOPLE


def test_a_million_guesses_find_nobody_behind_an_opaque_identifier(crowd):
    ad_ids = ordered_ids(crowd, EUROPE)
    assert len(ad_ids) == PEOPLE
    assert attack(crowd, ad_ids) == 0


def linked_positions(lake, one, other):
    """Where the same people stand in two packages, each a partner and a day."""
    subjects = [row["subject_id"] for row in lake.read("lake.subjects").select(C.SUBJECT_ID).collect()]
    places = []
    for partner, day in (one, other):
        found = {ad_id: place for place, ad_id in enumerate(ordered_ids(lake, partner, day))}
        places.append(np.array([found[make_id(lake, subject, partner, day)] for subject in subjects]))
    return places


PAIRS = {
    "two partners": ((EUROPE, DAY), (WORLD, DAY)),
    "two epochs of one": ((EUROPE, DAY), (EUROPE, NEXT_EPOCH)),
}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_two_packages_share_no_identifier(crowd, one, other):
    first, second = (ordered_ids(crowd, *which) for which in (one, other))
    digits = [{ad_id.rpartition("-")[2] for ad_id in ids} for ids in (first, second)]
    assert len(digits[0]) == len(digits[1]) == PEOPLE
    assert not digits[0] & digits[1]
    beginnings = [{digit[:8] for digit in each} for each in digits]
    assert len(beginnings[0] & beginnings[1]) <= 1


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_the_order_of_one_package_says_nothing_of_another(crowd, one, other):
    first, second = linked_positions(crowd, one, other)
    correlation = np.corrcoef(first, second)[0, 1]
    assert abs(correlation) < FOUR_DEVIATIONS
    # Of people next to each other in one package about two pairs are neighbours in the other by chance.
    along = second[np.argsort(first)]
    assert np.sum(np.abs(np.diff(along)) == 1) < 15
    assert np.sum(first == second) < 10


def test_the_order_of_a_package_says_nothing_of_the_lake(crowd):
    ad_ids = ordered_ids(crowd, EUROPE)
    by_subject = sorted(row["subject_id"] for row in crowd.read("lake.subjects").select(C.SUBJECT_ID).collect())
    place = {ad_id: n for n, ad_id in enumerate(ad_ids)}
    places = [place[make_id(crowd, subject)] for subject in by_subject]
    assert abs(np.corrcoef(range(PEOPLE), places)[0, 1]) < FOUR_DEVIATIONS
    assert abs(np.corrcoef(range(PEOPLE), np.argsort(np.argsort(ad_ids)))[0, 1]) < FOUR_DEVIATIONS


def test_shards_of_two_partners_do_not_line_up_either(crowd):
    one, other = (replace(partner, name=f"{partner.name}-sharded", shards=4) for partner in (EUROPE, WORLD))
    for partner in (one, other):
        export(crowd, partner, DAY)
    first, second = linked_positions(crowd, (one, DAY), (other, DAY))
    assert abs(np.corrcoef(first, second)[0, 1]) < FOUR_DEVIATIONS
