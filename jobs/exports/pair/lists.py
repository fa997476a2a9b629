"""Addresses of eligible people, each encrypted under our key, in an order that tells nothing.

We are the advertiser, and run our own clean room. This opens the vault, because the protocol starts from addresses; no
address and no unencrypted hash of one is written anywhere.

References:
    IAB Tech Lab, PAIR 1.1, 2025, "Two Data Clean Rooms", steps 1 and 2.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import functions as F

from jobs.exports.identities import Identifiers, find_addresses
from jobs.exports.pair.exchange import MINIMUM_LIST, PROTOCOL, check_size
from jobs.exports.pair.files import gather
from jobs.exports.partners import CLEAN_ROOM, Partner
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.eligibility import keep_eligible
from jobs.privacy.emails import PROFILES
from jobs.privacy.humans import HUMAN, human
from jobs.privacy.keyring import open_keyring
from jobs.privacy.pair.commutative import derive_scalar, encrypt_batches
from jobs.privacy.pair.keys import OWN_DAYS, SHARED_DAYS, find_own_key, find_scope, find_shared_secret, find_window
from jobs.privacy.pair.match_keys import match_seed, secret_relation

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from jobs.exports.pair.files import Points

PROFILE: Final = PROFILES["pair"]
SEED: Final = "_seed"


@dataclass(frozen=True)
class PairList:
    """A list ready to be handed over.

    Attributes:
        points: encrypted identifiers, sorted by their bytes, each once.
        people: how many they stand for.
        no_address: eligible subjects whose address the vault does not have, or that the profile cannot take.
        identifiers: how they were made.
        facts: what else the partner is told about the list.
    """

    points: "Points"
    people: int
    no_address: int
    identifiers: Identifiers
    facts: dict[str, Any]


def encrypt_list(
    lake: Lake, partner: Partner, judged: "DataFrame", day: date, *, minimum: int = MINIMUM_LIST
) -> PairList:
    """Encrypt the addresses of everybody whom no rule keeps out.

    Args:
        lake: gives the vault and the key ring.
        partner: the publisher.
        judged: one row per subject in the columns of ``lake.subjects``, with ``reason``.
        day: the day of the list; it decides which keys are used.
        minimum: people the list must have.

    Raises:
        KeyRingError: there is no shared secret for the day, or a key was destroyed.
        ListTooSmallError: fewer people are eligible.
    """
    ring = open_keyring(lake.settings)
    shared = None if partner.third_layer == CLEAN_ROOM else find_shared_secret(ring, partner.name, day)
    key = find_own_key(ring, partner.name, day, may_make=True)
    secret = secret_relation(lake.session, shared.secret if shared else b"")
    addresses = lake.read("vault.identities").transform(find_addresses, PROFILE)
    rows = keep_eligible(judged).transform(make_seeds, addresses, secret).toArrow()
    seeds, people = take_seeds(rows)
    check_size(f"our list for {partner.name}", people, minimum, {})
    points, _ = gather(batch.points for batch in encrypt_batches(seeds.chunks, derive_scalar(key.secret)))
    first = find_scope(ring, partner.name, day)
    facts = {
        "protocol": PROTOCOL,
        "role": "advertiser",
        "group": "ristretto255",
        "shared_key_id": shared and shared.key_id,
        "third_layer": partner.third_layer,
        "matched_within": {"first": str(first), "last": str(first + timedelta(days=SHARED_DAYS - 1))},
    }
    identifiers = Identifiers(str(find_window(day, OWN_DAYS).first), key, PROFILE)
    return PairList(points, people, rows.num_rows - len(seeds), identifiers, facts)


def make_seeds(eligible: "DataFrame", addresses: "DataFrame", secret: "DataFrame") -> "DataFrame":
    """What each subject's address becomes before it is encrypted.

    Args:
        eligible: subjects that may be exported.
        addresses: rows of :func:`jobs.exports.identities.find_addresses`.
        secret: :func:`jobs.privacy.pair.match_keys.secret_relation`.

    Returns:
        ``_human``, and ``_seed``, which is null where there is no address; one row per subject.
    """
    known = eligible.join(addresses, C.SUBJECT_ID, how="left").select(
        human(), PROFILE.digest(F.col("_address")).alias("_d")
    )
    return known.crossJoin(F.broadcast(secret)).select(HUMAN, match_seed(F.col("_d")).alias(SEED))


def take_seeds(rows: "pa.Table") -> "tuple[pa.ChunkedArray, int]":
    """The seeds that are there, and how many people they are of."""
    import pyarrow.compute as pc

    known = rows.filter(pc.field(SEED).is_valid())
    return known.column(SEED), pc.count_distinct(known.column(HUMAN)).as_py()
