"""Under which identifier each subject goes to a partner, by the partner's kind.

``opaque`` makes it from ``subject_id`` under a key of the partner and epoch, and opens no vault. ``shared-key`` keys
the address itself, under the key that the partner has too. ``platform`` writes the unkeyed hash that a platform
demands, which anybody with a list of addresses can undo.
"""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.errors import KeyRingError, UsageError
from jobs.exports.partners import OPAQUE, PAIR, PLATFORM, SHARED_KEY, Partner
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.declarations import UNKEYED_DIGEST, declare
from jobs.privacy.emails import PROFILES, Profile
from jobs.privacy.epochs import epoch_key, epoch_of
from jobs.privacy.identifiers import ad_id, as_shared
from jobs.privacy.keyring import Key, KeyRing, shared_purpose
from jobs.privacy.keyring.keys import PARTNER
from jobs.privacy.pseudonyms import key_relation, with_keys

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

AD_KEY: Final = "ad"
NO_ADDRESS: Final = "no_address"
KINDS: Final = (OPAQUE, SHARED_KEY, PLATFORM)


@dataclass(frozen=True)
class Identifiers:
    """How a package's identifiers are made.

    Attributes:
        epoch: after which they change; none where they do not.
        key: none where anybody can make them.
        profile: how addresses are normalised; none where no address is read.
        reason: why it is acceptable that they can be undone; none where they cannot.
    """

    epoch: str | None
    key: Key | None
    profile: Profile | None
    reason: str | None = None

    @property
    def key_id(self) -> str | None:
        """Id of the key, if there is one."""
        return None if self.key is None else self.key.key_id

    def describe(self) -> dict[str, Any]:
        """What the manifest says of them."""
        return {
            "epoch": self.epoch,
            "key_id": self.key_id,
            "profile": self.profile and self.profile.label,
            "is_reversible": self.key is None,
            "reason": self.reason,
        }


def choose_identifiers(ring: KeyRing, partner: Partner, day: date) -> Identifiers:
    """The identifiers of a partner's package of a day.

    Raises:
        KeyRingError: the key was destroyed, is past its last day, or is not there although it is shared.
        UsageError: the partner's kind has no packages.
    """
    if partner.kind == OPAQUE:
        length, overlap = partner.epoch, partner.overlap_days
        key = epoch_key(ring, PARTNER, partner.name, day, length=length, overlap_days=overlap)
        return Identifiers(epoch_of(day, length).name, key, None)
    if partner.kind == SHARED_KEY:
        return Identifiers(None, _find_shared_key(ring, partner.name), PROFILES[partner.profile])
    if partner.kind == PLATFORM and partner.accept_reversible and partner.reason:
        return Identifiers(None, None, PROFILES[str(partner.platform)], partner.reason)
    message = (
        f"{partner.name} gets no packages, because its kind is {partner.kind}; kinds with are {', '.join(KINDS)}. "
        f"Lists for kind {PAIR} are made by 'sophilux pair encrypt'."
    )
    raise UsageError(message)


def identify(lake: Lake, judged: "DataFrame", identifiers: Identifiers) -> "DataFrame":
    """Judged subjects with ``ad_id``.

    Args:
        lake: whose vault is read where the identifiers are made from addresses, and is not where they are not.
        judged: one row per subject, with ``subject_id`` and ``reason``.
        identifiers: how they are made.

    Returns:
        The same rows and columns with ``ad_id``. Where it is made from addresses, a subject without one has the reason
        ``no_address``, and an identifier that also stands for somebody kept out is kept out for the same reason.
    """
    if identifiers.profile is None:
        return _digest(lake, judged, F.col(C.SUBJECT_ID), identifiers)
    addresses = lake.read("vault.identities").transform(find_addresses, identifiers.profile)
    known = judged.join(addresses, C.SUBJECT_ID, how="left").transform(
        lambda rows: _digest(lake, rows, F.col("_address"), identifiers)
    )
    has_one = F.col(C.AD_ID).isNotNull()
    shared = F.max(C.REASON).over(Window.partitionBy(C.AD_ID))
    reason = F.coalesce(C.REASON, F.when(has_one, shared).otherwise(F.lit(NO_ADDRESS)))
    return known.select(*judged.columns, C.AD_ID).withColumn(C.REASON, reason)


def find_addresses(identities: "DataFrame", profile: Profile) -> "DataFrame":
    """``subject_id`` and ``_address`` under a profile, for those who have one.

    Args:
        identities: rows of ``vault.identities``; of several spellings of an address the primary one counts, then the
            newest.
        profile: what the address is normalised under.
    """
    normalised = identities.withColumn("_address", profile.normalise(F.col(C.EMAIL)))
    usable = normalised.where(F.col("_address").isNotNull())
    best_first = Window.partitionBy(C.SUBJECT_ID).orderBy(F.desc(C.IS_PRIMARY), F.desc(C.UPDATED_AT), C.IDENTITY_ID)
    placed = usable.withColumn("_place", F.row_number().over(best_first))
    return placed.where("_place = 1").select(C.SUBJECT_ID, "_address")


def keep_one_each(eligible: "DataFrame") -> "DataFrame":
    """One row per ``ad_id``, of several subjects that a profile takes for the same address the first."""
    by_subject = Window.partitionBy(C.AD_ID).orderBy(C.SUBJECT_ID)
    return eligible.withColumn("_place", F.row_number().over(by_subject)).where("_place = 1").drop("_place")


def _digest(lake: Lake, rows: "DataFrame", text: "Column", identifiers: Identifiers) -> "DataFrame":
    names = rows.columns
    if identifiers.key is None:
        profile = identifiers.profile or PROFILES["sophilux"]
        return rows.withColumn(C.AD_ID, declare(UNKEYED_DIGEST, profile.digest(text))).select(*names, C.AD_ID)
    keyed = rows.transform(with_keys, key_relation(lake.session, **{AD_KEY: identifiers.key}))
    return keyed.withColumn(C.AD_ID, ad_id(text, AD_KEY, identifiers.key)).select(*names, C.AD_ID)


def _find_shared_key(ring: KeyRing, partner: str) -> Key:
    key = ring.find(shared_purpose(partner))
    if key is None:
        purpose = shared_purpose(partner)
        message = (
            f"There is no key for {purpose}, or it was destroyed; take in the key that you share with the partner: "
            f"sophilux keys import {purpose} --key-file FILE."
        )
        raise KeyRingError(message)
    return as_shared(key)
