"""Plans of what retention deletes: what they say, and the digest that names one.

A plan is canonical JSON (RFC 8785), and its name is the SHA-256 of it: whoever changes a comma has another plan. It
holds names of tables, partitions and files, counts and rules, and no value of any row.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Final

import rfc8785

from jobs.errors import PlanError

FORMAT: Final = 1


@dataclass(frozen=True)
class Rule:
    """Why rows go, as the contract says; ``cutoff`` is the first day that is kept."""

    purpose: str
    legal_basis: str
    period: str
    element: str
    driver: str
    description: str
    cutoff: date

    def describe(self) -> str:
        """Such as ``30 days from pull_day: short-lived copy``."""
        return f"{self.period} from {self.element}: {self.description}"


@dataclass(frozen=True)
class FileRemoval:
    """What one file loses; ``rows`` are all it has."""

    path: str
    partition: str | None
    rows: int
    goes: int
    bytes: int


@dataclass(frozen=True)
class Removal:
    """What one table, or one partner's packages, lose.

    Attributes:
        table: its name; ``exports.additions`` stands for packages as a whole.
        table_id: of the table in its log; none for packages.
        version: of the table that was looked at; none for packages.
        rule: why.
        partitions: those that go whole, which costs metadata only.
        files: files of tables that lose rows.
        folders: packages that go, relative to the home.
        rows: rows that go.
        bytes: size of what goes; of a file that stays in part the share of its rows.
        table_rows: all rows of the table.
        youngest: day of the youngest row that goes.
        held: rows past their term that holds keep back.
        holds: ids of these holds.
        digest: salted digest of the rows' keys; none where files name the rows well enough.
    """

    table: str
    table_id: str | None
    version: int | None
    rule: Rule
    partitions: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[FileRemoval, ...] = field(default=(), repr=False)
    folders: tuple[str, ...] = field(default=(), repr=False)
    rows: int = 0
    bytes: int = 0
    table_rows: int = 0
    youngest: date | None = None
    held: int = 0
    holds: tuple[str, ...] = ()
    digest: str | None = None

    @property
    def share(self) -> float:
        """Part of the table's rows that goes."""
        return self.rows / self.table_rows if self.table_rows else 0.0

    @property
    def deletes(self) -> bool:
        """False where everything past its term is held."""
        return bool(self.rows or self.folders)

    @property
    def whole_files(self) -> list[str]:
        """Paths of files that go without being read."""
        return [file.path for file in self.files if file.goes == file.rows]

    @property
    def cut_files(self) -> list[str]:
        """Paths of files that are rewritten without some of their rows."""
        return [file.path for file in self.files if file.goes < file.rows]

    def is_same(self, other: "Removal") -> bool:
        """True when the same rows go for the same reason, if need be from files that were rewritten meanwhile."""
        facts = [replace(r, version=None, files=(), bytes=0, table_rows=0, digest=None) for r in (self, other)]
        if facts[0] != facts[1]:
            return False
        return self.files == other.files or (self.digest is not None and self.digest == other.digest)


@dataclass(frozen=True)
class Plan:
    """What goes as of a day.

    Attributes:
        lake_id: the lake it was made from.
        day: ages count up to it.
        made_at: when, UTC.
        salt: of the removals' digests.
        holds: ids of all holds that were open.
        removals: by table; one that deletes nothing tells what holds keep back.
    """

    lake_id: str
    day: date
    made_at: datetime
    salt: str
    holds: tuple[str, ...]
    removals: tuple[Removal, ...] = field(repr=False)

    @property
    def rows(self) -> int:
        """Rows that go."""
        return sum(removal.rows for removal in self.removals)

    @property
    def bytes(self) -> int:
        """Size of what goes."""
        return sum(removal.bytes for removal in self.removals)

    @property
    def held(self) -> int:
        """Rows past their term that holds keep back."""
        return sum(removal.held for removal in self.removals)

    @property
    def name(self) -> str:
        """The plan's hash: SHA-256 of its canonical JSON, in hex."""
        return name_content(write_plan(self))


def name_content(content: bytes) -> str:
    """SHA-256 in hex."""
    from cryptography.hazmat.primitives.hashes import SHA256, Hash

    digest = Hash(SHA256())
    digest.update(content)
    return digest.finalize().hex()


def write_plan(plan: Plan) -> bytes:
    """Canonical JSON of a plan."""
    return rfc8785.dumps({"format": FORMAT, **_plain(asdict(plan))})


def read_plan(content: bytes) -> Plan:
    """The plan that :func:`write_plan` wrote.

    Raises:
        PlanError: it is none, or of a later format.
    """
    try:
        facts = json.loads(content)
        if facts.pop("format") != FORMAT:
            raise ValueError
        removals = tuple(_read_removal(removal) for removal in facts.pop("removals"))
        made_at = datetime.fromisoformat(facts.pop("made_at"))
        day, holds = date.fromisoformat(facts.pop("day")), tuple(facts.pop("holds"))
        return Plan(day=day, made_at=made_at.astimezone(UTC), holds=holds, removals=removals, **facts)
    except (ValueError, KeyError, TypeError, AttributeError):
        message = "This is no retention plan of this program; make a new one with 'sophilux retention plan'."
        raise PlanError(message) from None


def _read_removal(facts: dict[str, Any]) -> Removal:
    rule = facts.pop("rule")
    cutoff = date.fromisoformat(rule.pop("cutoff"))
    youngest = facts.pop("youngest")
    files = tuple(FileRemoval(**file) for file in facts.pop("files"))
    facts |= {name: tuple(facts.pop(name)) for name in ("partitions", "folders", "holds")}
    day = None if youngest is None else date.fromisoformat(youngest)
    return Removal(rule=Rule(cutoff=cutoff, **rule), youngest=day, files=files, **facts)


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def list_tables(removals: Iterable[Removal]) -> str:
    """Names of tables, for messages."""
    return ", ".join(removal.table for removal in removals)
