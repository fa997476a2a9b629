"""What decides about a package before any of its rows is computed."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from jobs.exports import audiences, conversions, freshness, register
from jobs.exports.identities import Identifiers, choose_identifiers
from jobs.exports.manifests import Heading
from jobs.exports.members import Books, choose_books, name_package
from jobs.exports.partners import PLATFORM, Partner
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.epochs import read_epoch
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.keyring import Key, open_keyring
from jobs.privacy.shuffling import order_key
from jobs.privacy.signatures import Signer, open_signer

NO_POLICY: Final = "none"


@dataclass(frozen=True)
class Plan:
    """One partner's package of a day.

    Attributes:
        rules: the shop's rules for all partners.
        order: key of the order of rows.
        conversions_until: last day whose purchases the partner was told, once it has this package.
    """

    heading: Heading
    rules: ExportRules
    order: Key
    signer: Signer
    conversions_until: date

    @property
    def partner(self) -> Partner:
        """Who gets the package."""
        return self.heading.partner

    @property
    def day(self) -> date:
        """The package's day."""
        return self.heading.period[1]

    @property
    def identifiers(self) -> Identifiers:
        """How its identifiers are made."""
        return self.heading.identifiers

    @property
    def books(self) -> Books:
        """Where it is kept what the partner holds."""
        return choose_books(self.partner.kind)

    @property
    def is_reversible(self) -> bool:
        """Whether the partner was accepted to get identifiers that a dictionary undoes."""
        return self.partner.kind == PLATFORM and self.partner.accept_reversible

    def name_package(self, manifest_sha256: str) -> str:
        """What the package's changes are kept under."""
        return name_package(self.partner.name, manifest_sha256)


def make_plan(lake: Lake, partner: Partner, day: date, rules: ExportRules) -> Plan:
    """The plan of a partner's package of a day, which builds on the last one that was acknowledged.

    Raises:
        UsageError: the partner was sent this day or a later one, or is of a kind that it cannot get.
        KeyRingError: a key was destroyed, is past its last day or cannot be read.
    """
    entries = register.list_entries(lake, partner.name)
    register.check_is_next(entries, partner.name, day)
    register.check_kind(entries, partner)
    ring = open_keyring(lake.settings)
    identifiers = choose_identifiers(ring, partner, day)
    last = register.find_acknowledged(entries)
    first = last[C.DAY] + timedelta(days=1) if last else day - timedelta(days=audiences.INTEREST_DAYS - 1)
    follows = (last[C.DAY], last[C.MANIFEST_SHA256]) if last else None
    start = find_untold(last, first)
    epoch = read_epoch(identifiers.epoch) if identifiers.epoch else None
    bought = freshness.find_whole_day(lake, freshness.PURCHASES, day)
    weeks = bought and conversions.find_weeks(start, bought, epoch)
    viewed = freshness.find_whole_day(lake, freshness.CLICKS, day)
    policy = str(rules.policy_valid_from or NO_POLICY)
    return Plan(
        Heading(partner, (first, day), follows, identifiers, policy, weeks or None, viewed),
        rules,
        order_key(ring, partner.name, identifiers.epoch),
        open_signer(ring),
        weeks.last if weeks else start - timedelta(days=1),
    )


def find_untold(last: register.Entry | None, first: date) -> date:
    """First day whose purchases a partner was not told.

    Args:
        last: the last package that it acknowledged, if there is one.
        first: first day of the package's period.
    """
    until = last and last[C.CONVERSIONS_UNTIL]
    return until + timedelta(days=1) if until else conversions.monday_of(first)
