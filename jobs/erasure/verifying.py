"""Repeat the verification of a certificate at any later time, without knowing whom it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jobs.audit.needles import Kind
from jobs.erasure import certificates, checking
from jobs.erasure.checking import Checked
from jobs.erasure.held_files import list_held_files
from jobs.erasure.keys import derive_key
from jobs.erasure.outcomes import PARTLY
from jobs.erasure.sealed import open_needles
from jobs.exports import register
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.people.held_rows import Keeper
from jobs.people.holds import open_holds
from jobs.privacy import tombstones
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import open_signer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LABEL = "erasure certificate"


@dataclass(frozen=True)
class Verdict:
    """What a repeated verification found.

    Attributes:
        checked: the search.
        returned: tombstones of the run that were lifted since, because somebody opened a new account; what is found may
            be theirs.
    """

    checked: Checked
    returned: int


def verify(
    lake: Lake,
    document: Mapping[str, Any],
    *,
    public_key: "Ed25519PublicKey | None" = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Check a certificate's signature, and search every byte below the home for everything it is about.

    Args:
        lake: the lake.
        document: the certificate.
        public_key: what it was signed with; none takes the ring's.
        progress: is told what is being read.

    Raises:
        SophiluxError: the signature does not hold.
        KeyRingError: the ring lacks the key of tombstones, without which nothing can be recognised.
    """
    certificates.check_signature(document, public_key or open_signer(open_keyring(lake.settings)).public_key)
    key = derive_key(lake, f"{LABEL} {document['run_id']}")
    searched = {Kind[name.upper()]: count for name, count in document["verification"]["searched"].items()}
    needles = open_needles(document["identifiers"], key, searched)
    expected = checking.expect(lake, _list_held(lake, document), _list_later_packages(lake, document))
    checked = checking.search(lake, needles, expected, progress=progress)
    return Verdict(checked, _count_returned(lake, document))


def _list_held(lake: Lake, document: Mapping[str, Any]) -> list[str]:
    """What open holds keep today of the tables and packages of which the run left something."""
    if not document["held"]:
        return []
    spared = [each["request_id"] for each in document["requests"] if each["state"] == PARTLY]
    return list_held_files(lake, Keeper(lake, open_holds(lake)), document["held"], spared)


def _list_later_packages(lake: Lake, document: Mapping[str, Any]) -> list[str]:
    """Folders of packages made since, whose removals name whom the partner is to remove."""
    finished = datetime.fromisoformat(document["finished_at"])
    rows = [row for row in lake.read_records(register.REGISTER) if row[C.EXPORTED_AT] >= finished]
    return [f"exports/{row[C.PACKAGE]}" for row in rows]


def _count_returned(lake: Lake, document: Mapping[str, Any]) -> int:
    started = datetime.fromisoformat(document["started_at"])
    rows = lake.read_records(tombstones.TABLE, [str(started.date())]) if lake.exists(tombstones.TABLE) else []
    return sum(row[C.ERASED_AT] == started and row[C.LIFTED_AT] is not None for row in rows)
