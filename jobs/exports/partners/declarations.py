"""The ad partners a shop declares, read from one YAML file and checked as a whole; loads no engine.

.. code-block:: yaml

    eligibility:
      policy_valid_from: 2026-01-01
    partners:
      - name: adnet-eu
        countries: [DE, FR]
      - name: loyalty
        kind: shared-key
        countries: [all]
        profile: google

``partners.schema.json`` beside this file names every key; what a schema cannot say is in
:mod:`jobs.exports.partners.checks`. Every mistake is told at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from jobs.errors import UsageError
from jobs.exports.partners.checks import find_mistakes
from jobs.exports.partners.strict_yaml import read_yaml
from jobs.privacy.export_rules import ExportRules

OPAQUE: Final = "opaque"
SHARED_KEY: Final = "shared-key"
PLATFORM: Final = "platform"
PAIR: Final = "pair"
PUBLISHER: Final = "publisher"
CLEAN_ROOM: Final = "clean-room"


@dataclass(frozen=True)
class Partner:
    """One ad partner.

    Attributes:
        name: what its folders and keys are called.
        countries: two-letter codes of the people it may reach, or ``all``.
        kind: how its identifiers are made: opaque, shared-key, platform or pair.
        epoch: how long its identifiers stay the same: month, quarter, half-year or year.
        overlap_days: days for which a former epoch's key is kept.
        minimum_segment: people a segment of a country must have to be exported.
        format: of its files, parquet or csv.
        shards: files per kind of rows.
        encrypt_to: public age recipients; none leaves the package readable.
        deliver_to: fsspec URL that packages are copied to.
        platform: for kind platform, whose hash it wants.
        accept_reversible: for kind platform, that a dictionary may undo its identifiers.
        reason: for kind platform, why that is acceptable.
        profile: for kind shared-key, how addresses are normalised.
        third_layer: for kind pair, who gives the third key: the publisher, a secret it shares with us, or a clean room.
        attribution_days: days between an impression and a purchase it counts for.
    """

    name: str
    countries: tuple[str, ...]
    kind: str = OPAQUE
    epoch: str = "quarter"
    overlap_days: int = 30
    minimum_segment: int = 20
    format: str = "parquet"
    shards: int = 1
    encrypt_to: tuple[str, ...] = ()
    deliver_to: str | None = None
    platform: str | None = None
    accept_reversible: bool = False
    reason: str | None = None
    profile: str = "sophilux"
    third_layer: str = PUBLISHER
    attribution_days: int = 7


@dataclass(frozen=True)
class PartnersFile:
    """A partners file as a whole."""

    eligibility: ExportRules
    partners: tuple[Partner, ...]


def load_partners_file(path: Path) -> PartnersFile:
    """Read and check the partners file.

    Raises:
        UsageError: there is no such file, or it has mistakes, which are all listed.
    """
    document = _read(path)
    if mistakes := find_mistakes(document):
        raise UsageError(f"The partners file {path} is not as it must be: " + "; ".join(mistakes) + ".")
    rules = dict(document.get("eligibility", {}))
    if "policy_valid_from" in rules:
        rules["policy_valid_from"] = date.fromisoformat(rules["policy_valid_from"])
    if "age_required_in" in rules:
        rules["age_required_in"] = tuple(rules["age_required_in"])
    return PartnersFile(ExportRules(**rules), tuple(_make_partner(entry) for entry in document["partners"]))


def load_partners(path: Path) -> tuple[Partner, ...]:
    """The partners of the file.

    Raises:
        UsageError: there is no such file, or it has mistakes, which are all listed.
    """
    return load_partners_file(path).partners


def load_eligibility(path: Path) -> ExportRules:
    """The file's rules for all partners; the defaults where it has none.

    Raises:
        UsageError: there is no such file, or it has mistakes, which are all listed.
    """
    return load_partners_file(path).eligibility


def find_partner(path: Path, name: str) -> Partner:
    """The declared partner of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    partners = load_partners(path)
    for partner in partners:
        if partner.name == name:
            return partner
    known = ", ".join(partner.name for partner in partners) or "none"
    message = f"There is no partner {name!r} in {path}; there are {known}."
    raise UsageError(message)


def find_recipients(path: Path) -> tuple[Partner, ...]:
    """The partners of the file who get packages; those of kind pair exchange lists (``sophilux pair``).

    Raises:
        UsageError: there is no such file, or it has mistakes, which are all listed.
    """
    return tuple(partner for partner in load_partners(path) if partner.kind != PAIR)


def _read(path: Path) -> Any:  # noqa: ANN401
    try:
        return read_yaml(path, "partners file")
    except FileNotFoundError:
        message = f"There is no partners file {path}; declare the partners in it, or set SOPHILUX_PARTNERS_FILE."
        raise UsageError(message) from None


def _make_partner(entry: Mapping[str, Any]) -> Partner:
    """A partner of an entry without mistakes."""
    recipients = entry.get("encrypt_to", [])
    listed = {
        "countries": tuple(entry["countries"]),
        "encrypt_to": (recipients,) if isinstance(recipients, str) else tuple(recipients),
    }
    # A JSON schema takes 2.0 for a whole number.
    values: dict[str, Any] = {name: int(v) if isinstance(v, float) else v for name, v in entry.items()}
    return Partner(**{**values, **listed})
